"""Along the last dimension, row by row: running sums, numbers by index, the largest few."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dispatch

Array = np.ndarray[Any, Any]


def running_sum(x: Array, reverse: bool) -> Array | None:
    """Σ of the numbers of each row up to each place (or from it on); None where NumPy must do it.

    They are added in double precision, as PyTorch adds them.
    """
    if not (x.flags.c_contiguous and x.shape[-1] and dispatch.small.ready(x.size, x.dtype)):
        return None
    out = np.empty(x.shape, x.dtype)
    rows = -1, x.shape[-1]
    _running_sum_loop(x.reshape(rows), out.reshape(rows), reverse)
    return out


@dispatch.small.loop("void(const T[:, ::1], T[:, ::1], boolean)")
def _running_sum_loop(x: Array, out: Array, reverse: bool) -> None:
    size = x.shape[1]
    for i in range(x.shape[0]):
        total = 0.0
        for step in range(size):
            j = size - 1 - step if reverse else step
            total += x[i, j]
            out[i, j] = total


def _along_rows(x: Array, index: Array) -> bool:
    """Whether a loop takes x and an index of int64 for each of its rows."""
    return (
        dispatch.small.ready(x.size, x.dtype)
        and index.dtype == np.int64
        and index.size > 0
        and x.shape[:-1] == index.shape[:-1]
        and x.flags.c_contiguous
        and index.flags.c_contiguous
    )


def gather(x: Array, index: Array) -> Array | None:
    """x at `index`, which is within bounds, of each row; None where NumPy must do it."""
    if not _along_rows(x, index):
        return None
    out = np.empty(index.shape, x.dtype)
    rows = -1, index.shape[-1]
    _gather_loop(x.reshape(-1, x.shape[-1]), index.reshape(rows), out.reshape(rows))
    return out


@dispatch.small.loop("void(const T[:, ::1], const int64[:, ::1], T[:, ::1])")
def _gather_loop(x: Array, index: Array, out: Array) -> None:
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            out[i, j] = x[i, index[i, j]]


def scatter_add(out: Array, index: Array, values: Array) -> bool:
    """Add values at `index`, which is within bounds, of each row of `out`; whether it was done."""
    if not (
        _along_rows(out, index)
        and out.flags.writeable
        and values.dtype is out.dtype
        and values.shape == index.shape
        and values.flags.c_contiguous
    ):
        return False
    rows = -1, index.shape[-1]
    _scatter_add_loop(out.reshape(-1, out.shape[-1]), index.reshape(rows), values.reshape(rows))
    return True


@dispatch.small.loop("void(T[:, ::1], const int64[:, ::1], const T[:, ::1])")
def _scatter_add_loop(out: Array, index: Array, values: Array) -> None:
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            out[i, index[i, j]] += values[i, j]


def add_slices(out: Array, index: Array, values: Array) -> bool:
    """out[:, index[i]] += values[:, i] for each i, of three dimensions; whether it was done."""
    if not (
        dispatch.small.ready(values.size, out.dtype)
        and values.dtype is out.dtype
        and index.dtype == np.int64
        and index.flags.c_contiguous
        and values.flags.c_contiguous
        and out.flags.c_contiguous
        and out.flags.writeable
    ):
        return False
    _add_slices_loop(out, index, values)
    return True


@dispatch.small.loop(
    "void(T[:, :, ::1], const int64[::1], Array(T, 3, 'C', readonly=True, aligned=False))"
)
def _add_slices_loop(out: Array, index: Array, values: Array) -> None:
    """A negative index counts from the end; all are within bounds."""
    for n in range(out.shape[0]):
        for i in range(index.size):
            at = index[i] if index[i] >= 0 else index[i] + out.shape[1]
            for j in range(out.shape[2]):
                out[n, at, j] += values[n, i, j]


_FEW = 16


def first_few(x: Array, count: int, descending: bool) -> Array | None:
    """The places of the `count` largest (or smallest) of each row, in order, if they are few.

    Equal numbers keep their order, NaN is the largest. None where NumPy must sort.
    """
    few = 0 < count <= min(_FEW, x.shape[-1])
    if not (few and x.flags.c_contiguous and dispatch.small.ready(x.size, x.dtype)):
        return None
    out = np.empty((*x.shape[:-1], count), np.int64)
    _first_few_loop(x.reshape(-1, x.shape[-1]), out.reshape(-1, count), descending)
    return out


@dispatch.small.loop("void(const T[:, ::1], int64[:, ::1], boolean)")
def _first_few_loop(x: Array, out: Array, descending: bool) -> None:
    count = out.shape[1]
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = x[i, j]
            at = min(j, count)
            while at > 0:
                other = x[i, out[i, at - 1]]
                if descending:
                    before = value > other or (value != value and other == other)
                else:
                    before = value < other or (value == value and other != other)
                if not before:
                    break
                if at < count:
                    out[i, at] = out[i, at - 1]
                at -= 1
            if at < count:
                out[i, at] = j
