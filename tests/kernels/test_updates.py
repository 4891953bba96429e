"""The update of stochastic gradient descent, bit for bit PyTorch's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, laid_out, matrices
from tinygrad_mnist import kernels

rates = st.sampled_from([0.5, 0.1, 1e-3, 0.0, 1.0, -0.3, 1 / 3])


@pytest.mark.parametrize("twin", TWINS)
@given(param=matrices(), lr=rates, seed=st.integers(0, 2**32 - 1))
def test_it_is_pytorchs_to_the_bit(twin, param, lr, seed):
    if not param.flags.writeable:
        param = param.copy()
    grad = np.random.default_rng(seed).standard_normal(param.shape).astype(param.dtype)
    expected = torch.tensor(param).add_(torch.tensor(grad), alpha=-lr).numpy()
    grad_before = grad.copy()
    with computed_by(twin):
        kernels.sgd_update(param, grad, lr)
    np.testing.assert_array_equal(grad, grad_before)
    if twin == "numpy" and param.dtype == np.float64:  # rounds the product, too
        rounding = np.abs(lr * grad).max(initial=0) * 2.0**-53
        np.testing.assert_allclose(param, expected, rtol=2.0**-52, atol=rounding)
    else:
        np.testing.assert_array_equal(param, expected)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (784, 10), (2, 3, 4, 5), (0, 3)])
def test_shapes(twin, dtype, shape):
    rng = np.random.default_rng(0)
    param = np.asarray(rng.standard_normal(shape), dtype)
    grad = np.asarray(rng.standard_normal(shape), dtype)
    expected = torch.tensor(param).add_(torch.tensor(grad), alpha=-0.1).numpy()
    with computed_by(twin):
        kernels.sgd_update(param, grad, 0.1)
    np.testing.assert_allclose(param, expected, rtol=4 * np.finfo(dtype).eps, atol=1e-16)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
@pytest.mark.parametrize("grad_layout", ["contiguous", "transposed", "strided", "read-only"])
def test_layouts(twin, layout, grad_layout):
    rng = np.random.default_rng(0)
    param, grad = rng.standard_normal((2, 6, 4)).astype(np.float32)
    expected = torch.tensor(param).add_(torch.tensor(grad), alpha=-0.1).numpy()
    param = laid_out(param, layout)
    with computed_by(twin):
        kernels.sgd_update(param, laid_out(grad, grad_layout), 0.1)
    np.testing.assert_array_equal(param, expected)


@pytest.mark.parametrize("twin", TWINS)
def test_a_read_only_parameter_is_refused(twin):
    with computed_by(twin), pytest.raises(ValueError, match="read-only"):
        kernels.sgd_update(laid_out(np.ones(3), "read-only"), np.ones(3), 0.1)


@pytest.mark.parametrize("twin", TWINS)
def test_a_gradient_of_another_shape_is_refused(twin):
    with computed_by(twin), pytest.raises(ValueError, match="broadcast"):
        kernels.sgd_update(np.ones(3), np.ones(4), 0.1)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("place", ["param", "average", "square"])
def test_adam_writes_into_no_read_only_array(twin, place):
    arrays = {name: np.ones(8, np.float32) for name in ("param", "grad", "average", "square")}
    arrays[place].flags.writeable = False
    with computed_by(twin):
        assert not kernels.adam_update(*arrays.values(), (0.9, 0.99), 1e-8, 0.1, 1.0)
    assert all((array == 1).all() for array in arrays.values())
