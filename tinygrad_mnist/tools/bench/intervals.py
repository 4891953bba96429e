"""Medians with bootstrap intervals: what a few noisy numbers tell, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A median and where it lies with a certainty of 95 %."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def agrees(self, other: Interval) -> bool:
        """Whether the two overlap."""
        return self.low <= other.high and other.low <= self.high


def interval(numbers: Sequence[float]) -> Interval:
    """The median, and the middle 95 % of the medians of samples drawn again from the numbers.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    >>> interval([1.0, 1.0, 1.0])
    Interval(median=1.0, low=1.0, high=1.0)
    """
    if not numbers:
        raise ValueError("no numbers are given; expected one or more")
    given = np.asarray(numbers, np.float64)
    drawn = np.random.default_rng(0).integers(0, len(given), (RESAMPLES, len(given)))
    medians = np.median(given[drawn], axis=1)
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.median(given)), float(low), float(high))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """How many of ours fit into one of theirs, round by round.

    >>> ratio([1.0, 2.0], [3.0, 6.0]).median
    3.0
    """
    return interval([b / a for a, b in zip(ours, theirs, strict=True)])
