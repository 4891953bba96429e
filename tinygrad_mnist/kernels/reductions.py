"""Sums at which NumPy is slow: of a matrix along a side that is short, of channels of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dispatch
from .softmax import sum_of

Array = np.ndarray[Any, Any]


def sum_rows(x: Array) -> Array:
    """(n, m) -> (m,): the sum of all rows, added one after the other in x's dtype.

    >>> import numpy as np
    >>> sum_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    if dispatch.base.ready(x.size, x.dtype) and x.flags.c_contiguous and x.shape[1] > 1:
        out = np.empty(x.shape[1], x.dtype)
        _sum_rows_loop(x, out)
        return out
    total: Array = np.add.reduce(x, axis=0)
    return total


@dispatch.base.loop("void(const T[:, ::1], T[::1])")
def _sum_rows_loop(x: Array, out: Array) -> None:
    out[:] = 0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += x[i, j]


def sum_columns(x: Array) -> Array:
    """(n, m) -> (n,): the sum of all columns, computed in double precision and rounded once.

    >>> import numpy as np
    >>> sum_columns(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([3., 7.])
    """
    if dispatch.base.ready(x.size, x.dtype) and x.flags.c_contiguous:
        out = np.empty(x.shape[0], x.dtype)
        _sum_columns_loop(x, out)
        return out
    return _summed(x, 1)


@dispatch.base.loop("void(const T[:, ::1], T[::1])")
def _sum_columns_loop(x: Array, out: Array) -> None:
    for i in range(x.shape[0]):
        out[i] = sum_of(x[i])


def sum_channels(x: Array) -> Array:
    """(n, channels, height, width) -> (channels,), in double precision and rounded once.

    >>> import numpy as np
    >>> sum_channels(np.ones((2, 3, 2, 2)))
    array([8., 8., 8.])
    """
    if dispatch.base.ready(x.size, x.dtype) and x.flags.c_contiguous:
        count, channels, height, width = x.shape
        out = np.empty(channels, x.dtype)
        _sum_channels_loop(x.reshape(count, channels, height * width), out)
        return out
    return _summed(x, (0, 2, 3))


@dispatch.base.loop(
    "void(Array(T, 3, 'C', readonly=True, aligned=False), T[::1])", fastmath={"reassoc"}
)
def _sum_channels_loop(x: Array, out: Array) -> None:
    for i in range(x.shape[1]):
        total = 0.0
        for n in range(x.shape[0]):
            row = x[n, i]
            for j in range(row.size):
                total += row[j]
        out[i] = total


def _summed(x: Array, axis: int | tuple[int, ...] | None) -> Array:
    """The sum in double precision; whole numbers are added as such."""
    wide = np.float64 if x.dtype in dispatch.FLOATS else x.dtype
    total: Array = np.add.reduce(x, axis=axis, dtype=wide).astype(x.dtype)
    return total


def _cascade(rows: Array) -> Array:
    """The sum of many rows: of blocks, of blocks of blocks, as PyTorch adds them."""
    step = 1 << max(4, (len(rows) - 1).bit_length() // 4)
    out = 0
    for _ in range(3):
        whole = len(rows) // step * step
        out = out + _add(rows[whole:], axis=0)
        rows = _add(rows[:whole].reshape(-1, step, *rows.shape[1:]), axis=1)
    total: Array = out + _add(rows, axis=0)
    return total


_add: Any = np.add.reduce
_NARROW = 64
_BLOCK = 256


def sum_all(x: Array) -> Any:
    """() : the sum of all numbers, computed in double precision and rounded once.

    >>> import numpy as np
    >>> float(sum_all(np.array([[1.0, 2.0], [3.0, 4.0]])))
    10.0
    """
    if dispatch.base.ready(x.size, x.dtype) and x.flags.c_contiguous:
        out = np.empty((), x.dtype)
        _sum_all_loop(x.reshape(x.size), out)
        return out
    return _summed(x, None)


@dispatch.base.loop("void(Array(T, 1, 'C', readonly=True, aligned=False), Array(T, 0, 'C'))")
def _sum_all_loop(x: Array, out: Array) -> None:
    out[()] = sum_of(x)


def total(x: Array, dim: tuple[int, ...], keepdim: bool) -> Any:
    """Σ x. The loops add up narrow matrices and the channels of images, NumPy the rest.

    NumPy adds rows one after the other: many rows are added up in blocks, so that rounding grows
    with the logarithm of their number. `reduceat` does so fast where rows are short.
    """
    kind = np.int64 if x.dtype.kind == "b" else x.dtype
    if len(dim) == x.ndim:
        if x.size >= _NARROW and x.dtype in dispatch.FLOATS:
            return sum_all(x).reshape((1,) * x.ndim) if keepdim else sum_all(x)
        return _add(x, axis=None, keepdims=keepdim, dtype=kind)
    if x.dtype.kind == "f":
        if x.ndim == 4 and dim == (0, 2, 3):
            sums = sum_channels(x)
            return sums.reshape(1, -1, 1, 1) if keepdim else sums
        for d in dim:
            if x.shape[d] > 2 * _BLOCK and x.strides[d] >= _NARROW * x.itemsize:
                x = np.expand_dims(_cascade(np.moveaxis(x, d, 0)), d)
            while x.shape[d] > 2 * _BLOCK and x.strides[d] != x.itemsize:
                x = np.add.reduceat(x, np.arange(0, x.shape[d], _BLOCK), axis=d)
        wide = x.size >= dispatch.LARGE and dim == (1,) and x.flags.c_contiguous
        if x.ndim == 2 and len(dim) == 1 and (x.shape[1] <= _NARROW or wide):
            sums = sum_columns(x) if dim[0] else sum_rows(x)
            return sums.reshape((-1, 1) if dim[0] else (1, -1)) if keepdim else sums
    return _add(x, axis=dim, keepdims=keepdim, dtype=kind)
