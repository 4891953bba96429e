"""Matrix products."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from . import switch

__all__ = ["matmul"]

Array = np.ndarray[Any, Any]

FLOAT32: Final = np.dtype(np.float32)
FEW: Final = (5, 10)
LONG: Final = 32
MOST_ELEMENTS: Final = 1 << 20


def matmul(a: Array, b: Array) -> Array:
    """a @ b.

    BLAS does it, save where a loop was measured to be faster on one thread and no slower on two:
    float32, one side of the product five or ten long, and the large operand of 8192 to 2²⁰
    elements, as a batch of images has. So it is with a batch times the weights of the logistic
    model, whichever way they lie, and with the gradient of the weights.
    """
    if a.dtype is b.dtype is FLOAT32 and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
        found = _loop_for(a, b)
        loops = None if found is None else switch.core.loops or switch.core.consider(switch.LARGE)
        if found is not None and loops is not None:
            name, first, second = found
            out = np.empty((a.shape[0], b.shape[1]), FLOAT32)
            getattr(loops, name)(first, second, out)
            return out
    return matmul_numpy(a, b)


def _loop_for(a: Array, b: Array) -> tuple[str, Array, Array] | None:
    """The loop that computes a @ b, and its operands, which lie in rows."""
    rows, columns = a.shape[0], b.shape[1]
    if not switch.LARGE <= max(a.size, b.size) <= MOST_ELEMENTS:
        return None
    if a.flags.c_contiguous:
        if rows < 4 or columns not in FEW:
            return None
        if b.flags.c_contiguous:
            return "few_columns", a, b
        return ("times_transposed", a, b.T) if b.flags.f_contiguous else None
    if not (a.flags.f_contiguous and b.flags.c_contiguous):
        return None
    if columns in FEW and rows >= LONG:
        return "few_columns_of_transposed", a.T, b
    if rows in FEW and columns >= LONG:
        return "of_transposed", a.T, b
    return None


def matmul_numpy(a: Array, b: Array) -> Array:
    """The NumPy twin of `matmul`."""
    with np.errstate(all="ignore"):
        product: Array = np.matmul(a, b)
    return product
