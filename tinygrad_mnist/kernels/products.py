"""Matrix products."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from . import switch

__all__ = ["matmul"]

Array = np.ndarray[Any, Any]

FLOAT32: Final = np.dtype(np.float32)
COLUMNS: Final = (5, 10)
MOST_ELEMENTS: Final = 1 << 20


def matmul(a: Array, b: Array) -> Array:
    """a @ b.

    BLAS does it, save where a loop was measured to be faster on one thread and no slower on two:
    float32, a right operand of five or ten columns, C-contiguous, and a left operand of at least
    two rows and of 8192 to 2²⁰ elements, which is C-contiguous or the transpose of a C-contiguous
    matrix (then its number of columns is a multiple of four). So it is with a batch times the
    weights of the logistic model, and with the transposed batch times the gradient of the outcome.
    """
    if (
        switch.LARGE <= a.size <= MOST_ELEMENTS
        and a.dtype is b.dtype is FLOAT32
        and a.ndim == b.ndim == 2
        and b.shape[1] in COLUMNS
        and b.flags.c_contiguous
        and a.shape[1] == b.shape[0]
        and len(a) > 1
    ):
        loops = switch.loops or switch.consider(a.size)
        if loops is not None and a.flags.c_contiguous:
            out = np.empty((a.shape[0], b.shape[1]), FLOAT32)
            loops.few_columns(a, b, out)
            return out
        if loops is not None and a.flags.f_contiguous and len(b) % 4 == 0:
            out = np.empty((a.shape[0], b.shape[1]), FLOAT32)
            loops.few_columns_of_transposed(a.T, b, out)
            return out
    return matmul_numpy(a, b)


def matmul_numpy(a: Array, b: Array) -> Array:
    """The NumPy twin of `matmul`."""
    with np.errstate(all="ignore"):
        product: Array = np.matmul(a, b)
    return product
