"""Gradients in the shape and type of the input they are for.

What an operation broadcast is summed, what it reduced is stretched, what it reshaped is shaped
back, what it cast is cast back: so that no derivative formula need mention any of it.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_mnist.dtypes import from_numpy_dtype
from tinygrad_mnist.ops.casting import cast_to, clone
from tinygrad_mnist.ops.reductions import _sum
from tinygrad_mnist.ops.shapes import expand

from .record import Record, TensorBase, wrap

Gradient = Any


def restored(gradient: Gradient, record: Record) -> Gradient:
    """`gradient` with the dimensions that a reduction removed put back with size 1."""
    edge = record.edges[0]
    assert edge is not None
    dims = record.attributes["dim"]
    return gradient.reshape(tuple([1 if d in dims else n for d, n in enumerate(edge.shape)]))


def unbroadcast(gradient: Gradient, edge: Record) -> Gradient:
    """A gradient, given as a Tensor, in the shape and type of the record it goes to."""
    have, shape = gradient._array.shape, edge.shape
    if have != shape:
        stretched = _broadcasts(have, shape)
        over = None if stretched else _summed_over(have, shape)
        if stretched:
            gradient = expand(gradient, shape)
        elif over:
            gradient = _sum(gradient, dim=over, keepdim=True)
        gradient = gradient.reshape(shape)
    return cast_to(gradient, from_numpy_dtype(edge.dtype))


def copied(gradient: Gradient) -> Any:
    """A gradient, given as an array or a Tensor, as a Tensor with memory of its own."""
    return clone(gradient) if isinstance(gradient, TensorBase) else wrap(gradient.copy())


def fit_array_shape(array: Any, shape: tuple[int, ...]) -> Any:
    """The same for an array, without records: a hot path. What is stretched owns its memory."""
    over = _way(array.shape, shape)
    if over is None:
        stretched = np.empty(shape, array.dtype)
        stretched[...] = array
        return stretched
    if not over:
        return array.reshape(shape)
    if len(over) == array.ndim - len(shape):
        return _sum(array, dim=over, keepdim=False)
    return _sum(array, dim=over, keepdim=True).reshape(shape)


@functools.lru_cache(maxsize=4096)
def _way(have: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The dimensions to sum over, none for a reshape; None where sizes of 1 stretch."""
    if math.prod(have) == math.prod(shape):
        return ()
    return None if _broadcasts(have, shape) else _summed_over(have, shape)


def _broadcasts(have: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether sizes of 1 in `have` stretch to give `shape`."""
    lead = len(shape) - len(have)
    return lead >= 0 and all(n in (1, want) for n, want in zip(have, shape[lead:], strict=True))


def _summed_over(have: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions that broadcasting `shape` to `have` added or stretched; none for a reshape."""
    lead = len(have) - len(shape)
    if math.prod(have) == math.prod(shape) or lead < 0:
        return ()
    added = tuple(range(lead))
    return added + tuple(
        [lead + d for d, want in enumerate(shape) if want == 1 and have[lead + d] != 1]
    )
