"""The walks of recurrent layers for compiled programs: those of the kernels, their steps as loops.

What squashes numbers computes row by row, in double precision.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np

from tinygrad_mnist.kernels import recurrent
from tinygrad_mnist.kernels.softmax import exp

from .products import blas as product  # noqa: F401  (a name in the walks)

Array = np.ndarray[Any, Any]
_part = numba.njit(error_model="numpy", fastmath={"contract"})


@_part
def _squash(row: Array, begin: int, end: int) -> None:
    """σ of a row, and tanh x = 2 σ(2x) − 1 from `begin` to `end`."""
    for j in range(begin, end):
        row[j] *= 2
    for j in range(row.size):
        row[j] = 1.0 / (1.0 + exp(-row[j]))
    for j in range(begin, end):
        row[j] = 2 * row[j] - 1


@_part
def put(target: Array, source: Array) -> None:
    """target = source"""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@_part
def add_to(target: Array, source: Array) -> None:
    """target += source"""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] += source[i, j]


@_part
def rnn_step(gates: Array, pre: Array, bias: Array, tanh: bool, h: Array) -> None:
    """h = tanh(gates + pre + bias), or relu."""
    n, one = gates.shape[1], len(bias) == 1
    row = np.empty(n)
    for i in range(gates.shape[0]):
        for j in range(n):
            row[j] = gates[i, j] + pre[i, j] + bias[0 if one else j]
        if tanh:
            _squash(row, 0, n)
        else:
            for j in range(n):
                row[j] = 0 if row[j] < 0 else row[j]
        for j in range(n):
            gates[i, j] = h[i, j] = row[j]


@_part
def lstm_step(
    gates: Array, pre: Array, bias: Array, c: Array, before: Array, squashed: Array, h: Array
) -> None:
    """The next cell and state, and the gates."""
    w, one = c.shape[1], len(bias) == 1
    row, cell = np.empty(4 * w), np.empty(w)
    for i in range(gates.shape[0]):
        for j in range(4 * w):
            row[j] = gates[i, j] + pre[i, j] + bias[0 if one else j]
        _squash(row, 2 * w, 3 * w)
        for j in range(4 * w):
            gates[i, j] = row[j]
        for j in range(w):
            before[i, j] = c[i, j]
            cell[j] = row[w + j] * c[i, j] + row[j] * row[2 * w + j]
            c[i, j] = cell[j]
        _squash(cell, 0, w)
        for j in range(w):
            squashed[i, j] = cell[j]
            h[i, j] = row[3 * w + j] * cell[j]


@_part
def gru_step(
    gates: Array, pre: Array, bias: Array, before: Array, candidate: Array, h: Array
) -> None:
    """The next state, and the gates."""
    w, one = before.shape[1], len(bias) == 1
    both, n = np.empty(2 * w), np.empty(w)
    for i in range(gates.shape[0]):
        for j in range(2 * w):
            both[j] = gates[i, j] + pre[i, j] + bias[0 if one else j]
        _squash(both, 0, 0)
        for j in range(w):
            candidate[i, j] = gates[i, 2 * w + j] + bias[0 if one else 2 * w + j]
            n[j] = pre[i, 2 * w + j] + both[j] * candidate[i, j]
        _squash(n, 0, w)
        for j in range(2 * w):
            gates[i, j] = both[j]
        for j in range(w):
            gates[i, 2 * w + j] = n[j]
            h[i, j] = n[j] + both[w + j] * (before[i, j] - n[j])


@_part
def rnn_step_back(g: Array, gates: Array, tanh: bool, out: Array) -> None:
    """The gradients of the gates."""
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            y = gates[i, j]
            if tanh:
                out[i, j] = g[i, j] * (1 - y * y)
            else:
                out[i, j] = g[i, j] * (y > 0)


@_part
def lstm_step_back(
    g: Array, c: Array, gates: Array, before: Array, squashed: Array, out: Array, work: Array
) -> None:
    """The gradients of the gates, and of the cell before."""
    w = c.shape[1]
    for row in range(g.shape[0]):
        for j in range(w):
            i, f, n = gates[row, j], gates[row, w + j], gates[row, 2 * w + j]
            o, t = gates[row, 3 * w + j], squashed[row, j]
            dc = c[row, j] + g[row, j] * o * (1 - t * t)
            out[row, j] = dc * n * i * (1 - i)
            out[row, w + j] = dc * before[row, j] * f * (1 - f)
            out[row, 2 * w + j] = dc * i * (1 - n * n)
            out[row, 3 * w + j] = g[row, j] * t * o * (1 - o)
            c[row, j] = dc * f


@_part
def gru_step_back(
    g: Array, gates: Array, before: Array, candidate: Array, inner: Array, outer: Array,
    work: Array,
) -> None:  # fmt: skip
    """The gradients of the gates, and what goes straight back."""
    w = g.shape[1]
    for i in range(g.shape[0]):
        for j in range(w):
            r, z, n = gates[i, j], gates[i, w + j], gates[i, 2 * w + j]
            dn = g[i, j] * (1 - z) * (1 - n * n)
            dr = dn * candidate[i, j] * r * (1 - r)
            dz = g[i, j] * (before[i, j] - n) * z * (1 - z)
            inner[i, j] = outer[i, j] = dr
            inner[i, w + j] = outer[i, w + j] = dz
            inner[i, 2 * w + j], outer[i, 2 * w + j] = dn, dn * r
            g[i, j] *= z


def _with_loops(walk: Callable[..., None]) -> Any:
    """A walk of the kernels, compiled with the loops of this file in the place of its steps."""
    names = {**vars(recurrent), **{name: value for name, value in globals().items()
                                   if isinstance(value, type(_squash))}}  # fmt: skip
    return _part(FunctionType(walk.__code__, names, walk.__name__))


recurrent_walk = _with_loops(recurrent.recurrent_walk)
recurrent_walk_back = _with_loops(recurrent.recurrent_walk_back)
