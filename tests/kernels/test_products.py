"""matmul against float64 and PyTorch, where a loop computes it and where BLAS does."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, laid_out, noting
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch, products

LOOPS = ("few_columns", "few_columns_of_transposed", "times_transposed", "of_transposed")


def loops_used(a, b):
    """Compute a @ b, check it, and name the loops that did it."""
    with computed_by("numba"), pytest.MonkeyPatch.context() as patch:
        called = noting(patch, products, LOOPS)
        product = kernels.matmul(a, b)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    blas = np.abs(np.matmul(a, b) - exact).max(initial=0)
    largest = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    error = np.abs(product - exact)
    assert product.dtype == a.dtype
    assert product.flags.c_contiguous
    assert error.max(initial=0) <= max(2 * blas, np.finfo(a.dtype).eps * largest.max(initial=0))
    return called


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("batch", [16, 64, 65, 256, 1024])
@pytest.mark.parametrize("columns", [5, 10])
def test_a_batch_times_the_weights(batch, columns):
    assert loops_used(normal(batch, 784), normal(784, columns)) == ["few_columns"]


def test_a_read_only_batch():
    a, b = laid_out(normal(64, 784), "read-only"), laid_out(normal(784, 10), "read-only")
    assert loops_used(a, b) == ["few_columns"]


@pytest.mark.parametrize("batch", [16, 64, 256, 1024])
@pytest.mark.parametrize("columns", [5, 10])
def test_the_gradient_of_the_weights(batch, columns):
    names = loops_used(normal(batch, 784).T, normal(batch, columns))
    assert names == ["few_columns_of_transposed"]


@pytest.mark.parametrize("batch", [16, 63, 64, 256, 1000])
@pytest.mark.parametrize("columns", [5, 10])
def test_a_linear_layer_and_the_gradient_of_its_weights(batch, columns):
    x, g = normal(batch, 784), normal(batch, columns)
    assert loops_used(x, normal(columns, 784).T) == ["times_transposed"]
    assert loops_used(g.T, x) == ["of_transposed"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (normal(1, 784), normal(784, 10)),
        (normal(1, 9000), normal(9000, 10)),
        (normal(3, 3000), normal(3000, 10)),
        (normal(1000, 31).T, normal(1000, 10)),
        (normal(1000, 10).T, normal(1000, 31)),
        (normal(64, 784), normal(784, 11)),
        (normal(64, 784), normal(784, 4)),
        (normal(64, 784), normal(11, 784).T),
        (normal(64, 784).T, normal(64, 11)),
        (normal(64, 784, dtype=np.float64), normal(784, 10, dtype=np.float64)),
        (normal(64, 10), normal(784, 10).T),
        (normal(10, 64), normal(64, 784)),
        (normal(2000, 784), normal(784, 10)),
        (laid_out(normal(64, 784), "strided"), normal(784, 10)),
        (normal(0, 784), normal(784, 10)),
        (normal(64, 0), normal(0, 10)),
    ],
    ids=lambda array: "x".join(map(str, array.shape)),
)
def test_blas_does_the_others(a, b):
    assert loops_used(a, b) == []


@given(
    rows=st.integers(4, 70),
    inner=st.integers(2, 70),
    columns=st.sampled_from([5, 10]),
    way=st.sampled_from(LOOPS),
)
def test_loops_at_any_size(rows, inner, columns, way):
    if way.endswith("of_transposed"):
        rows += 28
    a, b = normal(rows, inner), normal(inner, columns)
    if way == "few_columns_of_transposed":
        a = laid_out(a, "transposed")
    elif way == "times_transposed":
        b = laid_out(b, "transposed")
    elif way == "of_transposed":
        a, b = laid_out(b.T.copy(), "transposed"), laid_out(a.T.copy(), "contiguous")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "LARGE", 0)
        assert loops_used(a, b) == [way]


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("transposed", [False, True])
def test_nan_and_infinity_stay_where_they_are(twin, transposed):
    a, b = normal(64, 784), normal(784, 10)
    a[3, 5] = np.nan
    a[4, 6] = np.inf
    a[5, 7], b[7, 1] = np.inf, 0
    if transposed:
        a = laid_out(a, "transposed")
    with computed_by(twin):
        product = kernels.matmul(a, b)
    theirs = torch.tensor(a) @ torch.tensor(b)
    np.testing.assert_allclose(product, theirs, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("twin", TWINS)
def test_shapes_that_do_not_agree_are_refused(twin):
    with computed_by(twin), pytest.raises(ValueError, match="mismatch"):
        kernels.matmul(normal(64, 784), normal(785, 10))


@pytest.mark.parametrize("twin", TWINS)
def test_other_dimensions_and_dtypes(twin):
    with computed_by(twin):
        stack = normal(3, 64, 784)
        assert kernels.matmul(stack, normal(784, 10)).shape == (3, 64, 10)
        whole = np.arange(64 * 784).reshape(64, 784)
        np.testing.assert_array_equal(
            kernels.matmul(whole, np.ones((784, 10), np.int64))[:, 0], whole.sum(axis=1)
        )
        mixed = kernels.matmul(normal(64, 784), normal(784, 10, dtype=np.float64))
        assert mixed.dtype == np.float64


def test_every_product_for_a_loop_is_large_enough_to_load_the_loops():
    assert products.MOST_ELEMENTS > dispatch.LARGE
