"""The first operation whose result differs, found by holding two lists of operations together.

The engines call some operations by different names, and compute some of several others. Compared
are calls that give one shape under one of PyTorch's names: the first with the first, and so on.
Where one engine makes more of them, those that match no call of the other do not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .differences import Bounds, Difference, difference

__all__ = ["FirstDifference", "Operation", "OperationsCompared"]

Array = np.ndarray[Any, Any]

_SAME = {"linear": "addmm", "matmul": "mm", "transpose": "t", "nll": "nllloss"}


class Operation(NamedTuple):
    """A call of an operation: its name, its result's shape, where, and some of its numbers."""

    name: str
    shape: tuple[int, ...]
    place: str
    sample: Array
    number: int = 0
    """Its place among the calls of its step."""

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """What a call of the other engine must share to be the same."""
        name = re.sub(r"Backward\d*$|_forward$|_", "", self.name).lower()
        return _SAME.get(name, name), self.shape


@dataclass(frozen=True)
class FirstDifference:
    """The first operation that differs beyond the bounds."""

    name: str
    shape: tuple[int, ...]
    place: str
    step: int
    difference: Difference


class OperationsCompared:
    """The operations of one step after another, compared."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.first: FirstDifference | None = None
        self._first_number = 0
        self.compared = 0
        self.steps = 0
        self.worst = Difference(0.0, 0.0)

    def add(self, step: int, theirs: list[Operation], ours: list[Operation]) -> None:
        """Compare what both did on the way to a step."""
        self.steps = step
        grouped = _by_key(ours)
        for key, calls in _by_key(theirs).items():
            alike = grouped.get(key, [])
            for number, one in enumerate(calls if alike else ()):
                apart = self._nearest(one, alike, number)
                if len(alike) == len(calls) or self.bounds.hold(apart):
                    self._note(step, one, apart)

    def _nearest(self, one: Operation, alike: list[Operation], number: int) -> Difference:
        """How far a call is from the other engine's of that number.

        If that is too far: from the nearest that computes the same, if there is one.
        """
        apart = difference(one.sample, alike[min(number, len(alike) - 1)].sample)
        if self.bounds.hold(apart):
            return apart
        for each in sorted(range(len(alike)), key=lambda each: abs(each - number)):
            other = difference(one.sample, alike[each].sample)
            if self.bounds.hold(other):
                return other
        return apart

    def _note(self, step: int, one: Operation, apart: Difference) -> None:
        self.compared += 1
        self.worst = max(self.worst, apart, key=lambda each: each.ulp)
        if not self.bounds.hold(apart) and (self.first is None or one.number < self._first_number):
            self.first = FirstDifference(one.name, one.shape, one.place, step, apart)
            self._first_number = one.number


def _by_key(operations: list[Operation]) -> dict[Any, list[Operation]]:
    grouped: dict[Any, list[Operation]] = {}
    for each in operations:
        grouped.setdefault(each.key, []).append(each)
    return grouped
