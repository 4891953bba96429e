"""The derivative of a function of one number by differences, with its error.

Central differences D(h) = (φ(h) − φ(−h)) / 2h at steps h, h/2 and h/4 are extrapolated to order six
(Richardson), so that they err by truncation, which shrinks with h, and by the rounding of φ, which
grows as 1/h. Both are estimated: the first by what the last extrapolation changed, the second from
the noise of φ. The step is moved down while truncation is larger, up while rounding is, and the
one with the least sum is kept. Steps are powers of two, so that x + h is exact.

Source: Ridders, "Accurate computation of F′(x) and F′(x)F″(x)" (1982), for the extrapolation; Moré
and Wild, "Estimating computational noise" (2011), for the table of differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Slope", "derivative", "noise_of", "one_sided"]

Array = np.ndarray[Any, Any]
Phi = Callable[[float], Array]
"""Takes a step from the point; gives numbers in float64, each with a derivative of its own."""
_MOVES = 24
_LONGEST = 16
_UP = 12
"""Powers of two that a step may grow by from the first one."""
_CONVERGED = 1e-10


class Slope(NamedTuple):
    """Derivatives with their errors, and the exponent of two of the step that gave them."""

    value: Array
    error: Array
    exponent: int


class _Rung(NamedTuple):
    slope: Slope
    truncation: float
    rounding: float

    @property
    def total(self) -> float:
        """The error, infinite where a value was not finite."""
        total = self.truncation + self.rounding
        return total if math.isfinite(total) else math.inf


def derivative(phi: Phi, exponent: int, noise: Array, enough: float = 0.0) -> Slope:
    """φ′(0), the first steps being 2 to the power of `exponent`.

    `noise` is how far rounding moves each number that φ gives; an error of at most `enough` is
    not made smaller. Where φ is not finite nearby at any step, the value is NaN and the error
    infinite.

    >>> slope = derivative(lambda t: np.array([math.exp(t)]), -6, np.array([1e-16]))
    >>> bool(abs(slope.value[0] - 1) <= slope.error[0] <= 1e-10)
    True
    """
    seen: dict[float, Array] = {}

    def central(h: float) -> Array:
        if h not in seen:
            with np.errstate(all="ignore"):
                seen[h] = (phi(h) - phi(-h)) / (2 * h)
        return seen[h]

    rungs: dict[int, _Rung] = {}
    at, stride, moves = exponent, 2, 0
    while stride >= 2 and at not in rungs and at <= exponent + _UP and len(rungs) < _MOVES:
        rung = rungs[at] = _rung(central, at, noise)
        largest = float(np.max(np.abs(rung.slope.value), initial=0.0))
        if rung.total <= max(enough, _CONVERGED * largest):
            break
        way = 1 if rung.truncation < rung.rounding else -1
        if moves * way < 0:  # past the best step: back by less
            stride, moves = stride // 2, 0
        elif abs(moves) == 2:  # far from it: on by more
            stride, moves = min(2 * stride, _LONGEST), 0
        moves += way
        at += way * stride
    best = min(rungs.values(), key=lambda each: each.total).slope
    return _doubted(best, rungs)


def _rung(central: Phi, exponent: int, noise: Array) -> _Rung:
    """The derivative from the steps 2ᵉ, 2ᵉ⁻¹ and 2ᵉ⁻²."""
    h = 2.0**exponent
    first, second, third = central(h), central(h / 2), central(h / 4)
    with np.errstate(all="ignore"):
        coarse, fine = (4 * second - first) / 3, (4 * third - second) / 3
        value = (16 * fine - coarse) / 15
        truncation = np.abs(value - fine)
        rounding = 2.1 * noise / h  # the weights 64/45, −20/45, 1/45 of values apart by 2h, h, h/2
        error = np.where(np.isfinite(value), truncation + rounding, np.inf)
    total = float(np.max(np.where(np.isfinite(truncation), truncation, np.inf), initial=0.0))
    return _Rung(Slope(value, error, exponent), total, float(np.max(rounding, initial=0.0)))


def _doubted(best: Slope, rungs: dict[int, _Rung]) -> Slope:
    """The slope, its error raised to what a smaller step disagrees beyond that one's own error."""
    finer = rungs.get(max([each for each in rungs if each < best.exponent], default=0))
    if finer is None or finer.slope.exponent >= best.exponent:
        return best
    with np.errstate(all="ignore"):
        beyond = np.abs(finer.slope.value - best.value) - finer.slope.error
    error = np.maximum(best.error, np.where(np.isfinite(beyond), beyond, 0.0))
    return Slope(best.value, error, best.exponent)


def noise_of(phi: Phi, exponent: int) -> Array:
    """How far rounding moves each number that φ gives near 0: a standard deviation.

    Of nine values 2 to the power of `exponent` apart, differences of order 3 to 7 hold no more of
    a smooth function; the least of what they say is taken. All lie on one side, for at 0 there may
    be a kink.
    """
    h = 2.0**exponent
    with np.errstate(all="ignore"):
        differences = np.stack([phi(k * h) for k in range(1, 10)])
        found = []
        for order in range(1, 8):
            differences = np.diff(differences, axis=0)
            if order >= 3:
                scale = math.sqrt(math.factorial(order) ** 2 / math.factorial(2 * order))
                found.append(scale * np.sqrt(np.mean(differences**2, axis=0)))
        least: Array = np.min(found, axis=0)
    return np.where(np.isfinite(least), least, 0.0)


def one_sided(phi: Phi, exponent: int) -> tuple[Array, Array]:
    """The slopes to the left and to the right of 0, of second order in 2 to this power."""
    h = 2.0**exponent
    with np.errstate(all="ignore"):
        here = phi(0.0)
        left = (3 * here - 4 * phi(-h / 2) + phi(-h)) / h
        right = (4 * phi(h / 2) - 3 * here - phi(h)) / h
    return left, right
