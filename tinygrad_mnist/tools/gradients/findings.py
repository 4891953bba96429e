"""What a check found: elements, faults, kinks, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Element", "Finding", "Kink", "elements"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Element:
    """One number of a gradient, beside what it should be."""

    index: tuple[int, ...]
    analytic: float
    """As the function's own backward gives it."""
    right: float
    """By differences; or, for float32 whose formula holds in float64, by that."""
    error: float
    """Of the right number: an estimate."""
    bound: float
    """How far apart the two may be."""
    ulp: float
    """How far apart they are, in units in the last place."""
    condition: float
    """How many ulp it moves by when the inputs are moved by one."""


@dataclass
class Finding:
    """One fault. `kind` says what was held against what, `sentence` what was found."""

    kind: str
    sentence: str
    input: int | None = None
    pattern: str | None = None
    """As `name_fault` says it; it begins with one of `PATTERNS`."""
    elements: list[Element] = field(default_factory=list)
    """The worst first."""
    wrong: int = 0
    """How many elements are."""
    checked: int = 0
    help: str = ""

    @property
    def name(self) -> str:
        """The pattern without its explanation, or the kind."""
        return self.pattern.partition(":")[0] if self.pattern else self.kind


@dataclass(frozen=True)
class Kink:
    """An element at which the slopes to both sides differ."""

    input: int
    index: tuple[int, ...]
    left: float
    right: float
    analytic: float


def elements(
    analytic: Array, right: Array, error: Array, bound: Array, moved: Array, count: int = 8
) -> list[Element]:
    """The elements farthest beyond their bounds, the worst first. `moved` is the condition."""
    with np.errstate(all="ignore"):
        apart = np.abs(analytic.astype(np.float64) - right)
        rank = np.where(np.isfinite(apart), apart / np.maximum(bound, 1e-300), np.inf)
        largest = np.maximum(np.abs(analytic.astype(np.float64)), np.abs(right))
        unit = np.finfo(analytic.dtype).eps * np.maximum(largest, np.finfo(analytic.dtype).tiny)
    found: list[Element] = []
    for flat in np.argsort(-rank, axis=None, kind="stable")[:count]:
        at = np.unravel_index(int(flat), analytic.shape)
        index = tuple(int(i) for i in at)
        numbers = [float(each[at]) for each in (analytic, right, error, bound)]
        ulps = [float(each[at]) for each in (apart / unit, moved / unit)]
        found.append(Element(index, *numbers, *ulps))
    return found


def one_of(words: Sequence[str]) -> str:
    """Words with commas, and "and" before the last."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
