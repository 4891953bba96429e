"""Normal numbers from uniform ones, PyTorch's to the last bit; and x·y + z rounded once.

`twister` is what `random_loops` draws from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dispatch
from .random_loops import draw_double, product_plus, uniform_doubles, uniform_floats

Array = np.ndarray[Any, Any]

# x·y + z with one rounding: PyTorch's compiled loops fuse a product and the sum that follows, as
# processors compute it and NumPy cannot.

_SPLITTER = 2.0**27 + 1


def multiply_add(x: Array, y: float, z: float) -> Array:
    """x·y + z rounded once, in x's dtype (float32 or float64); y and z are of that dtype too.

    For float32 the product is exact in float64; the sum is rounded there before it is rounded to
    float32, which differs from one rounding in one of about 2**29 sums.
    """
    if y == 1:
        return x + z
    if x.dtype == np.float32:
        return (x.astype(np.float64) * y + z).astype(np.float32)
    if not (math.isfinite(y) and math.isfinite(z)):
        return x * y + z
    _, exponent = math.frexp(max(abs(y), abs(z)))
    exact = _multiply_add_exact(x, math.ldexp(y, -exponent), math.ldexp(z, -exponent))
    return np.ldexp(exact, exponent)


def _multiply_add_exact(x: Array, y: float, z: float) -> Array:
    """x·y + z in float64, for |y|, |z| <= 1.

    Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Transactions on
    Computers 57 (2008): add the parts of the exact product so that only the last sum rounds.
    """
    product, below = _exact_product(x, y)
    tail, tail_below = _exact_sum(below, z)
    head, head_below = _exact_sum(product, tail)
    low, lost = _exact_sum(tail_below, head_below)
    return head + _rounded_to_odd(low, lost)


def _exact_product(x: Array, y: float) -> tuple[Array, Array]:
    """x·y as a rounded product and what the rounding lost (Dekker, 1971)."""
    product = x * y
    x_high = _high_half(x)
    y_high = _high_half(np.float64(y))
    x_low, y_low = x - x_high, y - y_high
    lost = x_low * y_low - (((product - x_high * y_high) - x_low * y_high) - x_high * y_low)
    return product, lost


def _high_half(x: Any) -> Any:
    """The upper 26 bits of x (Veltkamp)."""
    scaled = x * _SPLITTER
    return scaled - (scaled - x)


def _exact_sum(x: Any, y: Any) -> tuple[Array, Array]:
    """x + y as a rounded sum and what the rounding lost (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _rounded_to_odd(x: Array, lost: Array) -> Array:
    """The odd one of the two numbers around x + lost, or x when `lost` is 0.

    `lost` is less than a unit in x's last place.
    """
    even = (x.view(np.int64) & 1) == 0
    towards = np.where(lost > 0, np.inf, -np.inf)
    return np.where(even & (lost != 0), np.nextafter(x, towards), x)


# Normal numbers from uniform ones. Two independent uniform numbers u₁ and u₂ give two independent
# normal ones, √(−2 ln u₁) · cos 2πu₂ and √(−2 ln u₁) · sin 2πu₂. Source: Box and Muller, "A Note on
# the Generation of Random Normal Deviates" (1958).

BLOCK = 16
"""PyTorch turns 16 uniform numbers at a time: 8 times u₁, 8 times u₂, into 8 cosines, 8 sines."""


def normal_blocks(uniform: Array, mean: float, std: float) -> Array:
    """(16 n,) uniform numbers from [0, 1) -> (16 n,) normal numbers of the same dtype."""
    blocks = uniform.reshape(-1, 2, BLOCK // 2)
    u1 = 1 - blocks[:, 0].reshape(-1)
    u2 = blocks[:, 1].reshape(-1)
    if uniform.dtype == np.float32:
        cosine, sine = _polar_float32(u1, u2)
    else:
        cosine, sine = _polar(np.sqrt(-2 * elementwise(math.log, u1)), u2)
    normal = np.empty_like(blocks)
    normal[:, 0] = cosine.reshape(-1, BLOCK // 2)
    normal[:, 1] = sine.reshape(-1, BLOCK // 2)
    return multiply_add(normal.reshape(-1), uniform.dtype.type(std), uniform.dtype.type(mean))


def normal_pairs(uniform: Array) -> Array:
    """(2 n,) uniform float64 from [0, 1) -> (2 n,) standard normal ones; a pair is u₂, 1 - u₁."""
    u2, u1 = uniform.reshape(-1, 2).T
    radius = np.sqrt(-2 * elementwise(math.log1p, -u1))
    return np.stack(_polar(radius, u2), axis=1).reshape(-1)


def elementwise(function: Callable[[float], float], x: Array) -> Array:
    """A function of the C library on each number of x: NumPy's own differ in the last bit."""
    return np.fromiter(map(function, x.tolist()), np.float64, x.size)


def _polar(radius: Array, turn: Array) -> tuple[Array, Array]:
    theta = 2 * math.pi * turn
    return radius * elementwise(math.cos, theta), radius * elementwise(math.sin, theta)


def _polar_float32(u1: Array, u2: Array) -> tuple[Array, Array]:
    radius = np.sqrt(np.float32(-2) * _log(u1))
    cosine, sine = _cosine_and_sine(np.float32(2 * math.pi) * u2)
    return radius * cosine, radius * sine


# PyTorch's AVX2 loop takes logarithm, cosine and sine from the Cephes library (S. Moshier,
# netlib.org/cephes: logf.c, sinf.c), whose polynomials follow, with products and sums fused.

_SQRT_HALF_BITS = np.float32(math.sqrt(0.5)).view(np.int32)
_SIGN_SHIFT = 29  # from bit 2, which counts half turns, to the sign of a float32
_LOG2_HIGH = np.float32(0.693359375)
_LOG2_LOW = np.float32(-2.12194440e-4)
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
_QUARTER_TURN = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
"""-π/4 in three parts, so that its multiples can be taken off without loss."""
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """c₀xⁿ + … + cₙ by Horner's rule in float32, product and sum of each step rounded once.

    A product of two float32 is exact in float64.
    """
    first, *rest = np.array(coefficients, np.float32).tolist()
    wide = x.astype(np.float64)
    total = wide * first
    rounded = np.empty_like(x)
    for step, coefficient in enumerate(rest):
        if step:
            np.multiply(rounded, wide, out=total)
        total += coefficient
        rounded[...] = total
    return rounded


def _product_plus(x: Array, y: Array | np.float32, z: Array) -> Array:
    """x·y + z in float32, rounded once."""
    total = np.multiply(x, y, dtype=np.float64)
    total += z
    return total.astype(np.float32)


def _log(x: Array) -> Array:
    """ln x for float32 in (0, 1]: with x = m · 2ᵉ and √½ <= m < √2, ln m + e ln 2."""
    bits = x.view(np.int32)
    e = (bits - _SQRT_HALF_BITS) >> 23
    beyond_one = (bits - (e << 23)).view(np.float32)
    beyond_one -= 1
    exponent = e.astype(np.float32)
    square = beyond_one * beyond_one
    value = _polynomial(_LOG, beyond_one)
    value *= beyond_one
    value = _product_plus(value, square, exponent * _LOG2_LOW)
    value -= square * np.float32(0.5)
    value += beyond_one
    return _product_plus(exponent, _LOG2_HIGH, value)


def _cosine_and_sine(x: Array) -> tuple[Array, Array]:
    """cos x and sin x for float32 in [0, 2π): less its multiples of π/2, two polynomials in x."""
    octant = (x * np.float32(4 / math.pi)).astype(np.int32)
    octant += octant & 1
    multiple = octant.astype(np.float32)
    for part in _QUARTER_TURN:
        x = _product_plus(multiple, np.float32(part), x)
    square = x * x
    near_one = _polynomial(_COSINE, square)
    near_one *= square
    near_one = _product_plus(near_one, square, square * np.float32(-0.5))
    near_one += 1
    near_zero = _polynomial(_SINE, square)
    near_zero *= square
    near_zero = _product_plus(near_zero, x, x)
    swapped = (octant & 2) != 0
    cosine = np.where(swapped, near_zero, near_one)
    sine = np.where(swapped, near_one, near_zero)
    cosine.view(np.int32)[...] ^= ((octant + 2) & 4) << _SIGN_SHIFT
    sine.view(np.int32)[...] ^= (octant & 4) << _SIGN_SHIFT
    return cosine, sine


# The same in loops.


@dispatch.draws.loop("float64(uint32[::1], float64[::1], float64, float64, float64)")
def normal_in_pairs(twister: Array, out: Array, mean: float, std: float, spare: float) -> float:
    """Normal numbers one by one; returns what is left over of the last pair, as `spare` was before.

    NaN says that nothing is.
    """
    for i in range(out.size):
        if spare == spare:
            number, spare = spare, np.nan
        else:
            theta = 2 * math.pi * draw_double(twister)
            radius = math.sqrt(-2 * math.log1p(-draw_double(twister)))
            number, spare = radius * math.cos(theta), radius * math.sin(theta)
        out[i] = product_plus(number, std, mean)
    return spare


@dispatch.draws.part()
def _turn_doubles(block: Array, mean: float, std: float) -> None:
    for i in range(BLOCK // 2):
        radius = math.sqrt(-2 * math.log(1 - block[i]))
        theta = 2 * math.pi * block[i + BLOCK // 2]
        block[i] = product_plus(radius * math.cos(theta), std, mean)
        block[i + BLOCK // 2] = product_plus(radius * math.sin(theta), std, mean)


@dispatch.draws.loop("void(uint32[::1], float64[::1], float64, float64)")
def normal_doubles(twister: Array, out: Array, mean: float, std: float) -> None:
    """Normal numbers, 16 or more, in blocks; the last 16 anew where one is incomplete."""
    uniform_doubles(twister, out)
    for start in range(0, out.size - BLOCK + 1, BLOCK):
        _turn_doubles(out[start : start + BLOCK], mean, std)
    if out.size % BLOCK:
        uniform_doubles(twister, out[-BLOCK:])
        _turn_doubles(out[-BLOCK:], mean, std)


@dispatch.draws.part()
def _horner(coefficients: Any, x: Any) -> Any:
    total = np.float32(coefficients[0])
    for i in range(1, len(coefficients)):
        total = product_plus(total, x, np.float32(coefficients[i]))
    return total


@dispatch.draws.part()
def _log_of(x: Any) -> Any:
    bits = np.float32(x).view(np.int32)
    e = (bits - _SQRT_HALF_BITS) >> np.int32(23)
    m = np.int32(bits - (e << np.int32(23))).view(np.float32) - np.float32(1)
    exponent = np.float32(e)
    square = m * m
    value = product_plus(_horner(_LOG, m) * m, square, exponent * _LOG2_LOW)
    value = value - square * np.float32(0.5) + m
    return product_plus(exponent, _LOG2_HIGH, value)


@dispatch.draws.part()
def _turn_floats(block: Array, mean: Any, std: Any) -> None:
    for i in range(BLOCK // 2):
        radius = np.sqrt(np.float32(-2) * _log_of(np.float32(1) - block[i]))
        x = np.float32(2 * math.pi) * block[i + BLOCK // 2]
        octant = np.int32(x * np.float32(4 / math.pi))
        octant += octant & np.int32(1)
        multiple = np.float32(octant)
        x = product_plus(multiple, np.float32(_QUARTER_TURN[0]), x)
        x = product_plus(multiple, np.float32(_QUARTER_TURN[1]), x)
        x = product_plus(multiple, np.float32(_QUARTER_TURN[2]), x)
        square = x * x
        near_one = _horner(_COSINE, square) * square
        near_one = product_plus(near_one, square, square * np.float32(-0.5)) + np.float32(1)
        near_zero = product_plus(_horner(_SINE, square) * square, x, x)
        swapped = (octant & np.int32(2)) != 0
        cosine = near_zero if swapped else near_one
        sine = near_one if swapped else near_zero
        cosine = -cosine if (octant + np.int32(2)) & np.int32(4) else cosine
        sine = -sine if octant & np.int32(4) else sine
        block[i] = product_plus(radius * cosine, std, mean)
        block[i + BLOCK // 2] = product_plus(radius * sine, std, mean)


@dispatch.draws.loop("void(uint32[::1], float32[::1], float32, float32)")
def normal_floats(twister: Array, out: Array, mean: float, std: float) -> None:
    """`normal_doubles` in float32."""
    uniform_floats(twister, out)
    for start in range(0, out.size - BLOCK + 1, BLOCK):
        _turn_floats(out[start : start + BLOCK], mean, std)
    if out.size % BLOCK:
        uniform_floats(twister, out[-BLOCK:])
        _turn_floats(out[-BLOCK:], mean, std)
