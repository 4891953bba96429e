"""Differences counted in units in the last place (ulp).

One ulp of a number is the gap to its next neighbour in its type: 2⁻²³ of 1.0 in float32. Two
engines that each round once differ by one ulp at most. A sum that cancels is another matter: its
error is a few ulp of the *sum of its absolute terms*, and may be many ulp of the small result.
So the caller says of what to count: `scale`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ulp_difference"]

Array = np.ndarray[Any, Any]


def ulp_difference(ours: Array, theirs: Array, scale: Array | None = None) -> Array:
    """|ours − theirs| in ulp of the largest of |ours|, |theirs| and `scale`, element by element.

    The two arrays have one shape and one dtype; `scale` broadcasts to it. Equal numbers, equal
    infinities and two NaN differ by 0; a number and an infinity, a number and a NaN, and two
    integers or bools that differ, by infinity. Returns float64.

    >>> import numpy as np
    >>> one = np.ones(1, np.float32)
    >>> ulp_difference(np.nextafter(one, np.float32(2)), one)
    array([1.])
    >>> ulp_difference(np.nextafter(one, np.float32(2)), one, scale=np.float32(8))
    array([0.125])
    """
    same = (ours == theirs) | ((ours != ours) & (theirs != theirs))
    if ours.dtype.kind != "f":
        return np.where(same, 0.0, np.inf)
    with np.errstate(all="ignore"):
        largest = np.maximum(np.abs(ours), np.abs(theirs))
        if scale is not None:
            stated = np.broadcast_to(np.asarray(scale, ours.dtype), ours.shape)
            largest = np.maximum(largest, np.where(np.isfinite(stated), np.abs(stated), 0))
        unit = np.spacing(np.maximum(largest, np.finfo(ours.dtype).tiny)).astype(np.float64)
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)) / unit
    return np.where(same, 0.0, np.where(np.isfinite(apart), apart, np.inf))
