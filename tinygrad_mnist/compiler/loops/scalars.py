"""Operations on single numbers that Numba has otherwise than PyTorch, or has not."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from tinygrad_mnist.kernels import activations, softmax

_part = numba.njit(error_model="numpy")


@numba.njit(error_model="numpy", fastmath={"reassoc"})
def add(total: Any, number: Any) -> Any:
    """A sum with a number more: the one place where LLVM may choose the order of additions."""
    return total + number


# Powers of e and the error function in float32, without branches: LLVM computes several at once.


def _series() -> tuple[np.float32, ...]:
    """(eʳ − 1 − r) / r² in powers of r, the highest first, for |r| up to ln 2 / 2, to 1e-9."""
    chebyshev: Any = np.polynomial.chebyshev
    end = math.log(2) / 2
    terms = [1 / math.factorial(k + 2) for k in range(12, -1, -1)]
    found = chebyshev.chebinterpolate(lambda t: np.polyval(terms, t * end), 5)
    powers = chebyshev.cheb2poly(found) / end ** np.arange(6)
    return tuple([np.float32(number) for number in powers[::-1]])


_LEAST, _MOST = np.float32(-104), np.float32(89)
"""Beyond them eˣ is 0 or infinite."""
_LOG2_E, _ROUNDER, _ONE = np.float32(softmax.LOG2_E), np.float32(1.5 * 2**23), np.float32(1)
_HIGH = np.float32(0.693359375)
_LOW = np.float32(math.log(2) - 0.693359375)
_C = _series()
_BIAS, _MANTISSA, _SIGN = np.int32(127), np.int32(23), np.int32(9)


@numba.njit(error_model="numpy", fastmath={"contract"})
def exp(x: Any) -> Any:
    """eˣ within an ulp, as `kernels.softmax.exp` has it, in registers of twice as many numbers."""
    x = _MOST if x > _MOST else x
    x = _LEAST if x < _LEAST else x
    rounded = x * _LOG2_E + _ROUNDER
    n = rounded - _ROUNDER
    r = (x - n * _HIGH) - n * _LOW
    series = ((((_C[0] * r + _C[1]) * r + _C[2]) * r + _C[3]) * r + _C[4]) * r + _C[5]
    power = series * (r * r) + r + _ONE
    whole = (np.float32(rounded).view(np.int32) << _SIGN) >> _SIGN
    half = whole >> np.int32(1)
    power *= np.int32((half + _BIAS) << _MANTISSA).view(np.float32)
    return power * np.int32((whole - half + _BIAS) << _MANTISSA).view(np.float32)


@_part
def erf(x: Any) -> Any:
    """erf x, rounded once."""
    return np.float32(activations.erf_to_single(np.float64(x)))


@_part
def floor_divide(x: Any, y: Any) -> Any:
    """⌊x / y⌋ of floating-point numbers, by way of the remainder, which is exact."""
    rest = np.fmod(x, y)
    quotient = (x - rest) / y
    if y == 0:
        return x / y
    if rest != 0 and (y < 0) != (rest < 0):
        quotient -= 1
    if quotient == 0:
        return np.copysign(quotient, x / y)
    whole = np.floor(quotient)
    return whole + 1 if quotient - whole > 0.5 else whole


@_part
def remainder(x: Any, y: Any) -> Any:
    """x − y · ⌊x / y⌋ of floating-point numbers."""
    rest = np.fmod(x, y)
    return rest + y if rest != 0 and (y < 0) != (rest < 0) else rest


@_part
def lgamma(x: Any) -> Any:
    """ln|Γ(x)|, infinite at the poles, where Python's raises."""
    if (x <= 0 and x == np.floor(x)) or x > 2.5e305:
        return np.inf
    return math.lgamma(x)


@_part
def power(x: Any, y: Any) -> Any:
    """xʸ for one y of all x: simple powers as NumPy and `ops.arithmetic` compute them."""
    if y == 2:
        return x * x
    if y == 3:
        return x * x * x
    if y == 0.5:
        return np.sqrt(x)
    if y == -0.5:
        return 1 / np.sqrt(x)
    if y == -1:
        return 1 / x
    return 1 / (x * x) if y == -2 else x**y


# Whole numbers, which come as int64 whatever their type, and wrap around in it.


@_part
def whole_quotient(x: int, y: int) -> int:
    """⌊x / y⌋, for y other than 0; the least number by −1 is itself, as PyTorch has it."""
    return -x if y == -1 else x // y


@_part
def whole_remainder(x: int, y: int) -> int:
    """x − y · ⌊x / y⌋, the sign that of y."""
    return 0 if y == -1 else x % y


@_part
def whole_fmod(x: int, y: int) -> int:
    """What x / y without its fraction leaves, the sign that of x."""
    rest = 0 if y == -1 else x % y
    return rest - y if rest != 0 and (x < 0) != (y < 0) else rest


@_part
def whole_power(x: int, y: int) -> int:
    """xʸ; for a negative y 0, unless x is 1 or −1."""
    if y < 0:
        return (x if y % 2 else 1) if x in (1, -1) else 0
    power, square = 1, x
    while y > 0:
        if y % 2:
            power *= square
        square *= square
        y //= 2
    return power
