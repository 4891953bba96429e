"""Arrays of given numbers, laid out in memory in the ways that break things."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["LAYOUTS", "NUMBERS", "filled", "laid_out"]

Array = np.ndarray[Any, Any]

LAYOUTS = ("contiguous", "transposed", "gaps", "offset", "expanded")
"""In order; dimensions reversed; every second number; not from the start; with strides of 0."""

NUMBERS = ("ordinary", "halves", "positive", "unit", "special")
"""Normally distributed; −3, −2.5, … 3, with ties and zeros; from 0.1 to 4; between 0 and 1; and
with NaN, infinities, −0, the very large and the very small among halves."""

_STRANGE = (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -0.0)


def filled(shape: tuple[int, ...], dtype: Any, numbers: str, seed: int) -> Array:
    """An array of `numbers` (one of `NUMBERS`) that `seed` fixes; integers are small, bools both.

    >>> filled((4,), "float32", "halves", seed=0)
    array([ 2.5,  1. ,  0. , -1.5], dtype=float32)
    """
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if kind.kind in "iu":
        low = 1 if numbers == "positive" else 0 if kind.kind == "u" else -4
        return random.integers(low, 6, shape).astype(kind)
    if numbers == "ordinary":
        drawn = random.normal(0, 2, shape)
    elif numbers == "positive":
        drawn = random.uniform(0.1, 4, shape)
    elif numbers == "unit":
        drawn = random.uniform(0.02, 0.98, shape)
    else:
        drawn = random.integers(-6, 7, shape) / 2
    if numbers == "special":
        strange = random.choice(_STRANGE, shape)
        drawn = np.where(random.integers(0, 3, shape) == 0, strange, drawn)
    return np.asarray(drawn, kind)


def laid_out(array: Array, layout: str) -> Array:
    """An array of the same shape that lies in memory as `layout` (one of `LAYOUTS`) says.

    The numbers are the same too, save for "expanded", where one dimension repeats its first.

    >>> import numpy as np
    >>> laid_out(np.zeros((2, 3)), "transposed").strides
    (8, 16)
    """
    if layout == "transposed":
        return np.asfortranarray(array)
    if array.ndim and layout == "gaps":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if array.ndim and layout == "offset":
        return np.concatenate([array[:1], array])[1:]
    if layout == "expanded" and array.size > 1:
        axis = array.size % array.ndim
        first = array[(slice(None),) * axis + (slice(0, 1),)]
        return np.broadcast_to(first, array.shape)
    return array
