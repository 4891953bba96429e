"""Sums along one side of a matrix against PyTorch, and twin against twin."""

import numpy as np
import pytest
import torch
from hypothesis import given

from tests.kernels.twins import TWINS, computed_by, matrices
from tinygrad_mnist import kernels

SUMS = {kernels.sum_rows: 0, kernels.sum_columns: 1}


def named(function):
    return function.__name__


@pytest.mark.parametrize("kernel", SUMS, ids=named)
@pytest.mark.parametrize("twin", TWINS)
@given(x=matrices())
def test_sums_are_pytorchs(twin, kernel, x):
    with computed_by(twin):
        ours = kernel(x)
    theirs = torch.tensor(x).sum(dim=SUMS[kernel]).numpy()
    terms = np.abs(np.nan_to_num(x, posinf=0, neginf=0)).sum(axis=SUMS[kernel]).max(initial=0)
    rounding = np.finfo(x.dtype).eps * max(x.shape) * terms  # of sums in any order
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rounding)
    assert ours.dtype == x.dtype


@given(x=matrices())
def test_both_twins_give_the_same(x):
    sums = {}
    for twin in TWINS:
        with computed_by(twin):
            sums[twin] = [kernels.sum_rows(x), kernels.sum_columns(x)]
    if x.flags.c_contiguous:
        np.testing.assert_array_equal(sums["numba"][0], sums["numpy"][0])
    terms = np.abs(np.nan_to_num(x, posinf=0, neginf=0)).sum()
    noise = 2.0**-52 * terms  # what sums in double precision leave where all but that cancels
    np.testing.assert_allclose(sums["numba"][1], sums["numpy"][1], rtol=0, atol=noise)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("kernel", SUMS, ids=named)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (64, 10), (10000, 1), (1, 10000)])
def test_sizes(twin, kernel, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    with computed_by(twin):
        ours = kernel(x)
    np.testing.assert_allclose(ours, x.sum(axis=SUMS[kernel]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("twin", TWINS)
def test_integers_go_the_numpy_way(twin):
    x = np.arange(6).reshape(2, 3)
    with computed_by(twin):
        np.testing.assert_array_equal(kernels.sum_rows(x), [3, 5, 7])
        np.testing.assert_array_equal(kernels.sum_columns(x), [3, 12])


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(7, 3, 5, 4), (0, 3, 2, 2), (2, 0, 2, 2), (300, 2, 14, 14)])
def test_sums_of_channels(twin, dtype, shape):
    x = (100 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    tolerance = 2e-7 if dtype == np.float32 else 1e-12
    for images in (x, np.ascontiguousarray(x.transpose(2, 1, 0, 3)).transpose(2, 1, 0, 3)):
        with computed_by(twin):
            total = kernels.sum_channels(images)
        exact = x.sum((0, 2, 3), dtype=np.longdouble).astype(dtype)
        np.testing.assert_allclose(total, exact, rtol=tolerance)
        assert total.dtype == dtype
