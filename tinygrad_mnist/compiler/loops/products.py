"""Matrix products for compiled programs: BLAS, or loops that keep a block of sums in registers.

Each takes its operands as they lie in memory: in rows, or turned, in columns.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (what np.dot calls in compiled code)

from tinygrad_mnist.hardware import settings
from tinygrad_mnist.kernels import products

Array = np.ndarray[Any, Any]

settings.limit_again()

_part = numba.njit(error_model="numpy")


@_part
def blas(a: Array, b: Array, out: Array) -> None:
    """out = a @ b by BLAS; each operand lies in rows or in columns."""
    np.dot(a, b, out)


@_part
def few_columns(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, a and b in rows, b of few columns."""
    products.few_columns(a, b, out)


@_part
def few_columns_transposed(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, a in columns, b of few columns."""
    products.few_columns_of_transposed(np.ascontiguousarray(a.T), b, out)


@_part
def dots(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, b in columns: rows of `a` times columns of `b`, each in one piece."""
    products.times_transposed(a, np.ascontiguousarray(b.T), out)


@_part
def outer(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, b in rows: numbers of `a` times rows of `b`."""
    products.of_transposed(np.ascontiguousarray(a.T), b, out)


@_part
def add_few_columns_transposed(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out += scale · a @ b, a in columns, b of few columns."""
    products.add_few_columns_of_transposed(np.ascontiguousarray(a.T), b, out, scale)


@_part
def add_outer(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out += scale · a @ b, b in rows, a whole number of registers long."""
    products.add_of_transposed(np.ascontiguousarray(a.T), b, out, scale)


@_part
def add_blas(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out += scale · a @ b by BLAS and a loop: what the others are measured against."""
    product = np.empty(out.shape, out.dtype)
    np.dot(a, b, product)
    numbers, sums = product.reshape(-1), out.reshape(-1)
    for i in range(sums.size):
        sums[i] += scale * numbers[i]
