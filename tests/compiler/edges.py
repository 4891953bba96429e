"""Samples at the edges of number types for the rows of the table of operations."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, laid_out

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
NUMBERS = (2, -1, 0, True, -7, 300, 2**31, 2**53 + 1, -(2**63), 0.5, -0.0, 1e-45, 1e30, math.inf,
           -math.inf, math.nan)  # fmt: skip
"""Python numbers beside a tensor."""


def edges(dtype: str) -> np.ndarray[Any, Any]:
    """Zeros, units, halves, signs, the extremes of a type and what lies beside them."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([False, True])
    if kind.kind in "iu":
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        near = [0, 1, 2, 3, 5, 7, 8, 31, 32, 63, 64, 100]
        signed = [low, low + 1, -7, -3, -2, -1] if low else []
        return np.array([*signed, *near, high - 1, high, high // 2 + 1], kind)
    limits = np.finfo(kind)
    plain = [0, 1, 0.5, 1.5, 2.5, 3, 7, 0.1, 100.0, 1e30]
    tiny = [limits.smallest_subnormal, limits.tiny, limits.eps, limits.max]
    half = np.array([*plain, *tiny, np.inf], kind)
    return np.concatenate([half, -half, np.array([np.nan], kind)])


class Edges(Maker):
    """Makes arrays that hold the edges of their types; with a `side` of 32, each pair of them.

    Types are taken in turn from `dtypes`, Python numbers from `numbers`.
    """

    def __init__(
        self, pick: Any, *dtypes: str, layout: str = "contiguous", numbers: Any = None,
        zero: bool = True, side: int = 32,
    ) -> None:  # fmt: skip
        special = {"float64": "special", "float32": "special", "bool": "bools"}
        situation = special.get(dtypes[0], "integers") if len(set(dtypes)) == 1 else "mixed"
        super().__init__(pick, "numbers" if numbers is not None else situation)
        self._dtypes = itertools.cycle(dtypes)
        self._numbers = itertools.cycle(numbers or (0,))
        self._made = 0
        self._layout = layout
        self._zero, self._side = zero, side

    def in_situation(self, situation: str) -> Maker:
        return self

    def shape(self, min_dims: int = 0, max_dims: int = 3) -> tuple[int, ...]:
        if min_dims > 2:
            return (*[2] * (min_dims - 2), self._side // 2, self._side)
        return (self._side, self._side) if max_dims > 1 else (self._side**2,)

    def shapes(self, count: int, max_dims: int = 3) -> list[tuple[int, ...]]:
        return [self.shape(0, max_dims)] * count

    def dtype(self) -> str:
        return next(self._dtypes)

    def floating(self) -> str:
        found = self.dtype()
        return found if found.startswith("float") else "float32"

    def array(self, shape: Any = None, numbers: str = "ordinary", dtype: Any = None) -> Any:
        size = self.shape() if shape is None else shape
        values = edges(dtype or self.dtype())
        if not self._zero and values.dtype.kind in "iu":
            values = values[values != 0]
        places = np.arange(math.prod(size))
        rounds = places // len(values)
        order = (places, places + rounds, places * 7 + rounds * 5)[self._made % 3]
        self._made += 1
        return laid_out(values[order % len(values)].reshape(size), self._layout)

    def number(self) -> Any:
        return next(self._numbers)
