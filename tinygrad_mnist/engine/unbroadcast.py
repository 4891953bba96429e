"""Gradients in the shape and type of what they are for: `core`'s way, with few passes over memory.

Arrays are summed by the kernels and stretched into memory of their own; Tensors go through their
methods, which record.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import broadcasts, summed_over
from tinygrad_mnist.core.record import Record
from tinygrad_mnist.dtypes import from_numpy_dtype
from tinygrad_mnist.kernels.reductions import total

__all__ = ["unbroadcast", "unbroadcast_array"]


def unbroadcast(gradient: Any, source: Record) -> Any:
    """A gradient, given as a Tensor, in the shape and type of the record it goes to."""
    have, shape = gradient._array.shape, source.shape
    if have != shape:
        if broadcasts(have, shape):
            gradient = gradient.expand(shape)
        elif over := summed_over(have, shape):
            gradient = gradient.sum(over, keepdim=True)
        gradient = gradient.reshape(shape)
    if gradient._array.dtype != source.dtype:
        gradient = gradient.to(from_numpy_dtype(source.dtype))
    return gradient


def unbroadcast_array(array: Any, shape: tuple[int, ...]) -> Any:
    """A gradient, given as an array, in this shape: a hot path. What is stretched owns memory."""
    over = _dims_to_sum(array.shape, shape)
    if over is None:
        stretched = np.empty(shape, array.dtype)
        stretched[...] = array
        return stretched
    if not over:
        return array.reshape(shape)
    if len(over) == array.ndim - len(shape):
        return np.asarray(total(array, over, False))
    return np.asarray(total(array, over, True)).reshape(shape)


@functools.lru_cache(maxsize=4096)
def _dims_to_sum(have: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The dimensions to sum over, none for a reshape; None where sizes of 1 stretch."""
    if math.prod(have) == math.prod(shape):
        return ()
    return None if broadcasts(have, shape) else summed_over(have, shape)
