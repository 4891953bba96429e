"""Both twins give the same bits: the rectifier's are PyTorch's, signs of zeros too."""

import numpy as np
import pytest
import torch

from tests.kernels.twins import TWINS, computed_by, laid_out, noting
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import activations, dispatch

LAYOUTS = ("contiguous", "transposed", "strided", "read-only", "unaligned")


def numbers(dtype, seed):
    x = np.random.default_rng(seed).standard_normal((130, 65)).astype(dtype)
    x.flat[::7] = 0
    x.flat[1:40:4] = np.nan, np.inf, -np.inf, -0.0, np.nan, 1e-40, -1e-40, 1.0, 2.0, -np.nan
    assert x.size >= dispatch.LARGE
    return x


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_twins_are_pytorchs(dtype, layout):
    x, grad = laid_out(numbers(dtype, 0), layout), laid_out(numbers(dtype, 1), layout)
    given = torch.from_numpy(np.array(x)).requires_grad_()
    expected = torch.relu(given)
    expected.backward(torch.from_numpy(np.array(grad)))
    for twin in TWINS:
        with computed_by(twin):
            out = kernels.relu(x)
            grad_x = kernels.relu_backward(grad, out)
        np.testing.assert_array_equal(out, expected.detach().numpy())
        np.testing.assert_array_equal(grad_x, given.grad.numpy())
        np.testing.assert_array_equal(np.signbit(out) & (out == 0), np.signbit(x) & (x == 0))


def test_a_loop_computes_what_is_large(monkeypatch):
    x = numbers(np.float32, 0)
    with computed_by("numba"):
        called = noting(monkeypatch, activations, ("_relu_loop", "_relu_backward_loop"))
        kernels.relu_backward(x, kernels.relu(x))
        kernels.relu_backward(x[:3], kernels.relu(x[:3]))
    assert called == ["_relu_loop", "_relu_backward_loop"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_twins_of_the_error_function(dtype, layout):
    x = laid_out(numbers(dtype, 0), layout)
    found = []
    for twin in TWINS:
        with computed_by(twin):
            found.append(kernels.erf(x))
    np.testing.assert_array_equal(*found)
    expected = torch.erf(torch.from_numpy(np.array(x))).numpy()
    np.testing.assert_allclose(found[0], expected, rtol=4 * np.finfo(dtype).eps)
