"""Operations on single numbers that Numba has otherwise than PyTorch, or has not."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from tinygrad_mnist.kernels import softmax

_part = numba.njit(error_model="numpy")


@numba.njit(error_model="numpy", fastmath={"reassoc"})
def add(total: Any, number: Any) -> Any:
    """A sum with a number more: the one place where LLVM may choose the order of additions."""
    return total + number


# Powers of e and the error function in float32, without branches: LLVM computes several at once.


Coefficients = tuple[np.float32, ...]
_chebyshev: Any = np.polynomial.chebyshev


def _interpolated(function: Any, degree: int, middle: float, reach: float) -> Coefficients:
    """Coefficients of powers of x, the highest first, for |x − middle| up to `reach`."""
    values = np.vectorize(lambda t: function(middle + reach * t))
    found = _chebyshev.Chebyshev(
        _chebyshev.chebinterpolate(values, degree), domain=[middle - reach, middle + reach]
    )
    powers = found.convert(kind=np.polynomial.Polynomial).coef[::-1]
    return tuple([np.float32(number) for number in powers])


def _rest_of_power(r: float) -> float:
    """(eʳ − 1 − r) / r²"""
    return sum(r**k / math.factorial(k + 2) for k in range(13))


def _rest_of_erf(z: float) -> float:
    """erf √z / √z − 1"""
    return math.erf(math.sqrt(z)) / math.sqrt(z) - 1


_LEAST, _MOST = np.float32(-104), np.float32(89)
"""Beyond them eˣ is 0 or infinite."""
_LOG2_E, _ROUNDER, _ONE = np.float32(softmax.LOG2_E), np.float32(1.5 * 2**23), np.float32(1)
_HIGH = np.float32(0.693359375)
_LOW = np.float32(math.log(2) - 0.693359375)
_C = _interpolated(_rest_of_power, 5, 0.0, math.log(2) / 2)
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


_END = np.float32(4)
"""From here on erf is 1 in float32."""
_NEAR = _interpolated(_rest_of_erf, 6, 0.5, 0.5)
_FAR = _interpolated(lambda t: math.erfc(2.5 + t), 15, 0.0, 1.5)
_MIDDLE = np.float32(2.5)


@numba.njit(error_model="numpy", fastmath={"contract"})
def erf(x: Any) -> Any:
    """erf x within an ulp: by a series up to 1, and as what is left of 1 from there on."""
    t = abs(x)
    t = _END if t > _END else t
    z = t * t
    near = (((_NEAR[0] * z + _NEAR[1]) * z + _NEAR[2]) * z + _NEAR[3]) * z + _NEAR[4]
    near = ((near * z + _NEAR[5]) * z + _NEAR[6]) * x + x
    u = t - _MIDDLE
    far = (((_FAR[0] * u + _FAR[1]) * u + _FAR[2]) * u + _FAR[3]) * u + _FAR[4]
    far = ((((far * u + _FAR[5]) * u + _FAR[6]) * u + _FAR[7]) * u + _FAR[8]) * u + _FAR[9]
    far = (((far * u + _FAR[10]) * u + _FAR[11]) * u + _FAR[12]) * u + _FAR[13]
    far = (far * u + _FAR[14]) * u + _FAR[15]
    return near if t < _ONE else math.copysign(_ONE - far, x)


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
