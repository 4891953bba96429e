"""The rectifier and its derivative; the error function."""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np

from . import dispatch

Array = np.ndarray[Any, Any]


def relu(x: Array) -> Array:
    """max(x, 0), of any shape; NaN stays NaN, and −0 what it is.

    >>> import numpy as np
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if x.size >= dispatch.LARGE and x.flags.c_contiguous and dispatch.base.ready(x.size, x.dtype):
        out = np.empty(x.shape, x.dtype)
        _relu_loop(x.reshape(-1), out.reshape(-1))
        return out
    zero = _ZERO.get(x.dtype, 0)
    result: Array = np.maximum(zero, x)  # of equal numbers, NumPy takes the second
    return result


@dispatch.base.loop("void(const T[::1], T[::1])")
def _relu_loop(x: Array, out: Array) -> None:
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = zero if x[i] < zero else x[i]


_ZERO: Final = {kind: np.zeros((), kind) for kind in dispatch.FLOATS}
_INTEGERS: Final = {4: np.int32, 8: np.int64}


def relu_backward(grad: Array, out: Array) -> Array:
    """The gradient of `relu`'s input: that of the result `out`, where it is not 0."""
    if (
        out.size >= dispatch.LARGE
        and grad.dtype is out.dtype
        and grad.shape == out.shape
        and grad.flags.c_contiguous
        and out.flags.c_contiguous
        and dispatch.base.ready(out.size, out.dtype)
    ):
        grad_x = np.empty(out.shape, out.dtype)
        _relu_backward_loop(grad.reshape(-1), out.reshape(-1), grad_x.reshape(-1))
        return grad_x
    # By bits, as np.where(kept, grad, 0), which branches at each number, takes ten times as long.
    integer = _INTEGERS[grad.itemsize]
    mask = np.negative((~(out <= 0)).view(np.int8), dtype=integer)
    result: Array = np.bitwise_and(grad.view(integer), mask).view(grad.dtype)
    return result


@dispatch.base.loop("void(const T[::1], const T[::1], T[::1])")
def _relu_backward_loop(grad: Array, out: Array, grad_x: Array) -> None:
    zero = out.dtype.type(0)
    for i in range(out.size):
        grad_x[i] = zero if out[i] <= zero else grad[i]


# The error function

_STEPS: Final = 16
"""Points of expansion between two whole numbers: none is farther than 1/32 from one of them."""
_LAST: Final = 6
"""From here on erf is 1 in float64."""
_DEGREE: Final = 10


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


_END: Final = 4.0
"""From here on erf is 1 in float32."""


def _polynomial() -> tuple[float, ...]:
    """erf x / x in powers of x² / 8 − 1, the highest first, for |x| up to 4, to 1e-11."""
    chebyshev: Any = np.polynomial.chebyshev
    ratio = np.vectorize(lambda root: math.erf(root) / root)
    found = chebyshev.chebinterpolate(lambda u: ratio(np.sqrt(8 * (u + 1))), 22)
    return tuple(chebyshev.cheb2poly(found)[::-1].tolist())


_C: Final = _polynomial()


@dispatch.base.part(fastmath={"contract"})
def erf_to_single(x: Any) -> Any:
    """erf x in double precision, as exactly as float32 holds it; LLVM computes eight at a time."""
    x = -_END if x < -_END else x
    x = _END if x > _END else x
    u = x * x * 0.125 - 1.0
    y = (((_C[0] * u + _C[1]) * u + _C[2]) * u + _C[3]) * u + _C[4]
    y = ((((y * u + _C[5]) * u + _C[6]) * u + _C[7]) * u + _C[8]) * u + _C[9]
    y = ((((y * u + _C[10]) * u + _C[11]) * u + _C[12]) * u + _C[13]) * u + _C[14]
    y = ((((y * u + _C[15]) * u + _C[16]) * u + _C[17]) * u + _C[18]) * u + _C[19]
    return x * (((y * u + _C[20]) * u + _C[21]) * u + _C[22])


def erf(x: Array) -> Array:
    """2/√π · ∫₀ˣ e^(−t²) dt, of any shape, to an ulp: float64 by an expansion at a point nearby.

    >>> import numpy as np
    >>> erf(np.array([0.0, 10.0]))
    array([0., 1.])
    """
    if dispatch.base.ready(x.size, x.dtype):
        out = np.empty(x.shape, x.dtype)
        numbers, found = np.ascontiguousarray(x).reshape(-1), out.reshape(-1)
        if x.dtype == np.float32:
            _erf_loop_to_single(numbers, found)
        else:
            _erf_loop(numbers, _expansions(), found)
        return out
    if x.dtype == np.float32:
        wide = np.clip(x.astype(np.float64), -_END, _END)
        with np.errstate(invalid="ignore"):
            u = wide * wide * 0.125 - 1.0
            single: Array = (wide * np.polyval(np.array(_C), u)).astype(x.dtype)
        return single
    distance = np.minimum(np.abs(x), _LAST).astype(np.float64)
    nearest = (np.where(np.isnan(distance), 0, distance) * _STEPS + 0.5).astype(np.intp)
    distance -= nearest / _STEPS
    coefficients = _expansions()
    total = coefficients[nearest, _DEGREE - 1]
    for degree in range(_DEGREE - 2, -1, -1):
        total = total * distance + coefficients[nearest, degree]
    result: Array = np.copysign(total, x).astype(x.dtype)
    return result


@dispatch.base.loop("void(const float32[::1], float32[::1])")
def _erf_loop_to_single(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = erf_to_single(np.float64(x[i]))


@dispatch.base.loop("void(const float64[::1], const float64[:, ::1], float64[::1])")
def _erf_loop(x: Array, coefficients: Array, out: Array) -> None:
    for i in range(x.size):
        wide = np.float64(x[i])
        size = abs(wide)
        size = size if size < _LAST else np.float64(_LAST)
        nearest = np.int64(size * _STEPS + 0.5)
        distance = size - nearest / _STEPS
        total = coefficients[nearest, _DEGREE - 1]
        for degree in range(_DEGREE - 2, -1, -1):
            total = total * distance + coefficients[nearest, degree]
        out[i] = math.copysign(total, wide) if wide == wide else wide
