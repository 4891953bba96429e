"""What a compiled program computes is the same bits with one thread and with two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mnist
from tinygrad_mnist.kernels import dispatch


@pytest.fixture(scope="module")
def products():
    dispatch.base.load()
    from tinygrad_mnist.compiler.loops import products

    before = tinygrad_mnist.get_num_threads()
    yield products
    tinygrad_mnist.set_num_threads(before)


sizes = st.integers(1, 400)


@settings(max_examples=20)
@given(m=sizes, k=sizes, n=sizes, turned=st.tuples(st.booleans(), st.booleans()))
def test_products_of_blas(products, m, k, n, turned):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    a, b = (np.asfortranarray(x) if t else x for x, t in zip((a, b), turned, strict=True))
    found = {}
    for threads in (1, 2):
        tinygrad_mnist.set_num_threads(threads)
        found[threads] = np.zeros((m, n))
        products.blas(a, b, found[threads])
        assert tinygrad_mnist.get_num_threads() == threads
    np.testing.assert_allclose(found[1], a @ b, atol=1e-9)
    np.testing.assert_array_equal(found[1], found[2])
