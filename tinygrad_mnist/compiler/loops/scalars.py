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


# eˣ and erf x of float32, without branches: LLVM computes several at a time.


@_part
def exp(x: Any) -> Any:
    """eˣ, rounded once."""
    return np.float32(softmax.exp(np.float64(x)))


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
