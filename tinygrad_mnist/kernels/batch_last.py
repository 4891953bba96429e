"""Convolutions of images that lie batch last, (channels, height · width · batch), as in programs.

Images are laid out as `blocks` tells, which the derivative with respect to the filters reads, too.
`sizes` are channels, height, width and batch of the images, `counts` how many windows there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dispatch
from .convolution import lay_out_rows
from .register_tiles import (
    as_weights,
    batch_at,
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
Sizes = tuple[int, int, int, int]

_GEOMETRY = ", ".join(["UniTuple(int64, 4)", *["UniTuple(int64, 2)"] * 4])
_LAID = f"const float32[:, ::1], const float32[:, ::1], float32[:, ::1], {_GEOMETRY}"


@dispatch.images.part()
def lay_out_twin(
    x: Array, laid: Array, sizes: Sizes, start: Pair, rows: int, columns: int, phases: int
) -> None:
    """x with zeros around, its columns dealt into phases, as `blocks` tells."""
    channels, height, width, batch = sizes
    for c in range(channels):
        for row in range(rows):
            y = row - start[0]
            for phase in range(phases):
                for column in range(columns):
                    z = column * phases + phase - start[1]
                    place = (row * phases + phase) * columns + column
                    target = batch_at(laid[c], place, batch)
                    if 0 <= y < height and 0 <= z < width:
                        given = batch_at(x[c], y * width + z, batch)
                        for n in range(batch):
                            target[n] = given[n]
                    else:
                        for n in range(batch):
                            target[n] = 0


@dispatch.images.loop(f"void(const float32[:, ::1], float32[:, ::1], {_GEOMETRY})")
def lay_out(
    x: Array, laid: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """laid = x, as the windows of a convolution see it row by row."""
    rows, columns = rows_and_columns(counts, kernel, stride, (1, 1))
    lay_out_twin(x, laid, sizes, start, rows, columns, stride[1])


@dispatch.images.loop(
    f"void(Array(float32, 4, 'C', readonly=True, aligned=False), float32[:, ::1], {_GEOMETRY})"
)
def lay_out_given(
    images: Array, laid: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """`lay_out` for images that lie as PyTorch's: (batch, channels, height, width)."""
    channels, _, _, batch = sizes
    rows, columns = rows_and_columns(counts, kernel, stride, (1, 1))
    parts = laid.reshape(channels, rows, stride[1], columns, batch)
    lay_out_rows(images, start[0], start[1], parts)


@dispatch.images.loop(f"void({_LAID})")
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


@dispatch.images.loop(f"void({_LAID})")
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


@dispatch.images.loop(f"void({_LAID})")
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
    lay_out_twin(grad, laid, (len(filters), *counts, batch), (up, back), rows, columns, 1)
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
                    given = batch_at(sums[c], i, batch)
                    target = batch_at(out[c], down * width + i * stride[1] + x, batch)
                    for m in range(batch):
                        target[m] = given[m]
