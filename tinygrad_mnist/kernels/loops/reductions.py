"""Sums."""

from typing import Any

import numpy as np

from .compile import loop

Array = np.ndarray[Any, Any]


@loop("void(const T[:, ::1], T[::1])")
def sum_rows(x: Array, out: Array) -> None:
    """out = Σᵢ xᵢ, row after row, which is NumPy's order too."""
    out[:] = 0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += x[i, j]


@loop("void(const T[:, ::1], T[::1])")
def sum_columns(x: Array, out: Array) -> None:
    """outᵢ = Σⱼ xᵢⱼ, in double precision."""
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            total += x[i, j]
        out[i] = total


@loop("void(Array(T, 3, 'C', readonly=True, aligned=False), T[::1])", fastmath={"reassoc"})
def sum_channels(x: Array, out: Array) -> None:
    """outᵢ = Σₙⱼ xₙᵢⱼ, in double precision."""
    for i in range(x.shape[1]):
        total = 0.0
        for n in range(x.shape[0]):
            row = x[n, i]
            for j in range(row.size):
                total += row[j]
        out[i] = total
