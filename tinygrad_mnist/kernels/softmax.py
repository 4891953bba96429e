"""log_softmax over the last axis, and its derivative.

Both twins compute in double precision and round the result once, so that float32 results are the
same from either, but for a case in many millions and for what is left where two equal terms cancel;
float64 results may differ by an ulp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import switch

__all__ = ["log_softmax", "log_softmax_backward"]

Array = np.ndarray[Any, Any]


def log_softmax(x: Array) -> Array:
    """(rows, classes) -> (rows, classes): xᵢ - log Σⱼ exp xⱼ along each row.

    As in PyTorch, a row that holds NaN or +inf, or nothing but -inf, becomes NaN. Arrays of other
    than two dimensions go the NumPy way.

    >>> import numpy as np
    >>> log_softmax(np.array([[1e4, 1e4], [-np.inf, 0.0]]))
    array([[-0.69314718, -0.69314718],
           [       -inf,  0.        ]])
    """
    loops = switch.core.loops or switch.core.consider(x.size)
    if loops is not None and x.dtype in switch.FLOATS and x.ndim == 2:
        out = np.empty(x.shape, x.dtype)
        loops.log_softmax(np.ascontiguousarray(x), out)
        return out
    return log_softmax_numpy(x)


def log_softmax_backward(grad: Array, out: Array) -> Array:
    """The gradient of `log_softmax`'s input: gᵢ - exp(outᵢ) Σⱼ gⱼ along each row.

    `grad` is the gradient of the result `out`; both are (rows, classes), of one dtype.
    """
    loops = switch.core.loops or switch.core.consider(out.size)
    matrix = out.ndim == 2 and grad.shape == out.shape
    if loops is not None and out.dtype in switch.FLOATS and matrix:
        grad_x = np.empty(out.shape, out.dtype)
        grad = np.ascontiguousarray(grad, out.dtype)
        loops.log_softmax_backward(grad, np.ascontiguousarray(out), grad_x)
        return grad_x
    return log_softmax_backward_numpy(grad, out)


def log_softmax_numpy(x: Array) -> Array:
    """The NumPy twin of `log_softmax`, for any number of dimensions."""
    if x.size == 0:
        return np.empty(x.shape, x.dtype)
    wide: Array = x.astype(np.float64)
    with np.errstate(all="ignore"):
        wide -= np.maximum.reduce(wide, axis=-1, keepdims=True)
        wide -= np.log(np.add.reduce(np.exp(wide), axis=-1, keepdims=True))
        return wide.astype(x.dtype, copy=False)


def log_softmax_backward_numpy(grad: Array, out: Array) -> Array:
    """The NumPy twin of `log_softmax_backward`, for any number of dimensions."""
    with np.errstate(all="ignore"):
        total = np.add.reduce(grad, axis=-1, keepdims=True, dtype=np.float64)
        wide: Array = grad - np.exp(out, dtype=np.float64) * total
        return wide.astype(out.dtype, copy=False)
