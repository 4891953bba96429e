"""Two-dimensional convolutions, and the derivatives of each with respect to both its inputs.

Images are (batch, channels, height, width), filters (filters, channels / groups, height, width).
`stride` and `dilation` are two numbers, for rows and for columns; `padding` is, for each of the
two, how many zeros stand before and after.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from . import switch

__all__ = ["conv2d", "conv2d_input", "conv2d_weight"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Borders = tuple[Pair, Pair]

FLOAT32: Final = np.dtype(np.float32)
FEWEST_IMAGES: Final = 8
FEWEST_TERMS: Final = 32
"""Loops win where a batch has so many images and a window so many numbers, not one of each."""


def conv2d(
    input: Array, weight: Array, *, stride: Pair, padding: Borders, dilation: Pair, groups: int
) -> Array:
    """Σ of the numbers under each window, times the weights of each filter.

    >>> import numpy as np
    >>> geometry = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), **geometry)
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    loops = _loops(input, weight)
    kernel: Any = weight.shape[2:]
    counts = window_counts(input.shape[2:], kernel, stride, padding, dilation)
    if loops is None:
        return conv2d_numpy(input, weight, kernel, counts, stride, padding, dilation, groups)
    out = np.empty((len(input), len(weight), *counts), input.dtype)
    rows = weight.reshape(len(weight), math.prod(weight.shape[1:]))
    start = padding[0][0], padding[1][0]
    for channels, filters in _groups(weight, groups):
        loops.conv2d(
            input[:, channels], rows[filters], kernel, stride, start, dilation, out[:, filters]
        )
    return out


def conv2d_input(
    grad: Array, weight: Array, *, sizes: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The gradient of `conv2d`'s input, images of these sizes, from that of its result.

    Σ of the gradients of the windows that a number is under, times the weight it has in them.
    """
    loops = _loops(grad, weight)
    if loops is None:
        return conv2d_input_numpy(grad, weight, sizes, stride, padding, dilation, groups)
    out = np.empty((len(grad), groups * weight.shape[1], *sizes), grad.dtype)
    rows = weight.reshape(len(weight), math.prod(weight.shape[1:]))
    start, kernel = (padding[0][0], padding[1][0]), weight.shape[2:]
    for channels, filters in _groups(weight, groups):
        loops.conv2d_input(
            grad[:, filters], rows[filters], kernel, stride, start, dilation, out[:, channels]
        )
    return out


def conv2d_weight(
    grad: Array, input: Array, *, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The gradient of `conv2d`'s weight, filters of this size, from that of its result.

    Σ of the gradients of all windows, times the number that was under each of their places.
    """
    out = np.empty((grad.shape[1], input.shape[1] // groups, *kernel), grad.dtype)
    loops = _loops(input, out)
    if loops is None:
        return conv2d_weight_numpy(grad, input, kernel, stride, padding, dilation, groups)
    rows = out.reshape(len(out), math.prod(out.shape[1:]))
    start = padding[0][0], padding[1][0]
    for channels, filters in _groups(out, groups):
        loops.conv2d_weight(
            grad[:, filters], input[:, channels], kernel, stride, start, dilation, rows[filters]
        )
    return out


def _loops(images: Array, weight: Array) -> Any:
    """The loops, where they were measured to be faster than products of matrices."""
    window = math.prod(weight.shape[2:])
    if len(images) < FEWEST_IMAGES or window == 1 or weight.shape[1] * window < FEWEST_TERMS:
        return None
    if not (images.size and weight.size and images.dtype is weight.dtype is FLOAT32):
        return None
    return switch.images.loops or switch.images.consider(images.size)


def _groups(weight: Array, groups: int) -> Iterator[tuple[slice, slice]]:
    """The channels and the filters of each group."""
    channels, filters = weight.shape[1], len(weight) // groups
    for n in range(groups):
        yield (
            slice(n * channels, (n + 1) * channels),
            slice(n * filters, (n + 1) * filters),
        )


def bordered(images: Array, borders: Borders) -> Array:
    """Images with zeros around them: np.pad, in a fraction of its time."""
    (top, bottom), (left, right) = borders
    if not (top or bottom or left or right):
        return images
    *lead, height, width = images.shape
    out = np.zeros((*lead, height + top + bottom, width + left + right), images.dtype)
    out[..., top : top + height, left : left + width] = images
    return out


def shifts(kernel: Pair, stride: Pair, dilation: Pair, counts: Pair) -> Iterator[Any]:
    """Each place in a window, and where the numbers lie that windows have there."""
    for i, j in itertools.product(range(kernel[0]), range(kernel[1])):
        top, left = i * dilation[0], j * dilation[1]
        rows = slice(top, top + (counts[0] - 1) * stride[0] + 1, stride[0])
        across = slice(left, left + (counts[1] - 1) * stride[1] + 1, stride[1])
        yield i, j, rows, across


def window_counts(sizes: Any, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair) -> Any:
    """How many windows fit down and across."""
    return tuple([
        (n + sum(border) - d * (k - 1) - 1) // s + 1
        for n, border, k, s, d in zip(sizes, padding, kernel, stride, dilation, strict=True)
    ])  # fmt: skip


def _columns(
    input: Array, kernel: Pair, counts: Pair, stride: Pair, padding: Borders, dilation: Pair
) -> Array:
    """The numbers under each window as a column: (batch, channels, *kernel, *counts)."""
    padded = bordered(input, padding)
    columns = np.empty((*input.shape[:2], *kernel, *counts), input.dtype)
    for i, j, rows, across in shifts(kernel, stride, dilation, counts):
        columns[:, :, i, j] = padded[:, :, rows, across]
    return columns


def _by_group(images: Array, groups: int) -> Array:
    """(batch, channels, …) as (batch, groups, channels a group · …, numbers)."""
    batch, count = len(images), images.shape[-2] * images.shape[-1]
    rows = math.prod(images.shape[1:-2]) // groups
    return images.reshape(batch, groups, rows, count)


def _filters(weight: Array, groups: int) -> Array:
    """(filters, channels a group, height, width) as (groups, filters a group, window)."""
    return weight.reshape(groups, len(weight) // groups, math.prod(weight.shape[1:]))


def conv2d_numpy(
    input: Array, weight: Array, kernel: Pair, counts: Pair, stride: Pair, padding: Borders,
    dilation: Pair, groups: int,
) -> Array:  # fmt: skip
    """The NumPy twin of `conv2d`: a product with the columns of numbers under each window."""
    columns = _columns(input, kernel, counts, stride, padding, dilation)
    out: Array = np.matmul(_filters(weight, groups), _by_group(columns, groups))
    return out.reshape(len(input), len(weight), *counts)


def conv2d_input_numpy(
    grad: Array, weight: Array, sizes: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The NumPy twin of `conv2d_input`."""
    counts: Any = grad.shape[2:]
    kernel: Any = weight.shape[2:]
    filters = _filters(weight, groups).transpose(0, 2, 1)
    columns = np.matmul(filters, _by_group(grad, groups))
    channels = groups * weight.shape[1]
    columns = columns.reshape(len(grad), channels, *kernel, *counts)
    (top, bottom), (left, right) = padding
    shape = (sizes[0] + top + bottom, sizes[1] + left + right)
    out = np.zeros((len(grad), channels, *shape), grad.dtype)
    for i, j, rows, across in shifts(kernel, stride, dilation, counts):
        out[:, :, rows, across] += columns[:, :, i, j]
    return out[:, :, top : top + sizes[0], left : left + sizes[1]]


def conv2d_weight_numpy(
    grad: Array, input: Array, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The NumPy twin of `conv2d_weight`."""
    counts: Any = grad.shape[2:]
    columns = _columns(input, kernel, counts, stride, padding, dilation)
    rows = _by_group(columns, groups).transpose(0, 1, 3, 2)
    out: Array = np.matmul(_by_group(grad, groups), rows).sum(0, dtype=grad.dtype)
    return out.reshape(grad.shape[1], input.shape[1] // groups, *kernel)
