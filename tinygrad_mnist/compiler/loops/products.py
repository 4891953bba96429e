"""Matrix products for compiled programs: BLAS, or loops that keep a block of sums in registers.

Each takes its operands as they lie in memory: in rows, or turned, in columns.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numba
import numpy as np
import scipy.linalg.cython_blas
from llvmlite import binding
from numba.extending import overload

from tinygrad_mnist.hardware import settings
from tinygrad_mnist.kernels import blas_threads, products

Array = np.ndarray[Any, Any]

settings.limit_again()

_part = numba.njit(error_model="numpy")

_OTHER_BLAS = blas_threads.Threads(
    ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1), ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: None)
)
"""Of a BLAS that cannot be told: as if it used one thread."""
_threads = blas_threads.threads_of(scipy.linalg.cython_blas.__file__) or _OTHER_BLAS
"""Of the BLAS that np.dot calls in compiled code."""


def _callable(name: str, function: Any, signature: Any) -> Any:
    """A function in memory that compiled code too can call: by a name, for it may be kept on disk.

    Where its address lies is told by `add_symbol`, in each process anew.
    """
    binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    symbol = numba.types.ExternalFunction(name, signature)

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    overload(call)(lambda *arguments: lambda *arguments: symbol(*arguments))
    return call


_get_threads = _callable("tinygrad_mnist_get_threads", _threads.get, numba.int32())
_set_threads = _callable("tinygrad_mnist_set_threads", _threads.set, numba.void(numba.int32))
_is_small = _part(blas_threads.is_small)


@_part
def blas(a: Array, b: Array, out: Array) -> None:
    """out = a @ b by BLAS, small ones by one thread; each operand lies in rows or in columns."""
    before = _get_threads() if _is_small(a.shape[0], a.shape[1], b.shape[1]) else 1
    if before != 1:
        _set_threads(1)
    np.dot(a, b, out)
    if before != 1:
        _set_threads(before)


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
    blas(a, b, product)
    numbers, sums = product.reshape(-1), out.reshape(-1)
    for i in range(sums.size):
        sums[i] += scale * numbers[i]
