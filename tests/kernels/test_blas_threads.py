"""Small products of matrices are computed by one thread, whatever BLAS may use."""

import numpy as np
import pytest

from tinygrad_mnist.kernels import blas_threads
from tinygrad_mnist.kernels.blas_threads import LEAST, LEAST_OF_VECTOR, SHARED, Threads

BELOW = [(1, 1, 1), (64, 1, 64), (2, LEAST // 4 - 1, 2), (1, 8, LEAST_OF_VECTOR // 8 - 1)]
SMALL = [(64, 784, 128), (64, 64, 64), (784, 64, 10), (1, 784, 128), (256, 64, 1), (255, 256, 256)]
LARGE = [(256, 784, 128), (256, 256, 256), (1, 4096, 4096)]


class Recorder:
    """Stands for a BLAS of four threads, and says what it was told."""

    def __init__(self):
        self.count, self.told = 4, []

    def get(self):
        return self.count

    def set(self, count):
        self.count = count
        self.told.append(count)


@pytest.fixture
def blas(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(blas_threads, "NUMPYS", Threads(recorder.get, recorder.set))
    return recorder


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize(
    ("sizes", "told"),
    [*((s, []) for s in BELOW), *((s, [1, 4]) for s in SMALL), *((s, []) for s in LARGE)],
)
def test_who_shares(blas, batch, sizes, told):
    m, k, n = sizes
    assert (m * k * n >= SHARED) == (sizes in LARGE)
    a = np.ones((*batch, m, k), np.float32)
    b = np.ones((*batch, k, n), np.float32)
    assert (blas_threads.matmul(a, b) == k).all()
    assert blas.told == told


def test_the_threads_are_given_back_after_an_error(blas):
    with pytest.raises(ValueError, match="matmul"):
        blas_threads.matmul(np.ones((64, 64)), np.ones((65, 64)))
    assert blas.told == [1, 4]


def test_one_thread_is_left_alone(blas):
    blas.count = 1
    blas_threads.matmul(np.ones((64, 64)), np.ones((64, 64)))
    assert blas.told == []


def test_the_blas_of_numpy_is_told():
    known = blas_threads.NUMPYS
    if known is None:
        pytest.skip("NumPy's BLAS is no OpenBLAS")
    before = known.get()
    try:
        known.set(1)
        assert known.get() == known.one() == 1
    finally:
        known.set(before)


def test_compiled_products_give_the_threads_back():
    from tinygrad_mnist.compiler.loops import products

    known, out = blas_threads.NUMPYS, np.empty((64, 10))
    if known is None:
        pytest.skip("NumPy's BLAS is no OpenBLAS")
    before = known.get()
    a, b = np.arange(64 * 784.0).reshape(64, 784), np.arange(7840.0).reshape(784, 10)
    products.blas(a, b, out)
    np.testing.assert_allclose(out, a @ b)
    assert known.get() == before
