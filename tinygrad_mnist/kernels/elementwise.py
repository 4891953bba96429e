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
_SINGLE = np.dtype(np.float32)
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


def spaced(start: Any, end: Any, count: int) -> Array:
    """`count` numbers, 2 at least, from `start` to `end`, which are NumPy's of one type.

    Each is counted from the nearer end and rounded once. PyTorch does so by fused multiplication
    and addition; here, the next wider type serves.

    >>> import numpy as np
    >>> spaced(np.float32(0), np.float32(1), 3)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    number, half = type(start), count // 2
    step = (end - start) / number(count - 1)
    if number is np.float32 and dispatch.small.ready(count, _SINGLE):
        out = np.empty(count, _SINGLE)
        _spaced_loop(float(start), float(end), float(step), out)
        return out
    wider = np.float64 if number is np.float32 else np.longdouble
    places: Array = np.arange(count, dtype=wider)
    places[half:] -= count - 1
    places *= wider(step)
    places[:half] += start
    places[half:] += end
    return places.astype(number)


@dispatch.small.loop("void(float64, float64, float64, float32[::1])")
def _spaced_loop(start: float, end: float, step: float, out: Array) -> None:
    last = out.size - 1
    for i in range(out.size // 2):
        out[i] = i * step + start
    for i in range(out.size // 2, out.size):
        out[i] = (i - last) * step + end


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


def rounded_off(x: Array, near: float) -> Array:
    """x² / 2 where |x| < near, near · (|x| − near / 2) elsewhere: Huber's loss.

    >>> import numpy as np
    >>> rounded_off(np.array([-0.5, 2.0]), 1.0)
    array([0.125, 1.5  ])
    """
    if _in_one_pass(x):
        out = np.empty(x.shape, x.dtype)
        _rounded_off_loop(x.reshape(-1), near, out.reshape(-1))
        return out
    distance: Array = np.asarray(np.abs(x))
    held = np.minimum(distance, near)
    distance -= 0.5 * held
    distance *= held
    return distance


@dispatch.small.loop("void(const T[::1], float64, T[::1])")
def _rounded_off_loop(x: Array, near: float, out: Array) -> None:
    edge, half = x.dtype.type(near), x.dtype.type(0.5)
    for i in range(x.size):
        distance = abs(x[i])
        held = edge if distance > edge else distance
        out[i] = (distance - half * held) * held


# Derivatives


def leaky_relu_backward(grad: Array, x: Array, slope: float) -> Array:
    """g where x > 0, g · slope elsewhere."""
    if _in_one_pass(x, grad):
        out = np.empty(x.shape, x.dtype)
        _leaky_relu_backward_loop(grad.reshape(-1), x.reshape(-1), slope, out.reshape(-1))
        return out
    return np.where(x > 0, grad, grad * grad.dtype.type(slope))


@dispatch.small.loop("void(const T[::1], const T[::1], float64, T[::1])")
def _leaky_relu_backward_loop(grad: Array, x: Array, slope: float, out: Array) -> None:
    factor = x.dtype.type(slope)
    for i in range(x.size):
        below = grad[i] * factor
        out[i] = grad[i] if x[i] > 0 else below


def elu_backward(grad: Array, x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    """g · scale for x > 0, g · scale · alpha · input_scale · e^(input_scale · x) below."""
    kind = x.dtype.type
    powers = np.asarray(np.minimum(x, 0))
    if input_scale != 1:
        powers *= kind(input_scale)
    np.exp(powers, powers)
    depth = input_scale * alpha * scale
    if _in_one_pass(x, grad, powers):
        flat = grad.reshape(-1), x.reshape(-1), powers.reshape(-1)
        _elu_backward_loop(*flat, depth, scale)
        return powers
    result: Array = np.where(x <= 0, grad * kind(depth) * powers, grad * kind(scale))
    return result


@dispatch.small.loop("void(const T[::1], const T[::1], T[::1], float64, float64)")
def _elu_backward_loop(grad: Array, x: Array, powers: Array, depth: float, scale: float) -> None:
    """The result is written over the powers."""
    deep, above = x.dtype.type(depth), x.dtype.type(scale)
    for i in range(x.size):
        low, high = grad[i] * deep * powers[i], grad[i] * above
        powers[i] = low if x[i] <= 0 else high


def silu_backward(grad: Array, x: Array) -> Array:
    """g · s · (1 + x · (1 − s)) for s = 1 / (1 + e⁻ˣ)"""
    powers = np.asarray(np.negative(x))
    np.exp(powers, powers)
    if _in_one_pass(x, grad, powers):
        _silu_backward_loop(grad.reshape(-1), x.reshape(-1), powers.reshape(-1))
        return powers
    share = 1 / (1 + powers)
    result: Array = grad * share * (1 + x * (1 - share))
    return result


@dispatch.small.loop("void(const T[::1], const T[::1], T[::1])")
def _silu_backward_loop(grad: Array, x: Array, powers: Array) -> None:
    """The result is written over the powers."""
    one = x.dtype.type(1)
    for i in range(x.size):
        share = one / (one + powers[i])
        powers[i] = grad[i] * share * (one + x[i] * (one - share))


def softplus_backward(grad: Array, x: Array, beta: float, threshold: float) -> Array:
    """g / (1 + e^(−beta · x)); g itself where beta · x is above `threshold`."""
    scaled = np.asarray(x * x.dtype.type(beta))
    powers = np.asarray(np.negative(scaled))
    np.exp(powers, powers)
    powers += 1
    np.divide(grad, powers, powers)
    if scaled.size and np.maximum.reduce(scaled, axis=None) <= threshold:
        return powers
    return np.where(scaled > threshold, grad, powers)


def sigmoid_backward(grad: Array, out: Array) -> Array:
    """g · (1 − y) · y for y = 1 / (1 + e⁻ˣ)"""
    if _in_one_pass(out, grad):
        found = np.empty(out.shape, out.dtype)
        _sigmoid_backward_loop(grad.reshape(-1), out.reshape(-1), found.reshape(-1))
        return found
    result: Array = grad * (1 - out) * out
    return result


@dispatch.small.loop("void(const T[::1], const T[::1], T[::1])")
def _sigmoid_backward_loop(grad: Array, out: Array, found: Array) -> None:
    one = out.dtype.type(1)
    for i in range(out.size):
        found[i] = grad[i] * (one - out[i]) * out[i]


def tanh_backward(grad: Array, out: Array) -> Array:
    """g · (1 − y²) for y = tanh x"""
    if _in_one_pass(out, grad):
        found = np.empty(out.shape, out.dtype)
        _tanh_backward_loop(grad.reshape(-1), out.reshape(-1), found.reshape(-1))
        return found
    result: Array = grad * (1 - out * out)
    return result


@dispatch.small.loop("void(const T[::1], const T[::1], T[::1])")
def _tanh_backward_loop(grad: Array, out: Array, found: Array) -> None:
    one = out.dtype.type(1)
    for i in range(out.size):
        found[i] = grad[i] * (one - out[i] * out[i])
