"""The rectifier, and its derivative."""

from typing import Any

import numpy as np

from .compile import loop

Array = np.ndarray[Any, Any]


@loop("void(const T[::1], T[::1])")
def relu(x: Array, out: Array) -> None:
    """out = max(x, 0); NaN stays NaN."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = zero if x[i] <= zero else x[i]


@loop("void(const T[::1], const T[::1], T[::1])")
def relu_backward(grad: Array, out: Array, grad_x: Array) -> None:
    """grad_x = grad where out > 0 or NaN, else 0."""
    zero = out.dtype.type(0)
    for i in range(out.size):
        grad_x[i] = zero if out[i] <= zero else grad[i]
