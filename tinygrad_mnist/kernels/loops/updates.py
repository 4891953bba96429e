"""In-place updates."""

from typing import Any

import numpy as np

from .compile import loop

Array = np.ndarray[Any, Any]


@loop("void(T[::1], const T[::1], float64)", fastmath={"contract"})
def add_scaled(x: Array, y: Array, alpha: float) -> None:
    """x += alpha · y, alpha rounded to x's dtype first.

    `contract` lets LLVM fuse multiplication and addition, which then round once, as PyTorch's do.
    """
    scale = x.dtype.type(alpha)
    for i in range(x.size):
        x[i] += scale * y[i]
