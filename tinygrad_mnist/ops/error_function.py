"""The error function."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array

from .exponential import exp

__all__ = [
    "erf",
    "erfc",
]

_STEPS = 16
"""Points of expansion between two whole numbers: none is farther than 1/32 from one of them."""
_LAST = 6
"""From here on erf is 1 in float64."""
_DEGREE = 10


@functools.cache
def _expansions() -> Array:
    """The Taylor coefficients of erf at 0, 1/16, 2/16, … 6: (points, degrees).

    The derivative is f(x) = 2/√π · e^(−x²). As f' = −2x f, the coefficients of f at p obey
    (k + 1) aₖ₊₁ = −2 (p aₖ + aₖ₋₁); those of erf are aₖ₋₁ / k.
    """
    points = np.arange(_LAST * _STEPS + 1) / _STEPS
    slopes = [2 / math.sqrt(math.pi) * np.exp(-(points**2))]
    slopes.append(-2 * points * slopes[0])
    for k in range(1, _DEGREE - 1):
        slopes.append(-2 * (points * slopes[k] + slopes[k - 1]) / (k + 1))
    values = np.array([math.erf(point) for point in points])
    return np.stack([values, *[slope / (k + 1) for k, slope in enumerate(slopes)]], axis=1)


@primitive(promotion=dtypes.promote_to_floating)
def erf(input: Array) -> Any:
    """2/√π · ∫₀ˣ e^(−t²) dt"""
    x = np.minimum(np.abs(input), _LAST).astype(np.float64)
    nearest = np.rint(np.where(np.isnan(x), 0, x) * _STEPS).astype(np.intp)
    distance = x - nearest / _STEPS
    coefficients = _expansions()
    total = coefficients[nearest, _DEGREE - 1]
    for degree in range(_DEGREE - 2, -1, -1):
        total = total * distance + coefficients[nearest, degree]
    return np.copysign(total, input).astype(input.dtype)


erf.derivatives(input=lambda g, input: g * (2 / math.sqrt(math.pi)) * exp(-input * input))

_complement = np.frompyfunc(math.erfc, 1, 1)


@primitive(promotion=dtypes.promote_to_floating)
def erfc(input: Array) -> Any:
    """1 − erf(x), exact where that is small"""
    return np.asarray(_complement(input)).astype(input.dtype)


erfc.derivatives(input=lambda g, input: -g * (2 / math.sqrt(math.pi)) * exp(-input * input))
