"""Matrix products for compiled programs: BLAS, or loops that keep a block of sums in registers.

Each takes its operands as they lie in memory: in rows, or turned, in columns.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import overload

from tinygrad_mnist.hardware import settings
from tinygrad_mnist.kernels import native_code, products
from tinygrad_mnist.kernels.team import bounds as _bounds
from tinygrad_mnist.kernels.team import cut as _cut
from tinygrad_mnist.kernels.team import share

Array = np.ndarray[Any, Any]

_part = numba.njit(error_model="numpy")
_types: Any = numba.types
_OF_PIECE, _ROWS_OF_PIECE = 1 << 21, 64
"""Multiplications and rows of a piece: BLAS lays an operand out anew for each, and may round
otherwise where others are cut, so that these are not measured."""
_ROWS, _AS_IT_IS, _TURNED = 101, 111, 112
"""What the interface of BLAS for C calls these."""
_Operand = tuple[Array, int, int]
Steps = tuple[int, int, int, int, int]


def _product(sizes: tuple[int, int, int], a: _Operand, b: _Operand, out: Array) -> None:
    """out = a @ b of sizes (m, k, n): whether each is turned, and numbers from row to row."""


@overload(_product)
def _(sizes: Any, a: Any, b: Any, out: Any) -> Any:
    gemm, number = _gemm_of(out.dtype), out.dtype

    def call(sizes: Any, a: Any, b: Any, out: Any) -> None:
        gemm(
            _ROWS, a[1], b[1], sizes[0], sizes[2], sizes[1], number(1), a[0].ctypes.data, a[2],
            b[0].ctypes.data, b[2], number(0), out.ctypes.data, sizes[2],
        )  # fmt: skip

    return call


def _named(name: str, signature: Any) -> Any:
    """A function of BLAS, whose address each process tells anew."""
    return _types.ExternalFunction(f"{native_code.PREFIX}{name}", signature)


def _gemm_of(kind: Any) -> Any:
    """The product of matrices of BLAS for numbers of a type."""
    letter = "s" if kind == _types.float32 else "d"
    return _named(f"{letter}gemm", _types.void(
        *[_types.int32] * 3, *[_types.int64] * 3, kind, *[_types.uintp, _types.int64] * 2, kind,
        _types.uintp, _types.int64,
    ))  # fmt: skip


_get_threads = _named("get", _types.int32())
_set_threads = _named("set", _types.void(_types.int32))


@_part
def _lying(x: Array) -> _Operand:
    """A matrix in rows or in columns, whether it is turned, and how many numbers a row has."""
    if x.strides[1] == x.itemsize:
        return x, _AS_IT_IS, max(x.strides[0] // x.itemsize, x.shape[1])
    return x, _TURNED, max(x.strides[1] // x.itemsize, x.shape[0])


@_part
def _by_numpys(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, large ones by pieces of rows, each by one thread.

    BLAS takes a turned operand apart anew for each piece, so that it is turned once before.
    """
    before = _get_threads()
    count = _cut(a.size * b.shape[1], _OF_PIECE, len(a) // _ROWS_OF_PIECE)
    if count > 1:
        share(_rows_by_numpys, count, count, a, np.ascontiguousarray(b), out)
    else:
        share(_rows_by_numpys, 1, 1, a, b, out)
    if before != 1:
        _set_threads(before)


@_part
def _rows_by_numpys(n: int, pieces: int, a: Array, b: Array, out: Array) -> None:
    first, last = _bounds(n, pieces, len(a))
    if _get_threads() != 1:
        _set_threads(1)
    sizes = last - first, a.shape[1], b.shape[1]
    _product(sizes, _lying(a[first:last]), _lying(b), out[first:last])


def _product_at(sizes: Any, a: int, b: int, out: Array, at: Any, steps: Any) -> None:
    """A product of `batch`, of what lies at two addresses, written `at` a third."""


@overload(_product_at)
def _(sizes: Any, a: Any, b: Any, out: Any, at: Any, steps: Any) -> Any:
    gemm, number = _gemm_of(out.dtype), out.dtype

    def call(sizes: Any, a: Any, b: Any, out: Any, at: Any, steps: Any) -> None:
        gemm(
            _ROWS, steps[0], steps[2], sizes[0], sizes[2], sizes[1], number(1), a, steps[1],
            b, steps[3], number(0), at, steps[4],
        )  # fmt: skip

    return call


@_part
def _row_step(at: Steps, rows: int, columns: int) -> tuple[int, int]:
    """Whether matrices are turned, and how many numbers BLAS is to count from row to row."""
    return (_AS_IT_IS, max(at[3], columns)) if at[4] == 1 else (_TURNED, max(at[4], rows))


@_part
def _batch_by_numpys(
    counts: tuple[int, int], sizes: tuple[int, int, int], a: Array, a_at: Steps, b: Array,
    b_at: Steps, out: Array, out_at: Steps,
) -> None:  # fmt: skip
    """Products of matrices that begin somewhere in arrays, their numbers so many steps apart.

    Steps are: where the first matrix begins, two from matrix to matrix, from row to row, and from
    column to column; one of the last two is 1, and that of `out` is the last.
    """
    before = _get_threads()
    if before != 1:
        _set_threads(1)
    m, k, n = sizes
    steps = (*_row_step(a_at, m, k), *_row_step(b_at, k, n), max(out_at[3], n))
    for i in range(counts[0]):
        for j in range(counts[1]):
            first = a.ctypes.data + a.itemsize * (a_at[0] + i * a_at[1] + j * a_at[2])
            second = b.ctypes.data + b.itemsize * (b_at[0] + i * b_at[1] + j * b_at[2])
            place = out.ctypes.data + out.itemsize * (out_at[0] + i * out_at[1] + j * out_at[2])
            _product_at(sizes, first, second, out, place, steps)
    if before != 1:
        _set_threads(before)


@_part
def _batch_by_loops(
    counts: tuple[int, int], sizes: tuple[int, int, int], a: Array, a_at: Steps, b: Array,
    b_at: Steps, out: Array, out_at: Steps,
) -> None:  # fmt: skip
    """The same where NumPy's BLAS is not to be had."""
    for i in range(counts[0]):
        for j in range(counts[1]):
            for row in range(sizes[0]):
                for column in range(sizes[2]):
                    total = out.dtype.type(0)
                    first = a_at[0] + i * a_at[1] + j * a_at[2] + row * a_at[3]
                    second = b_at[0] + i * b_at[1] + j * b_at[2] + column * b_at[4]
                    for k in range(sizes[1]):
                        total += a[first + k * a_at[4]] * b[second + k * b_at[3]]
                    place = out_at[0] + i * out_at[1] + j * out_at[2] + row * out_at[3]
                    out[place + column] = total


@_part
def _by_scipys(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, as Numba has it."""
    np.dot(a, b, out)


blas, batch = _by_numpys, _batch_by_numpys
"""out = a @ b by BLAS, each operand in rows or in columns; and so for each of a batch."""
if not native_code.name_blas():
    import scipy.linalg.cython_blas  # noqa: F401

    settings.limit_again()
    blas, batch = _by_scipys, _batch_by_loops


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
