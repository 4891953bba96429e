"""log_softmax and its derivative against PyTorch, and twin against twin."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, dtypes, laid_out, matrices, ulps
from tinygrad_mnist import kernels


@pytest.mark.parametrize("twin", TWINS)
@given(x=matrices())
def test_log_softmax_is_pytorchs(twin, x):
    before = x.copy()
    with computed_by(twin):
        ours = kernels.log_softmax(x)
    theirs = torch.log_softmax(torch.tensor(x), dim=1).numpy()
    # PyTorch rounds x - max and its difference with the logarithm; both are as large as x may be.
    scale = np.abs(np.nan_to_num(x, posinf=0, neginf=0)).max(initial=1)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * scale * np.finfo(x.dtype).eps)
    assert ours.dtype == x.dtype
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("twin", TWINS)
@given(out=matrices(), seed=st.integers(0, 2**32 - 1))
def test_log_softmax_backward_is_pytorchs(twin, out, seed):
    x = torch.tensor(out, requires_grad=True)
    result = torch.log_softmax(x, dim=1)
    grad = np.random.default_rng(seed).standard_normal(out.shape).astype(out.dtype)
    result.backward(torch.tensor(grad))
    with computed_by(twin):
        ours = kernels.log_softmax_backward(grad, result.detach().numpy())
    # Both terms of the difference are at most the sum of the gradients' magnitudes.
    scale = np.abs(grad).sum(axis=1).max(initial=1)
    np.testing.assert_allclose(ours, x.grad, rtol=0, atol=4 * scale * np.finfo(out.dtype).eps)
    assert ours.dtype == out.dtype


@pytest.mark.parametrize("twin", TWINS)
@given(x=matrices())
def test_softmax_is_pytorchs(twin, x):
    with computed_by(twin):
        ours = kernels.softmax_rows(x)
    theirs = torch.softmax(torch.tensor(x), dim=1).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * np.finfo(x.dtype).eps)


@given(x=matrices())
def test_both_twins_give_the_same(x):
    with computed_by("numpy"):
        out = kernels.log_softmax(x)
        grad = kernels.log_softmax_backward(x, out)
    with computed_by("numba"):
        out_numba = kernels.log_softmax(x)
        grad_numba = kernels.log_softmax_backward(x, out)
    rtol = 0 if x.dtype == np.float32 else 1e-15
    np.testing.assert_allclose(out, out_numba, rtol=rtol, atol=1e-15)
    # What double precision leaves where gradients cancel: g - 1 · g.
    scale = np.abs(np.nan_to_num(x, posinf=0, neginf=0)).sum(axis=1).max(initial=1)
    np.testing.assert_allclose(grad, grad_numba, rtol=rtol, atol=1e-15 * scale)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_rows(twin, dtype):
    inf, nan = np.inf, np.nan
    rows = [
        [1e4, -1e4, 0],
        [-1e4, -1e4, -1e4],
        [-inf, 0, 1],
        [-inf, -inf, -inf],
        [inf, 0, 1],
        [nan, 0, 1],
        [0, 1, nan],
        [-inf, nan, -inf],
        [-750, 0, -720],
        [0, -100, -104],
    ]
    x = np.array(rows, dtype)
    with computed_by(twin):
        out = kernels.log_softmax(x)
        back = kernels.log_softmax_backward(np.ones_like(x), out)
    theirs = torch.log_softmax(torch.tensor(x), dim=1)
    assert ulps(out, theirs.numpy()) <= 1
    expected = torch.ops.aten._log_softmax_backward_data(
        torch.ones(x.shape, dtype=theirs.dtype), theirs, 1, theirs.dtype
    )
    np.testing.assert_allclose(back, expected, rtol=0, atol=3 * np.finfo(dtype).eps)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1), (1, 5000), (900, 10)])
def test_sizes_without_blocks_and_with_several(twin, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with computed_by(twin):
        out = kernels.log_softmax(x)
        back = kernels.log_softmax_backward(x, out)
    reference = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    result = torch.log_softmax(reference, dim=1)
    result.backward(torch.tensor(x, dtype=torch.float64))
    np.testing.assert_allclose(out, result.detach().numpy(), rtol=2e-7)
    np.testing.assert_allclose(back, reference.grad, rtol=1e-5, atol=2e-6)


@given(dtype=dtypes, values=st.lists(st.floats(-760, 0), min_size=1, max_size=40))
def test_the_loops_exponential_is_within_an_ulp(dtype, values):
    with computed_by("numba"):
        from tinygrad_mnist.kernels.softmax import exp

        ours = np.array([exp(float(dtype(value))) for value in values])
    with np.errstate(all="ignore"):
        theirs = np.exp(np.array(values, dtype).astype(np.longdouble))
        error = np.abs(ours - theirs) / np.spacing(theirs.astype(np.float64))
    assert error.max() <= 1


@pytest.mark.parametrize("twin", TWINS)
def test_other_dimensions_and_layouts_go_the_numpy_way(twin):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    with computed_by(twin):
        assert ulps(kernels.log_softmax(x), torch.log_softmax(torch.tensor(x), -1).numpy()) <= 4
        turned = laid_out(x[0], "transposed")
        np.testing.assert_allclose(kernels.log_softmax(turned), kernels.log_softmax(x[0]))
