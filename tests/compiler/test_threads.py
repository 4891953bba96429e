"""What a compiled program computes is the same bits with one thread and with two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mnist as torch
from tinygrad_mnist.kernels import dispatch, team
from tinygrad_mnist.nn import functional as F


@pytest.fixture(scope="module")
def products():
    dispatch.base.load()
    from tinygrad_mnist.compiler.loops import products

    before = torch.get_num_threads()
    yield products
    torch.set_num_threads(before)


sizes = st.integers(1, 400)


@settings(max_examples=20)
@given(m=sizes, k=sizes, n=sizes, turned=st.tuples(st.booleans(), st.booleans()))
def test_products_of_blas(products, m, k, n, turned):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    a, b = (np.asfortranarray(x) if t else x for x, t in zip((a, b), turned, strict=True))
    found = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found[threads] = np.zeros((m, n))
        products.blas(a, b, found[threads])
        assert torch.get_num_threads() == threads
    np.testing.assert_allclose(found[1], a @ b, atol=1e-9)
    np.testing.assert_array_equal(found[1], found[2])


def everything(x, y, row, bias):
    """Loops of every kind: flat, over rows with reductions, over one row, over columns."""
    wide = F.gelu(x + bias).exp() - y
    return (
        wide.softmax(-1) * y, F.layer_norm(x, x.shape[1:]), (row * 2).tanh(), x.cumsum(1),
        (x.T - y.T).amax(1), torch.where(x > y, x, y).T.exp() + row[0],
    )  # fmt: skip


@pytest.mark.usefixtures("shared")
def test_loops_that_are_shared():
    dispatch.base.load()
    before, worth = torch.get_num_threads(), team.worth()
    compiled = torch.compile(everything)
    try:
        for n in (65, 37, 129, 2):
            torch.manual_seed(n)
            x, y, row, bias = (torch.randn(n, 33), torch.randn(n, 33), torch.randn(500 + n),
                               torch.randn(33))  # fmt: skip
            found = {}
            for threads in (1, 2):
                torch.set_num_threads(threads)
                team.set_worth(64)
                found[threads] = compiled(x, y, row, bias)
            for one, two, wanted in zip(*found.values(), everything(x, y, row, bias), strict=True):
                np.testing.assert_array_equal(one, two)
                np.testing.assert_allclose(one, wanted, 1e-5, 1e-5)
    finally:
        torch.set_num_threads(before)
        team.set_worth(worth)
    assert compiled.source.count("# shared") > 3
    assert len(compiled.stats.recompilations) == 1
