"""The first operation whose result differs, found by holding two lists of operations together.

The engines call some operations by different names and compute some of several others. Compared
is what both did: results of one shape under one of PyTorch's names, in the same order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
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
        self.compared = 0
        self.steps = 0
        self.worst = Difference(0.0, 0.0)

    def add(self, step: int, theirs: list[Operation], ours: list[Operation]) -> None:
        """Compare what both did on the way to a step."""
        self.steps = step
        matcher = SequenceMatcher(
            None, [each.key for each in theirs], [each.key for each in ours], autojunk=False
        )
        for start, other, size in matcher.get_matching_blocks():
            for one, another in zip(
                theirs[start : start + size], ours[other : other + size], strict=True
            ):
                self._compare(step, one, another, ours)

    def _compare(self, step: int, one: Operation, other: Operation, ours: list[Operation]) -> None:
        self.compared += 1
        apart = difference(one.sample, other.sample)
        if not self.bounds.hold(apart):
            # Another call of the same name may be the one that computes the same.
            alike = [difference(one.sample, each.sample) for each in ours if each.key == one.key]
            apart = next((each for each in alike if self.bounds.hold(each)), apart)
        self.worst = max(self.worst, apart, key=lambda each: each.ulp)
        if self.first is None and not self.bounds.hold(apart):
            self.first = FirstDifference(one.name, one.shape, one.place, step, apart)
