"""Sums at which NumPy is slow: of a matrix along a side that is short, of channels of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import switch

__all__ = ["sum_channels", "sum_columns", "sum_rows"]

Array = np.ndarray[Any, Any]


def sum_rows(x: Array) -> Array:
    """(n, m) -> (m,): the sum of all rows, added one after the other in x's dtype.

    >>> import numpy as np
    >>> sum_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    loops = switch.core.loops or switch.core.consider(x.size)
    if loops is not None and x.dtype in switch.FLOATS and x.flags.c_contiguous:
        out = np.empty(x.shape[1], x.dtype)
        if len(out) > 1:
            loops.sum_rows(x, out)
            return out
    return sum_rows_numpy(x)


def sum_rows_numpy(x: Array) -> Array:
    """The NumPy twin of `sum_rows`."""
    with np.errstate(all="ignore"):
        total: Array = np.add.reduce(x, axis=0)
    return total


def sum_columns(x: Array) -> Array:
    """(n, m) -> (n,): the sum of all columns, computed in double precision and rounded once.

    >>> import numpy as np
    >>> sum_columns(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([3., 7.])
    """
    loops = switch.core.loops or switch.core.consider(x.size)
    if loops is not None and x.dtype in switch.FLOATS and x.flags.c_contiguous:
        out = np.empty(len(x), x.dtype)
        loops.sum_columns(x, out)
        return out
    return sum_columns_numpy(x)


def sum_columns_numpy(x: Array) -> Array:
    """The NumPy twin of `sum_columns`; whole numbers it adds as such."""
    wide = np.float64 if x.dtype in switch.FLOATS else x.dtype
    with np.errstate(all="ignore"):
        total: Array = np.add.reduce(x, axis=1, dtype=wide).astype(x.dtype)
    return total


def sum_channels(x: Array) -> Array:
    """(n, channels, height, width) -> (channels,), in double precision and rounded once.

    >>> import numpy as np
    >>> sum_channels(np.ones((2, 3, 2, 2)))
    array([8., 8., 8.])
    """
    loops = switch.core.loops or switch.core.consider(x.size)
    if loops is not None and x.dtype in switch.FLOATS and x.flags.c_contiguous:
        count, channels, height, width = x.shape
        out = np.empty(channels, x.dtype)
        loops.sum_channels(x.reshape(count, channels, height * width), out)
        return out
    return sum_channels_numpy(x)


def sum_channels_numpy(x: Array) -> Array:
    """The NumPy twin of `sum_channels`; whole numbers it adds as such."""
    wide = np.float64 if x.dtype in switch.FLOATS else x.dtype
    with np.errstate(all="ignore"):
        total: Array = np.add.reduce(x, axis=(0, 2, 3), dtype=wide).astype(x.dtype)
    return total


_add: Any = np.add.reduce
_NARROW = 64
_BLOCK = 256


def total(x: Array, dim: tuple[int, ...], keepdim: bool) -> Any:
    """Σ x. The loops add up narrow matrices and the channels of images, NumPy the rest.

    NumPy adds rows one after the other: many rows are added up in blocks, so that rounding grows
    with the logarithm of their number.
    """
    kind = np.int64 if x.dtype.kind == "b" else x.dtype
    if len(dim) == x.ndim:
        return _add(x, axis=None, keepdims=keepdim, dtype=kind)
    if x.dtype.kind == "f":
        if x.ndim == 4 and dim == (0, 2, 3):
            sums = sum_channels(x)
            return np.expand_dims(sums, dim) if keepdim else sums
        for d in dim:
            while x.shape[d] > 2 * _BLOCK and x.strides[d] != x.itemsize:
                x = np.add.reduceat(x, np.arange(0, x.shape[d], _BLOCK), axis=d)
        if x.ndim == 2 and len(dim) == 1 and x.shape[1] <= _NARROW:
            sums = sum_columns(x) if dim[0] else sum_rows(x)
            return np.expand_dims(sums, dim) if keepdim else sums
    return _add(x, axis=dim, keepdims=keepdim, dtype=kind)
