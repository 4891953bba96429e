"""Numeric gradients: element by element for small inputs, by random projections for large ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .differences import derivative, noise_of, one_sided
from .findings import Kink
from .subject import Array, Subject

__all__ = ["Numeric", "Numerics"]

_FIRST = {"float64": -7, "float32": -3, "float16": -1}
"""The exponents of the first steps, of the scale of a number: near ε to the power of 1/7."""
_NOISE = {"float64": (-22,), "float32": (-16, -11), "float16": (-8, -6)}
"""Exponents of the steps at which noise is looked for: sums within may round more coarsely."""
_ENOUGH = 1e-8
_COARSEST = 1e-2


@dataclass
class Numeric:
    """Derivatives of Σ above · f by an input's elements: a row for each gradient from above."""

    value: Array
    error: Array

    def put(self, flat: int, value: Array, error: Array) -> None:
        """Replace what is known of one element."""
        self.value.reshape(len(self.value), -1)[:, flat] = value
        self.error.reshape(len(self.error), -1)[:, flat] = error


class Numerics:
    """Differences of a function in one of its inputs, at the steps that it takes.

    `noise` is how far rounding moves Σ above · f, `coarseness` that as a part of its terms: where a
    function computes in a narrower type than it returns, it is much more than an ulp.
    """

    def __init__(self, subject: Subject, place: int, aboves: Sequence[Sequence[Array]]) -> None:
        self.subject, self.place, self.aboves = subject, place, aboves
        self.x = subject.arrays[place]
        results = subject.values()
        self.finite = all(bool(np.isfinite(each).all()) for each in results)
        kind = min(
            [self.x.dtype, *[each.dtype for each in results]], key=lambda each: each.itemsize
        ).name
        self.first, self.eps = _FIRST.get(kind, -3), float(np.finfo(kind).eps)
        self.start = self.first
        self.exponents = _exponents(self.x)
        floor = self.eps / 2 * np.array([
            math.sqrt(sum(float(np.sum((g * _finite(r)) ** 2))
                          for g, r in zip(above, results, strict=True)))
            for above in aboves
        ])  # fmt: skip
        random = np.random.default_rng(place)
        phi = self._phi(self.direction(random))
        found = [noise_of(phi, exponent) for exponent in _NOISE.get(kind, (-16,))]
        self.noise = np.maximum(np.max(found, axis=0), floor)
        size = float(np.max(floor)) / (self.eps / 2)
        self.coarseness = min(float(np.max(self.noise)) / size, _COARSEST) if size else 0.0

    def _phi(self, direction: Array) -> Callable[[float], Array]:
        return self.subject.along(self.place, direction, self.aboves)

    def direction(self, random: np.random.Generator) -> Array:
        """Plus or minus a power of two for each element, of its own scale."""
        signs = random.choice([-1.0, 1.0], self.x.shape)
        return np.asarray(signs * np.exp2(self.exponents))

    def unit(self, flat: int) -> Array:
        """The direction of one element."""
        direction = np.zeros(self.x.shape)
        direction.reshape(-1)[flat] = 1.0
        return direction

    def gradient(self, scale: float) -> Numeric:
        """The derivative by each element; `scale` is how large the gradient is, about."""
        value, error = np.zeros((2, len(self.aboves), self.x.size))
        for flat in range(self.x.size):
            value[:, flat], error[:, flat] = self.element(flat, scale)
        shape = (len(self.aboves), *self.x.shape)
        return Numeric(value.reshape(shape), error.reshape(shape))

    def element(self, flat: int, scale: float, start: int | None = None) -> tuple[Array, Array]:
        """The derivatives by one element, and their errors."""
        own = int(self.exponents.reshape(-1)[flat])
        first = own + (self.start if start is None else start)
        slope = derivative(self._phi(self.unit(flat)), first, self.noise, _ENOUGH * scale)
        if start is None:
            self.start = min(max(slope.exponent - own, self.first - 6), self.first)
        return slope.value, slope.error

    def projected(self, direction: Array, scale: float = 0.0) -> tuple[Array, Array]:
        """The derivatives in one direction, and their errors."""
        slope = derivative(self._phi(direction), self.start, self.noise, _ENOUGH * scale)
        return slope.value, slope.error

    def kink(self, flat: int, analytic: float) -> Kink | int | None:
        """A kink at an element; or the exponent below which there is none; None: smooth here.

        Slopes to both sides are compared at shrinking steps, as long as rounding lets them be.
        """
        phi, own = self._phi(self.unit(flat)), int(self.exponents.reshape(-1)[flat])
        jumps: list[tuple[int, float, Kink]] = []
        smooth_below: int | None = None
        index = tuple(int(i) for i in np.unravel_index(flat, self.x.shape))
        for exponent in range(own + self.first + 2, own - 60, -3):
            left, right = one_sided(phi, exponent)
            noise = 8 * self.noise / 2.0**exponent
            jump = np.abs(right - left)
            which = int(np.argmax(np.where(np.isfinite(jump), jump - noise, np.inf)))
            steepest = max(abs(float(left[which])), abs(float(right[which])))
            if math.isfinite(jump[which]) and noise[which] > 0.02 * steepest:
                break
            kink = Kink(self.place, index, float(left[which]), float(right[which]), analytic)
            if jump[which] <= max(3 * noise[which], 1e-6 * steepest):
                smooth_below = exponent
                break
            jumps.append((exponent, float(jump[which]), kink))
        if smooth_below is not None:
            return smooth_below - own if jumps else None
        if not jumps:
            return None
        before, last = jumps[max(len(jumps) - 3, 0)], jumps[-1]
        lasting = not math.isfinite(last[1]) or last[1] >= 0.5 * before[1]
        return last[2] if len(jumps) > 1 and lasting else None


def _exponents(x: Array) -> Array:
    """For each element the power of two of its scale: its own size, or that of the others."""
    numbers = _finite(x.astype(np.float64))
    usual = float(np.median(np.abs(numbers))) or float(np.max(np.abs(numbers))) or 1.0
    return np.floor(np.log2(np.maximum(np.abs(numbers), usual)))


def _finite(array: Array) -> Array:
    return np.where(np.isfinite(array), array.astype(np.float64), 0.0)
