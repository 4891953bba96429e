"""Two-dimensional convolutions, and the derivatives of each with respect to both its inputs.

Images are (batch, channels, height, width), filters (filters, channels / groups, height, width).
`stride` and `dilation` are two numbers, for rows and for columns; `padding` is, for each of the
two, how many zeros stand before and after.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np

from . import dispatch, planes, winograd
from .blas_threads import matmul
from .register_tiles import (
    as_weights,
    filters_of_phase,
    places_in_window,
    reach,
    rows_and_columns,
    sums_of_products,
    weighted_sums,
    whole_blocks,
)

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Borders = tuple[Pair, Pair]

FLOAT32: Final = np.dtype(np.float32)
FEWEST_IMAGES: Final = 8
FEWEST_TERMS: Final = 32
"""Loops win where a batch has so many images and a window so many numbers, not one of each."""
WIDE: Final = 12
"""Rows of so many results fill registers without images side by side."""


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
    kernel: Any = weight.shape[2:]
    counts = window_counts(input.shape[2:], kernel, stride, padding, dilation)
    way = _way(input, weight, counts, stride)
    if way == "products":
        return _conv2d_numpy(input, weight, kernel, counts, stride, padding, dilation, groups)
    start = padding[0][0], padding[1][0]
    if winograd.suits(weight.shape, counts, stride, padding, dilation, groups):
        found = winograd.convolve(input, weight, start, counts, False)
        if found is not None:
            return found
    if way == "planes":
        return planes.convolve(input, weight, stride, start, dilation, groups, counts)
    out = np.empty((len(input), len(weight), *counts), input.dtype)
    rows = planes.as_rows(weight)
    for channels, filters in _groups(weight, groups):
        _conv2d_loop(
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
    way = _way(grad, weight, grad.shape[2:], stride)
    if way == "products":
        return _conv2d_input_numpy(grad, weight, sizes, stride, padding, dilation, groups)
    start, kernel = (padding[0][0], padding[1][0]), weight.shape[2:]
    if winograd.suits(weight.shape, sizes, stride, padding, dilation, groups):
        around = 2 - start[0], 2 - start[1]
        found = winograd.convolve(grad, weight, around, sizes, True)
        if found is not None:
            return found
    if way == "planes":
        return planes.convolve_input(grad, weight, stride, start, dilation, groups, sizes)
    out = np.empty((len(grad), groups * weight.shape[1], *sizes), grad.dtype)
    rows = planes.as_rows(weight)
    for channels, filters in _groups(weight, groups):
        _conv2d_input_loop(
            grad[:, filters], rows[filters], kernel, stride, start, dilation, out[:, channels]
        )
    return out


def conv2d_weight(
    grad: Array, input: Array, *, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The gradient of `conv2d`'s weight, filters of this size, from that of its result.

    Σ of the gradients of all windows, times the number that was under each of their positions.
    """
    out = np.empty((grad.shape[1], input.shape[1] // groups, *kernel), grad.dtype)
    way = _way(input, out, grad.shape[2:], stride)
    if way == "products":
        return _conv2d_weight_numpy(grad, input, kernel, stride, padding, dilation, groups)
    start = padding[0][0], padding[1][0]
    if winograd.suits(out.shape, grad.shape[2:], stride, padding, dilation, groups):
        found = winograd.convolve_weight(grad, input, start)
        if found is not None:
            return found
    if way == "planes":
        found = planes.convolve_weight(grad, input, stride, start, dilation, groups, kernel)
        if found is not None:
            return found
        return _conv2d_weight_numpy(grad, input, kernel, stride, padding, dilation, groups)
    rows = out.reshape(len(out), math.prod(out.shape[1:]))
    for channels, filters in _groups(out, groups):
        _conv2d_weight_loop(
            grad[:, filters], input[:, channels], kernel, stride, start, dilation, rows[filters]
        )
    return out


def _way(
    images: Array, weight: Array, counts: Any, stride: Pair
) -> Literal["products", "planes", "batch"]:
    """Which way was measured to be the fastest: products of matrices, or one of two loops.

    The loops go along whole planes of one image, or along all the images of a batch.
    """
    window = math.prod(weight.shape[2:])
    many = len(images) >= FEWEST_IMAGES and weight.shape[1] * window >= FEWEST_TERMS
    whole = window > math.prod(stride) and (counts[1] >= WIDE or not many)
    if not (whole or (many and window > 1)):
        return "products"
    if not (images.size and weight.size and images.dtype is weight.dtype is FLOAT32):
        return "products"
    if not dispatch.images.ready(images.size, FLOAT32):
        return "products"
    return "planes" if whole else "batch"


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


def _conv2d_numpy(
    input: Array, weight: Array, kernel: Pair, counts: Pair, stride: Pair, padding: Borders,
    dilation: Pair, groups: int,
) -> Array:  # fmt: skip
    """The NumPy twin of `conv2d`: a product with the columns of numbers under each window."""
    columns = _columns(input, kernel, counts, stride, padding, dilation)
    out: Array = matmul(_filters(weight, groups), _by_group(columns, groups))
    return out.reshape(len(input), len(weight), *counts)


def _conv2d_input_numpy(
    grad: Array, weight: Array, sizes: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The NumPy twin of `conv2d_input`."""
    counts: Any = grad.shape[2:]
    kernel: Any = weight.shape[2:]
    filters = _filters(weight, groups).transpose(0, 2, 1)
    columns = matmul(filters, _by_group(grad, groups))
    channels = groups * weight.shape[1]
    columns = columns.reshape(len(grad), channels, *kernel, *counts)
    (top, bottom), (left, right) = padding
    shape = (sizes[0] + top + bottom, sizes[1] + left + right)
    out = np.zeros((len(grad), channels, *shape), grad.dtype)
    for i, j, rows, across in shifts(kernel, stride, dilation, counts):
        out[:, :, rows, across] += columns[:, :, i, j]
    return out[:, :, top : top + sizes[0], left : left + sizes[1]]


def _conv2d_weight_numpy(
    grad: Array, input: Array, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The NumPy twin of `conv2d_weight`."""
    counts: Any = grad.shape[2:]
    columns = _columns(input, kernel, counts, stride, padding, dilation)
    rows = _by_group(columns, groups).transpose(0, 1, 3, 2)
    out: Array = matmul(_by_group(grad, groups), rows).sum(0, dtype=grad.dtype)
    return out.reshape(grad.shape[1], input.shape[1] // groups, *kernel)


# The loops lay images out anew, so many at a time, as `blocks` tells, and turn results back.

IMAGES = 64  # side by side, at most
MULTIPLE = 16  # the number of images is rounded up to a multiple of it
APART = 16  # numbers between rows of sums: those of a power of two evict each other from the cache

_IMAGES = "Array(float32, 4, 'A', readonly=True, aligned=False)"
_GEOMETRY = ", ".join(["UniTuple(int64, 2)"] * 4)


@dispatch.images.part()
def lanes_for(images: int) -> int:
    """The room for so many images side by side."""
    return (images + MULTIPLE - 1) // MULTIPLE * MULTIPLE


@dispatch.images.part()
def turned_together(images: Array) -> int:
    """How many images to turn at once: few, if their numbers meet in the same part of a cache."""
    return 8 if images.strides[0] % 1024 == 0 else len(images)


@dispatch.images.part()
def take_row(images: Array, c: int, y: int, first: int, step: int, row: Array) -> None:
    """row[i, n] = number `first + i · step` of row y in channel c of image n; 0 beyond them."""
    count, together = len(images), turned_together(images)
    inside = min(len(row), (images.shape[3] - first + step - 1) // step)
    for begin in range(0, count, together):
        end = min(begin + together, count)
        for i in range(inside):
            given = images[begin:end, c, y, first + i * step]
            piece = row[i, begin:end]
            for n in range(end - begin):
                piece[n] = given[n]
    row[:inside, count:] = 0
    row[inside:] = 0


@dispatch.images.part()
def give_row(row: Array, lanes: int, images: Array, c: int, y: int, first: int, step: int) -> None:
    """What `take_row` does, the other way: from a row of `lanes` numbers a place into images."""
    count, together = len(images), turned_together(images)
    for begin in range(0, count, together):
        end = min(begin + together, count)
        for i, x in enumerate(range(first, images.shape[3], step)):
            piece = row[i * lanes + begin : i * lanes + end]
            target = images[begin:end, c, y, x]
            for n in range(end - begin):
                target[n] = piece[n]


@dispatch.images.part()
def lay_out_rows(images: Array, top: int, left: int, laid: Array, first: int, last: int) -> None:
    """Fill rows of (channels, rows, phases, columns, images) from images as PyTorch's."""
    channels, _, phases, _, _ = laid.shape
    for c in range(channels):
        for row in range(first, last):
            if row < top or row >= top + images.shape[2]:
                laid[c, row] = 0
                continue
            for phase in range(phases):
                x = (phase - left) % phases
                column = (x + left) // phases
                laid[c, row, phase, :column] = 0
                take_row(images, c, row - top, x, phases, laid[c, row, phase, column:])


@dispatch.images.part()
def lay_out(images: Array, top: int, left: int, rows: int, columns: int, phases: int) -> Array:
    """Images laid out, with room for a multiple of `MULTIPLE` of them."""
    count, channels = images.shape[:2]
    laid = np.empty((channels, rows, phases, columns, lanes_for(count)), images.dtype)
    lay_out_rows(images, top, left, laid, 0, rows)
    return laid


@dispatch.images.loop(
    f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, Array(float32, 4, 'A'))"
)
def _conv2d_loop(
    images: Array, filters: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    out: Array,
) -> None:  # fmt: skip
    """out = Σ of the numbers under each window, times those of a filter, a row of `filters`."""
    height, width = out.shape[2:]
    weights = as_weights(filters)
    sizes = rows_and_columns((height, width), kernel, stride, dilation)
    for begin in range(0, len(images), IMAGES):
        part, result = images[begin : begin + IMAGES], out[begin : begin + IMAGES]
        laid = lay_out(part, start[0], start[1], sizes[0], sizes[1], stride[1])
        lanes = laid.shape[4]
        begins = places_in_window(images.shape[1], sizes, lanes, kernel, stride, dilation)
        numbers, step = laid.reshape(1, -1), stride[0] * stride[1] * sizes[1] * lanes
        sums = np.empty((len(filters), width * lanes + APART), laid.dtype)
        for y in range(height):
            weighted_sums(weights, begins.size, numbers, begins, sums, 0, width * lanes)
            begins += step
            for f in range(len(filters)):
                give_row(sums[f], lanes, result, f, y, 0, 1)


@dispatch.images.loop(f"void({_IMAGES}, {_IMAGES}, {_GEOMETRY}, float32[:, ::1])")
def _conv2d_weight_loop(
    grad: Array, images: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    out: Array,
) -> None:  # fmt: skip
    """out = Σ of `grad` times the numbers under the windows, a row for each filter."""
    _, filters, height, width = grad.shape
    sums = np.zeros((whole_blocks(filters), whole_blocks(out.shape[1])), out.dtype)
    sizes = rows_and_columns((height, width), kernel, stride, dilation)
    for begin in range(0, len(images), IMAGES):
        part, given = images[begin : begin + IMAGES], grad[begin : begin + IMAGES]
        laid = lay_out(part, start[0], start[1], sizes[0], sizes[1], stride[1])
        lanes = laid.shape[4]
        begins = places_in_window(images.shape[1], sizes, lanes, kernel, stride, dilation)
        numbers, step = laid.reshape(1, -1), stride[0] * stride[1] * sizes[1] * lanes
        rows = np.empty((filters, width, lanes), out.dtype)
        for y in range(height):
            for f in range(filters):
                take_row(given, f, y, 0, 1, rows[f])
            flat = rows.reshape(filters, width * lanes)
            sums_of_products(flat, 0, width * lanes, numbers, begins, sums)
            begins += step
    out[:] = sums[:filters, : out.shape[1]]


@dispatch.images.loop(
    f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, Array(float32, 4, 'A'))"
)
def _conv2d_input_loop(
    grad: Array, filters: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    out: Array,
) -> None:  # fmt: skip
    """out = Σ of `grad` of each window that a number is under, times the weight it has there."""
    channels, height, width = out.shape[1:]
    up, back = reach(kernel, stride, dilation)
    rows = up + (height - 1 + start[0]) // stride[0] + 1
    columns = back + (width - 1 + start[1]) // stride[1] + 1
    depth = len(filters) * kernel[0] * kernel[1]
    weights = np.zeros((depth, whole_blocks(channels)), filters.dtype)
    begins = np.empty(depth, np.int64)
    for begin in range(0, len(grad), IMAGES):
        result = out[begin : begin + IMAGES]
        laid = lay_out(grad[begin : begin + IMAGES], up, back, rows, columns, 1)
        lanes, numbers = laid.shape[4], laid.reshape(1, -1)
        sums = np.empty((channels, columns * lanes + APART), laid.dtype)
        for n in range(stride[0] * stride[1]):
            phase = divmod(n, stride[1])
            depth = filters_of_phase(
                filters, (rows, columns), lanes, kernel, stride, dilation, phase, weights, begins
            )
            y, x = (phase[0] - start[0]) % stride[0], (phase[1] - start[1]) % stride[1]
            row, column = (y + start[0]) // stride[0], (x + start[1]) // stride[1]
            begins += (row * columns + column) * lanes
            count = (width - x + stride[1] - 1) // stride[1] * lanes
            for down in range(y, height, stride[0]):
                weighted_sums(weights, depth, numbers, begins, sums, 0, count)
                begins += columns * lanes
                for c in range(channels):
                    give_row(sums[c], lanes, result, c, down, x, stride[1])
