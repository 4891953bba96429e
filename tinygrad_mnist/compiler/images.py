"""Loops over images that lie with the batch last: (channels, height · width · batch).

A row of numbers, one for each image of the batch, lies in one piece: what is done to one image is
done to all, side by side.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from tinygrad_mnist.kernels.loops.pieces import (
    as_weights,
    sums_of_products,
    weighted_sums,
    whole_blocks,
)
from tinygrad_mnist.kernels.loops.windows import (
    filters_of_phase,
    places_in_window,
    reach,
    rows_and_columns,
)

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Sizes = tuple[int, int, int, int]
"""Channels, height, width, batch."""

_part = numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})


@_part
def _piece(row: Array, place: int, batch: int) -> Array:
    """The numbers at one place, of all images.

    An index into it counts from 0, which LLVM must see to handle several numbers at once.
    """
    return row[place * batch : (place + 1) * batch]


@_part
def _lay_out(
    x: Array, laid: Array, sizes: Sizes, start: Pair, rows: int, columns: int, phases: int
) -> None:
    """x with zeros around, its columns dealt into phases, as `kernels.loops.windows` tells."""
    channels, height, width, batch = sizes
    for c in range(channels):
        for row in range(rows):
            y = row - start[0]
            for phase in range(phases):
                for column in range(columns):
                    z = column * phases + phase - start[1]
                    place = (row * phases + phase) * columns + column
                    target = _piece(laid[c], place, batch)
                    if 0 <= y < height and 0 <= z < width:
                        given = _piece(x[c], y * width + z, batch)
                        for n in range(batch):
                            target[n] = given[n]
                    else:
                        for n in range(batch):
                            target[n] = 0


@_part
def lay_out(
    x: Array, laid: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """laid = x, as the windows of a convolution see it row by row."""
    rows, columns = rows_and_columns(counts, kernel, stride, (1, 1))
    _lay_out(x, laid, sizes, start, rows, columns, stride[1])


@_part
def convolve(
    laid: Array, filters: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair,
    counts: Pair,
) -> None:  # fmt: skip
    """out = Σ of the numbers under each window, times those of a filter, a row of `filters`."""
    channels, _, _, batch = sizes
    seen = rows_and_columns(counts, kernel, stride, (1, 1))
    begins = places_in_window(channels, seen, batch, kernel, stride, (1, 1))
    weights, numbers, count = as_weights(filters), laid.reshape(1, -1), counts[1] * batch
    for y in range(counts[0]):
        weighted_sums(weights, begins.size, numbers, begins, out, y * count, count)
        begins += stride[0] * stride[1] * seen[1] * batch


@_part
def convolve_weight(
    grad: Array, laid: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair,
    counts: Pair,
) -> None:  # fmt: skip
    """out = Σ of `grad` times the numbers under the windows, a row for each filter."""
    channels, _, _, batch = sizes
    seen = rows_and_columns(counts, kernel, stride, (1, 1))
    begins = places_in_window(channels, seen, batch, kernel, stride, (1, 1))
    numbers, count = laid.reshape(1, -1), counts[1] * batch
    sums = np.zeros((whole_blocks(len(out)), whole_blocks(begins.size)), out.dtype)
    for y in range(counts[0]):
        sums_of_products(grad, y * count, count, numbers, begins, sums)
        begins += stride[0] * stride[1] * seen[1] * batch
    for i in range(len(out)):
        for k in range(begins.size):
            out[i, k] = sums[i, k]


@_part
def convolve_input(
    grad: Array, filters: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair,
    counts: Pair,
) -> None:  # fmt: skip
    """out = Σ of `grad` of each window that a number is under, times the weight it has there."""
    channels, height, width, batch = sizes
    up, back = reach(kernel, stride, (1, 1))
    rows = up + (height - 1 + start[0]) // stride[0] + 1
    columns = back + (width - 1 + start[1]) // stride[1] + 1
    laid = np.empty((len(filters), rows * columns * batch), grad.dtype)
    _lay_out(grad, laid, (len(filters), *counts, batch), (up, back), rows, columns, 1)
    numbers = laid.reshape(1, -1)
    weights = np.zeros((filters.size // channels, whole_blocks(channels)), filters.dtype)
    begins = np.empty(len(weights), np.int64)
    sums = np.empty((channels, columns * batch), grad.dtype)
    for n in range(stride[0] * stride[1]):
        phase = divmod(n, stride[1])
        depth = filters_of_phase(
            filters, (rows, columns), batch, kernel, stride, (1, 1), phase, weights, begins
        )
        y, x = (phase[0] - start[0]) % stride[0], (phase[1] - start[1]) % stride[1]
        row, column = (y + start[0]) // stride[0], (x + start[1]) // stride[1]
        begins += (row * columns + column) * batch
        count = (width - x + stride[1] - 1) // stride[1]
        for down in range(y, height, stride[0]):
            weighted_sums(weights, depth, numbers, begins, sums, 0, count * batch)
            begins += columns * batch
            for c in range(channels):
                for i in range(count):
                    given = _piece(sums[c], i, batch)
                    target = _piece(out[c], down * width + i * stride[1] + x, batch)
                    for m in range(batch):
                        target[m] = given[m]


@_part
def gather_columns(
    x: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """out[(c, i, j)] = the numbers of channel c at place (i, j) of every window, 0 outside."""
    channels, height, width, batch = sizes
    for c in range(channels):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                row = out[(c * kernel[0] + i) * kernel[1] + j]
                for y in range(counts[0]):
                    down = y * stride[0] + i - start[0]
                    for z in range(counts[1]):
                        across = z * stride[1] + j - start[1]
                        target = _piece(row, y * counts[1] + z, batch)
                        if 0 <= down < height and 0 <= across < width:
                            given = _piece(x[c], down * width + across, batch)
                            for n in range(batch):
                                target[n] = given[n]
                        else:
                            for n in range(batch):
                                target[n] = 0


@_part
def scatter_columns(
    columns: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """Add each number of `columns` to the place that `gather_columns` took it from."""
    channels, height, width, batch = sizes
    out[:] = 0
    for c in range(channels):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                row = columns[(c * kernel[0] + i) * kernel[1] + j]
                for y in range(counts[0]):
                    down = y * stride[0] + i - start[0]
                    if down < 0 or down >= height:
                        continue
                    for z in range(counts[1]):
                        across = z * stride[1] + j - start[1]
                        if across < 0 or across >= width:
                            continue
                        given = _piece(row, y * counts[1] + z, batch)
                        target = _piece(out[c], down * width + across, batch)
                        for n in range(batch):
                            target[n] += given[n]


@_part
def window_sum(
    x: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """out = Σ of x under each window."""
    channels, height, width, batch = sizes
    out[:] = 0
    for c in range(channels):
        for y in range(counts[0]):
            for z in range(counts[1]):
                target = _piece(out[c], y * counts[1] + z, batch)
                for i in range(max(0, start[0] - y * stride[0]), kernel[0]):
                    down = y * stride[0] + i - start[0]
                    for j in range(max(0, start[1] - z * stride[1]), kernel[1]):
                        across = z * stride[1] + j - start[1]
                        if down < height and across < width:
                            given = _piece(x[c], down * width + across, batch)
                            for n in range(batch):
                                target[n] += given[n]


@_part
def window_spread(
    grad: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """Add each number of `grad` to all the numbers under its window."""
    channels, height, width, batch = sizes
    out[:] = 0
    for c in range(channels):
        for y in range(counts[0]):
            for z in range(counts[1]):
                given = _piece(grad[c], y * counts[1] + z, batch)
                for i in range(max(0, start[0] - y * stride[0]), kernel[0]):
                    down = y * stride[0] + i - start[0]
                    for j in range(max(0, start[1] - z * stride[1]), kernel[1]):
                        across = z * stride[1] + j - start[1]
                        if down < height and across < width:
                            target = _piece(out[c], down * width + across, batch)
                            for n in range(batch):
                                target[n] += given[n]
