"""How far rounding alone moves a gradient.

The condition: how far the gradient moves when each input is moved by up to one ulp. A function
whose steps lose digits within (a mean taken away from large numbers) rounds more than that, and
more or less by chance from point to point; so the error of float32 is taken at several points
close by, against float64, and its spread there is what rounding does. A wrong formula errs alike
at all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .subject import Array, Subject, replaced

__all__ = ["float32_errors", "moved_by_an_ulp", "nudged"]

_RUNS = 4
_POINTS = 6
_NEAR = 2.0**-10


def nudged(array: Array, random: np.random.Generator, amount: float) -> Array:
    """The numbers, each moved by up to this part of itself; zeros stay."""
    if array.dtype.kind != "f":
        return array
    moved = array.astype(np.float64) * (1 + amount * random.uniform(-1, 1, array.shape))
    return np.asarray(moved.astype(array.dtype))


def moved_by_an_ulp(
    subject: Subject, above: Sequence[Array], gradients: Sequence[Array | None], eps: float
) -> list[Array | None]:
    """The condition: for each input, how far its gradient moves, in float64."""
    random = np.random.default_rng(0)
    farthest: list[Array | None] = [
        None if each is None else np.zeros(each.shape) for each in gradients
    ]
    for _ in range(_RUNS):
        arrays = [nudged(each, random, eps) for each in subject.arrays]
        try:
            found = subject.gradients([nudged(each, random, eps) for each in above], arrays)
        except Exception:  # an ulp outside of the domain
            continue
        for place, (now, was) in enumerate(zip(found, gradients, strict=True)):
            so_far = farthest[place]
            if now is None or was is None or so_far is None or now.shape != was.shape:
                continue
            with np.errstate(all="ignore"):
                moved = np.abs(now.astype(np.float64) - was.astype(np.float64))
            farthest[place] = np.maximum(so_far, np.where(np.isfinite(moved), moved, 0.0))
    return farthest


def float32_errors(
    subject: Subject, above: Sequence[Array]
) -> tuple[list[Array | None], list[Array | None]]:
    """For each input the error of the gradient against float64 here, and its spread near by."""
    random = np.random.default_rng(1)
    runs: list[list[Array | None]] = []
    for amount in (0.0, *[_NEAR] * _POINTS):
        arrays = [nudged(each, random, amount) for each in subject.arrays]
        weights = [nudged(each, random, amount) for each in above]
        narrow = subject.gradients(weights, arrays)
        wide = subject.gradients(replaced(weights, np.float64), replaced(arrays, np.float64))
        runs.append([_apart(*pair) for pair in zip(narrow, wide, strict=True)])
    spreads: list[Array | None] = []
    for each in zip(*runs, strict=True):
        near = [error for error in each[1:] if error is not None]
        spreads.append(None if each[0] is None else np.ptp(np.stack(near), axis=0))
    return runs[0], spreads


def _apart(narrow: Array | None, wide: Array | None) -> Array | None:
    if narrow is None or wide is None or narrow.shape != wide.shape:
        return None
    with np.errstate(all="ignore"):
        apart = narrow.astype(np.float64) - wide
    return np.where(np.isfinite(apart), apart, np.where(np.isfinite(wide), np.inf, 0.0))
