"""log_softmax over the last axis, and its derivative."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_softmax", "log_softmax_backward"]


def log_softmax(x: NDArray) -> NDArray:
    """(rows, classes) -> (rows, classes): xᵢ - log Σⱼ exp xⱼ along each row."""
    return log_softmax_numpy(x)


def log_softmax_backward(grad: NDArray, out: NDArray) -> NDArray:
    """The gradient of `log_softmax`'s input: gᵢ - exp(outᵢ) Σⱼ gⱼ along each row."""
    return log_softmax_backward_numpy(grad, out)


def log_softmax_numpy(x: NDArray) -> NDArray:
    """The NumPy twin of `log_softmax`."""
    if x.size == 0:
        return np.empty_like(x)
    with np.errstate(all="ignore"):
        shifted = x - np.maximum.reduce(x, axis=-1, keepdims=True)
        total = np.add.reduce(np.exp(shifted), axis=-1, keepdims=True)
        shifted -= np.log(total)
    return shifted


def log_softmax_backward_numpy(grad: NDArray, out: NDArray) -> NDArray:
    """The NumPy twin of `log_softmax_backward`."""
    with np.errstate(all="ignore"):
        return grad - np.exp(out) * np.add.reduce(grad, axis=-1, keepdims=True)
