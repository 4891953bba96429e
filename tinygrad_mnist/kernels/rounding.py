"""x·y + z with one rounding, as processors compute it and NumPy cannot.

PyTorch's compiled loops fuse a product and the sum that follows. Where its numbers are to be met
to the last bit, the same must happen here.
"""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

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
