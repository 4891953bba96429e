"""The memory behind tensors: what several tensors may share, and how each lies in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

from tinygrad_mnist.core.record import Array

_MOST_DIMENSIONS = 64
SHARED = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location. Please clone() the tensor before performing the operation."
)
"""What is said where a result would be written into elements that lie in one place."""


def memory_of(array: Array) -> tuple[Array, int]:
    """All the memory that `array` is part of, as one row, and where in it the array begins.

    Numbers of another type in the same memory do not count.
    """
    owner = _owner(array)
    low, high = byte_bounds(owner)
    if not array.size or not owner.size:
        return np.empty(0, array.dtype), 0
    count = (high - low) // array.itemsize
    return as_strided(owner, (count,), (array.itemsize,)), (address(array) - low) // array.itemsize


def elements_shared(array: Array) -> bool:
    """Whether elements lie in one place, as those of an expanded array or of windows do."""
    reach = 0
    for step, n in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if n > 1 and step <= reach:
            return array.size > 0
        reach += step * (n - 1)
    return False


def _owner(array: Array) -> Array:
    """The array whose memory `array` is part of; itself where that is laid out strangely."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    backwards = any(step < 0 for step in owner.strides)
    return array if backwards or owner.dtype != array.dtype else owner


def address(array: Array) -> int:
    """Where an array begins in memory."""
    return int(array.__array_interface__["data"][0])


def in_memory(memory: Array, offset: Any, size: Any, stride: Any) -> Array:
    """The array of a size and stride, in elements, that begins at `offset` of a row of memory.

    Raises ValueError where it would reach beyond the memory.
    """
    if len(size) != len(stride):
        raise ValueError(f"mismatch in length of strides and shape: size {size}, stride {stride}")
    if any(isinstance(step, int) and step < 0 for step in stride):
        told = "Negative strides are not supported at the moment, got strides: "
        raise ValueError(f"{told}{list(stride)}")
    if not (_are_lengths((offset,)) and _are_lengths(size) and _are_lengths(stride)):
        raise ValueError(
            "a tensor's offset, size and stride are numbers from 0 on, of at most 64 dimensions"
        )
    steps = tuple(step * memory.itemsize for step in stride)
    if 0 in size:
        return as_strided(np.empty(0, memory.dtype), size, steps)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if last >= len(memory):
        raise ValueError(
            f"a tensor of size {size} and stride {stride} at {offset} reaches beyond its memory "
            f"of {len(memory)} numbers"
        )
    array = np.ndarray(size, memory.dtype, memory, offset * memory.itemsize, steps)
    if any(step == 0 < n - 1 for n, step in zip(size, stride, strict=True)):
        array.flags.writeable = False  # as it is where a tensor was expanded
    return array


def _are_lengths(numbers: Any) -> bool:
    return (
        isinstance(numbers, tuple)
        and len(numbers) <= _MOST_DIMENSIONS
        and all(type(n) is int and 0 <= n < 2**63 for n in numbers)
    )
