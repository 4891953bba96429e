"""Element-wise operations for which NumPy goes over the numbers several times, in one pass.

Logarithms and powers are computed in double precision and rounded once by both twins.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dispatch
from .softmax import LN_2_HIGH, LN_2_LOW, LOG2_E, ROUNDER, exp

Array = np.ndarray[Any, Any]
FEW = 1024
"""Where there are no more numbers, NumPy has chosen or bounded them before a loop is called."""
ONE = {kind: np.ones((), kind) for kind in dispatch.FLOATS}
"""1 in each type: an array, which NumPy takes sooner than a number of Python's."""


def _in_one_pass(x: Array, *others: Any) -> bool:
    """Whether a loop takes x, and the arrays beside it, which are of its shape and type."""
    if not (dispatch.small.ready(x.size, x.dtype) and x.flags.c_contiguous):
        return False
    for other in others:
        if not (other.dtype is x.dtype and other.shape == x.shape and other.flags.c_contiguous):
            return False
    return True


def clamp(x: Array, low: Any, high: Any) -> Any:
    """min(max(x, low), high) for numbers (None: no bound); of a 0 and a −0, x stays.

    >>> import numpy as np
    >>> clamp(np.array([-2.0, 0.5]), 0, None)
    array([0. , 0.5])
    """
    if (x.size > FEW or not (low is None or high is None)) and _in_one_pass(x):
        out = np.empty(x.shape, x.dtype)
        bounds = -math.inf if low is None else float(low), math.inf if high is None else float(high)
        _clamp_loop(x.ravel(), *bounds, out.ravel())
        return out
    raised = x if low is None else np.maximum(low, x)  # of equal numbers, NumPy takes the second
    return raised if high is None else np.minimum(high, raised)


@dispatch.small.loop("void(const T[::1], float64, float64, T[::1])")
def _clamp_loop(x: Array, low: float, high: float, out: Array) -> None:
    least, most = x.dtype.type(low), x.dtype.type(high)
    for i in range(x.size):
        raised = least if x[i] < least or least != least else x[i]
        raised = x[i] if x[i] != x[i] else raised
        held = most if raised > most or most != most else raised
        out[i] = raised if raised != raised else held


def choose(condition: Any, x: Any, y: Any) -> Any:
    """x where condition, y elsewhere: `np.where`.

    >>> import numpy as np
    >>> choose(np.array([True, False]), np.array([1.0, 2.0]), 0.0)
    array([1., 0.])
    """
    array, number = (y, x) if getattr(x, "ndim", 0) == 0 else (x, y)
    if (
        getattr(array, "size", 1) > FEW
        and array.__class__ is condition.__class__ is np.ndarray
        and condition.shape == array.shape
        and condition.dtype.kind == "b"
        and condition.flags.c_contiguous
        and _in_one_pass(array)
    ):
        out = np.empty(array.shape, array.dtype)
        flat = condition.ravel(), array.ravel(), out.ravel()
        if number.__class__ in (float, int) or (
            number.__class__ is np.ndarray and number.ndim == 0 and number.dtype is array.dtype
        ):
            _choose_number_loop(*flat, float(number), array is x)
            return out
        if number.__class__ is np.ndarray and _in_one_pass(array, number):
            _choose_loop(*flat, number.ravel())
            return out
    return np.where(condition, x, y)


@dispatch.small.loop("void(const boolean[::1], const T[::1], T[::1], const T[::1])")
def _choose_loop(condition: Array, x: Array, out: Array, y: Array) -> None:
    for i in range(x.size):
        out[i] = x[i] if condition[i] else y[i]


@dispatch.small.loop("void(const boolean[::1], const T[::1], T[::1], float64, boolean)")
def _choose_number_loop(condition: Array, x: Array, out: Array, number: float, where: bool) -> None:
    other = x.dtype.type(number)
    for i in range(x.size):
        out[i] = x[i] if condition[i] == where else other


def sign(x: Array) -> Any:
    """−1, 0 or 1 for floating-point numbers; 0 for NaN."""
    if _in_one_pass(x):
        out = np.empty(x.shape, x.dtype)
        _sign_loop(x.ravel(), out.ravel())
        return out
    out = np.sign(x)
    return np.where(out == out, out, x.dtype.type(0))


@dispatch.small.loop("void(const T[::1], T[::1])")
def _sign_loop(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = 1 if x[i] > 0 else -1 if x[i] < 0 else 0


# Powers and logarithms


@dispatch.small.part(fastmath={"contract"})
def _log_one_plus(x: float) -> float:
    """ln(1 + x) for x from 0 to 1, free of branches: 2 artanh(x / (x + 2)) by its series."""
    s = x / (x + 2.0)
    square = s * s
    series = 0.0
    for k in range(16, -1, -1):
        series = series * square + 2.0 / (2 * k + 1)
    return s * series


@dispatch.small.part(fastmath={"contract"})
def _exp_minus_one(x: float) -> float:
    """eˣ − 1 for x up to 0, free of branches: 2ⁿ (eʳ − 1) + (2ⁿ − 1), as `softmax.exp` has n, r."""
    x = -50.0 if x < -50.0 else x
    rounded = x * LOG2_E + ROUNDER
    n = rounded - ROUNDER
    r = (x - n * LN_2_HIGH) - n * LN_2_LOW
    series = 0.0
    for k in range(13, 0, -1):
        series = 1.0 + series * r / (k + 1)
    exponent = np.float64(rounded).view(np.int64) << 32 >> 32
    power = np.int64((exponent + 1023) << 52).view(np.float64)
    return series * r * power + (power - 1.0)


def log_add_exp(x: Array, y: Array) -> Any:
    """ln(eˣ + eʸ)

    >>> import numpy as np
    >>> log_add_exp(np.array([1e3]), np.array([0.0]))
    array([1000.])
    """
    both = x.__class__ is y.__class__ is np.ndarray
    if both and x.dtype == np.float32 and _in_one_pass(x, y):
        out = np.empty(x.shape, x.dtype)
        _log_add_exp_loop(x.ravel(), y.ravel(), out.ravel())
        return out
    kind = np.result_type(x, y)
    return np.logaddexp(x, y, dtype=np.float64).astype(kind)


@dispatch.small.loop("void(const float32[::1], const float32[::1], float32[::1])")
def _log_add_exp_loop(x: Array, y: Array, out: Array) -> None:
    for i in range(x.size):
        a, b = np.float64(x[i]), np.float64(y[i])
        apart = 0.0 if a == b else -abs(a - b)
        out[i] = (a if a > b else b) + _log_one_plus(exp(apart))


def softplus(x: Array, beta: float, threshold: float) -> Any:
    """ln(1 + e^(beta · x)) / beta; x itself where beta · x is above `threshold`."""
    if x.dtype == np.float32 and _in_one_pass(x):
        out = np.empty(x.shape, x.dtype)
        _softplus_loop(x.ravel(), beta, threshold, out.ravel())
        return out
    scaled = x.astype(np.float64) * beta
    smooth = (np.logaddexp(scaled, 0) / beta).astype(x.dtype)
    return np.where(scaled > threshold, x, smooth)


@dispatch.small.loop("void(const float32[::1], float64, float64, float32[::1])")
def _softplus_loop(x: Array, beta: float, threshold: float, out: Array) -> None:
    for i in range(x.size):
        scaled = np.float64(x[i]) * beta
        smooth = (scaled if scaled > 0.0 else 0.0) + _log_one_plus(exp(-abs(scaled)))
        out[i] = np.float64(x[i]) if scaled > threshold else smooth / beta


def elu(x: Array, alpha: float, scale: float, input_scale: float) -> Any:
    """scale · x for x > 0, scale · alpha · (e^(input_scale · x) − 1) below."""
    if _in_one_pass(x) and input_scale > 0:
        out = np.empty(x.shape, x.dtype)
        _elu_loop(x.ravel(), alpha * scale, scale, input_scale, out.ravel())
        return out
    wide = x.astype(np.float64)
    below = np.expm1(np.minimum(0, wide * input_scale)) * (alpha * scale)
    return np.where(x > 0, wide * scale, below).astype(x.dtype)


@dispatch.small.loop("void(const T[::1], float64, float64, float64, T[::1])")
def _elu_loop(x: Array, depth: float, scale: float, input_scale: float, out: Array) -> None:
    for i in range(x.size):
        wide = np.float64(x[i])
        below = _exp_minus_one((0.0 if wide > 0.0 else wide) * input_scale) * depth
        out[i] = wide * scale if wide >= 0.0 else below


def hypot(x: Array, y: Array) -> Any:
    """√(x² + y²)"""
    if x.dtype == np.float32 and y.__class__ is np.ndarray and _in_one_pass(x, y):
        out = np.empty(x.shape, x.dtype)
        _hypot_loop(x.ravel(), y.ravel(), out.ravel())
        return out
    return np.hypot(x, y)


@dispatch.small.loop("void(const float32[::1], const float32[::1], float32[::1])")
def _hypot_loop(x: Array, y: Array, out: Array) -> None:
    """The squares are exact in double precision."""
    for i in range(x.size):
        a, b = np.float64(x[i]), np.float64(y[i])
        infinite = abs(a) == np.inf or abs(b) == np.inf
        out[i] = np.inf if infinite else np.sqrt(a * a + b * b)
