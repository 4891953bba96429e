"""Convolutions with the images of a batch side by side.

Images are laid out anew, so many at a time, as `windows` tells; results are turned back.
"""

from typing import Any

import numpy as np

from ..loops.compile import loop, part_of_loops
from ..loops.pieces import as_weights, sums_of_products, weighted_sums, whole_blocks
from ..loops.windows import filters_of_phase, places_in_window, reach, rows_and_columns

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

IMAGES = 64  # side by side, at most
LANES = 16  # the number of images is rounded up to a multiple of it
APART = 16  # numbers between rows of sums: those of a power of two evict each other from the cache

_IMAGES = "Array(float32, 4, 'A', readonly=True, aligned=False)"
_GEOMETRY = ", ".join(["UniTuple(int64, 2)"] * 4)


@part_of_loops()
def lanes_for(images: int) -> int:
    """The room for so many images side by side."""
    return (images + LANES - 1) // LANES * LANES


@part_of_loops()
def turned_together(images: Array) -> int:
    """How many images to turn at once: few, if their numbers meet in the same part of a cache."""
    return 8 if images.strides[0] % 1024 == 0 else len(images)


@part_of_loops()
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


@part_of_loops()
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


@part_of_loops()
def lay_out_rows(images: Array, top: int, left: int, laid: Array) -> None:
    """Fill (channels, rows, phases, columns, images) from (images, channels, height, width)."""
    channels, rows, phases, _, _ = laid.shape
    for c in range(channels):
        for row in range(rows):
            if row < top or row >= top + images.shape[2]:
                laid[c, row] = 0
                continue
            for phase in range(phases):
                x = (phase - left) % phases
                column = (x + left) // phases
                laid[c, row, phase, :column] = 0
                take_row(images, c, row - top, x, phases, laid[c, row, phase, column:])


@part_of_loops()
def lay_out(images: Array, top: int, left: int, rows: int, columns: int, phases: int) -> Array:
    """Images laid out, with room for a multiple of `LANES` of them."""
    count, channels = images.shape[:2]
    laid = np.empty((channels, rows, phases, columns, lanes_for(count)), images.dtype)
    lay_out_rows(images, top, left, laid)
    return laid


@loop(f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, Array(float32, 4, 'A'))")
def conv2d(
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


@loop(f"void({_IMAGES}, {_IMAGES}, {_GEOMETRY}, float32[:, ::1])")
def conv2d_weight(
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


@loop(f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, Array(float32, 4, 'A'))")
def conv2d_input(
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
