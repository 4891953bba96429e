"""How many threads of BLAS compute a product: one, where a second would gain little.

The first thread waits until the second has done its part. Where the machine is busy that is when
the system lets the second one run, a hundred times as long as a product of batch 64 takes alone.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.linalg import _umath_linalg

Array = np.ndarray[Any, Any]

SHARED: Final = 1 << 24
"""From so many multiplications on the threads share a product."""
LEAST: Final = 1 << 18
"""OpenBLAS shares no product of two matrices with fewer."""
LEAST_OF_VECTOR: Final = 1 << 13
"""And none of a matrix and a vector with fewer."""


class Threads(NamedTuple):
    """Functions of a BLAS: those that say how many threads it uses, and products of matrices."""

    get: Any
    set: Any
    sgemm: Any = None
    dgemm: Any = None
    """With whole numbers of 64 bits; None where they are not known."""

    def one(self) -> int:
        """Let it use one; returns how many it used."""
        before: int = self.get()
        if before != 1:
            self.set(1)
        return before


def threads_of(extension: str) -> Threads | None:
    """Those of the OpenBLAS that an extension module (its file) calls; None of another BLAS."""
    library = ctypes.CDLL(extension)
    for prefix, suffix in itertools.product(("scipy_", ""), ("64_", "")):
        names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
        if all(hasattr(library, name) for name in names):
            get, put = (getattr(library, name) for name in names)
            get.argtypes, get.restype = [], ctypes.c_int
            put.argtypes, put.restype = [ctypes.c_int], None
            products = [f"{prefix}cblas_{kind}gemm{suffix}" for kind in "sd" if suffix]
            return Threads(get, put, *[getattr(library, name, None) for name in products])
    return None


NUMPYS: Final = threads_of(_umath_linalg.__file__)


def is_small(rows: int, inner: int, columns: int) -> bool:
    """Whether OpenBLAS would share this product among its threads, and should not."""
    least = LEAST if rows > 1 and columns > 1 else LEAST_OF_VECTOR
    return least <= rows * inner * columns < SHARED


def matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """`np.matmul` of matrices or batches of them; small products are computed by one thread."""
    product: Array
    if NUMPYS is None or not is_small(a.shape[-2], a.shape[-1], b.shape[-1]):
        product = np.matmul(a, b, out)
        return product
    before = NUMPYS.one()
    try:
        product = np.matmul(a, b, out)
    finally:
        if before != 1:
            NUMPYS.set(before)
    return product
