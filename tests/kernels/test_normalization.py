"""Numbers brought to mean 0 and variance 1: both twins against PyTorch in double precision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by
from tinygrad_mnist import kernels

SHAPES = [((4, 3), (1,)), ((4, 3), (0,)), ((1, 3, 3), (0, 2)), ((2, 3, 4), (1, 2)), ((3,), (0,)),
          ((2, 3, 2, 5), (0, 2, 3)), ((2, 3, 4), (0, 1, 2)), ((1, 3, 3), (2,))]  # fmt: skip


@given(
    case=st.sampled_from(SHAPES), kind=st.sampled_from([np.float32, np.float64]),
    with_weight=st.booleans(), with_bias=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_both_twins_compute_pytorchs_normalisation_and_its_gradient(
    case, kind, with_weight, with_bias, seed
):
    (shape, dim), rng = case, np.random.default_rng(seed)
    by_channel = dim[0] == 0 and len(dim) == len(shape) - 1
    sizes = shape[1:2] if by_channel else shape[dim[0] :]
    x, grad = rng.standard_normal((2, *shape)).astype(kind)
    weight, bias = rng.standard_normal((2, *sizes)).astype(kind)
    weight, bias = weight if with_weight else None, bias if with_bias else None
    given_x, w, b = (
        None if each is None else torch.from_numpy(each.astype(np.float64))
        for each in (x, weight, bias)
    )
    given_x.requires_grad_()
    if by_channel:
        out = torch.nn.functional.batch_norm(given_x, None, None, w, b, True)
        plain = torch.nn.functional.batch_norm(given_x, None, None, None, None, True)
    else:
        out = torch.nn.functional.layer_norm(given_x, sizes, w, b)
        plain = torch.nn.functional.layer_norm(given_x, sizes)
    plain.backward(torch.from_numpy(grad.astype(np.float64)))
    for twin in TWINS:
        with computed_by(twin):
            found = kernels.standardised(x, dim, 1e-5, weight, bias)
            back = kernels.standardised_backward(grad, x, dim, 1e-5)
        assert found.dtype == back.dtype == kind
        tolerance = {"rtol": 16 * np.finfo(kind).eps, "atol": 64 * np.finfo(kind).eps}
        np.testing.assert_allclose(found, out.detach().numpy(), **tolerance)
        np.testing.assert_allclose(back, given_x.grad.numpy(), rtol=1e-5, atol=tolerance["atol"])


@pytest.mark.parametrize("twin", TWINS)
def test_nothing_to_normalise_gives_nothing(twin):
    with computed_by(twin):
        assert kernels.standardised(np.empty((0, 3)), (1,), 1e-5).shape == (0, 3)
        assert kernels.standardised_backward(*np.empty((2, 3, 0)), (1,), 1e-5).shape == (3, 0)
