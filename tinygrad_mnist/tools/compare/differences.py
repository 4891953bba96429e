"""How far apart two engines' numbers are, and when that is too far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NONE", "Bounds", "Difference", "Series", "difference"]

Array = np.ndarray[Any, Any]


class Difference(NamedTuple):
    """The largest difference between two tensors' elements.

    `ulp` counts it in steps between neighbouring numbers of their type at the largest number.
    """

    absolute: float
    ulp: float


NONE = Difference(0.0, 0.0)


def difference(a: Array, b: Array, scale: float = 0.0) -> Difference:
    """The largest difference between two arrays' elements; infinite where shapes differ.

    `scale` is the largest number to count ulp of, if the arrays hold none that is larger. Two NaN
    and two infinities of one sign are equal.

    >>> one = np.ones(3, np.float32)
    >>> difference(one, np.nextafter(one, np.float32(2))).ulp
    1.0
    """
    if a.shape != b.shape:
        return Difference(math.inf, math.inf)
    if a.dtype.kind != "f" or b.dtype.kind != "f":
        return NONE if np.array_equal(a, b) else Difference(math.inf, math.inf)
    with np.errstate(all="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        same = (a == b) | (np.isnan(a) & np.isnan(b))
    absolute = float(np.where(same, 0.0, apart).max(initial=0.0))
    if absolute == 0:
        return NONE
    if not math.isfinite(absolute):
        return Difference(math.inf, math.inf)
    numbers = np.concatenate([a.reshape(-1), b.reshape(-1)])
    largest = max(scale, largest_number(numbers))
    coarser = min(a.dtype, b.dtype, key=lambda dtype: dtype.itemsize).type
    unit = float(np.spacing(np.maximum(coarser(largest), np.finfo(coarser).tiny)))
    return Difference(absolute, absolute / unit)


def largest_number(array: Array) -> float:
    """The largest finite absolute value; 0 if there is none."""
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max(initial=0.0))


@dataclass(frozen=True)
class Bounds:
    """How far apart is equal enough: within either of the two."""

    ulp: float = 1000.0
    absolute: float = 1e-6

    def hold(self, apart: Difference) -> bool:
        """Whether a difference is within the bounds."""
        return apart.absolute <= self.absolute or apart.ulp <= self.ulp


class Series:
    """What became of one quantity, step by step: how far apart it was."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.differences: list[tuple[int, Difference]] = []
        self._scale = 0.0

    def add(self, step: int, theirs: Array, ours: Array) -> Difference:
        """Compare a step's arrays; ulp are of the largest number that the quantity ever had."""
        for array in (theirs, ours):
            if array.dtype.kind == "f":
                self._scale = max(self._scale, largest_number(array))
        apart = difference(theirs, ours, self._scale)
        self.differences.append((step, apart))
        return apart

    @property
    def worst(self) -> tuple[int, Difference]:
        """The largest difference and its step."""
        return max(self.differences, key=lambda each: each[1].ulp, default=(0, NONE))

    @property
    def first_beyond(self) -> tuple[int, Difference] | None:
        """The first step at which the bounds do not hold, and the difference there."""
        return next((each for each in self.differences if not self.bounds.hold(each[1])), None)

    @property
    def forked(self) -> bool:
        """Whether what began as a difference beyond the bounds grew to twice that and more."""
        first = self.first_beyond
        return first is not None and self.worst[1].ulp >= 2 * first[1].ulp
