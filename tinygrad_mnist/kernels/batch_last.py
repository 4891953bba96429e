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
from .team import bounds, pieces, share

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Sizes = tuple[int, int, int, int]

MOVED = 8
"""Multiplications that take as long as to move a number."""

_GEOMETRY = ", ".join(["UniTuple(int64, 4)", *["UniTuple(int64, 2)"] * 4])
_LAID = f"const float32[:, ::1], const float32[:, ::1], float32[:, ::1], {_GEOMETRY}"


@dispatch.images.part()
def lay_out_twin(
    x: Array, laid: Array, sizes: Sizes, start: Pair, rows: int, columns: int, phases: int
) -> None:
    """x with zeros around, its columns dealt into phases, as `blocks` tells."""
    count = pieces(MOVED * laid.size, len(laid))
    share(_lay_out_channels, count, count, x, laid, sizes, start, rows, columns, phases)


@dispatch.images.part()
def _lay_out_channels(
    n: int, pieces: int, x: Array, laid: Array, sizes: Sizes, start: Pair, rows: int, columns: int,
    phases: int,
) -> None:  # fmt: skip
    _, height, width, batch = sizes
    first, last = bounds(n, pieces, len(laid))
    for c in range(first, last):
        for row in range(rows):
            y = row - start[0]
            for phase in range(phases):
                for column in range(columns):
                    z = column * phases + phase - start[1]
                    place = (row * phases + phase) * columns + column
                    target = batch_at(laid[c], place, batch)
                    if 0 <= y < height and 0 <= z < width:
                        given = batch_at(x[c], y * width + z, batch)
                        for m in range(batch):
                            target[m] = given[m]
                    else:
                        for m in range(batch):
                            target[m] = 0


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
    count = pieces(MOVED * laid.size, rows)
    share(_lay_out_given_rows, count, count, images, start, parts)


@dispatch.images.part()
def _lay_out_given_rows(n: int, pieces: int, images: Array, start: Pair, parts: Array) -> None:
    first, last = bounds(n, pieces, parts.shape[1])
    lay_out_rows(images, start[0], start[1], parts, first, last)


@dispatch.images.loop(f"void({_LAID})")
def convolve(
    laid: Array, filters: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair,
    counts: Pair,
) -> None:  # fmt: skip
    """out = Σ of the numbers under each window, times those of a filter, a row of `filters`."""
    channels, _, _, batch = sizes
    seen = rows_and_columns(counts, kernel, stride, (1, 1))
    begins = places_in_window(channels, seen, batch, kernel, stride, (1, 1))
    step = stride[0] * stride[1] * seen[1] * batch
    weights, numbers = as_weights(filters), laid.reshape(1, -1)
    count = pieces(out.size * begins.size, counts[0])
    share(_convolve_rows, count, count, weights, numbers, begins, step, out, counts, batch)


@dispatch.images.part()
def _convolve_rows(
    n: int, pieces: int, weights: Array, numbers: Array, places: Array, step: int, out: Array,
    counts: Pair, batch: int,
) -> None:  # fmt: skip
    first, last = bounds(n, pieces, counts[0])
    begins, count = places + first * step, counts[1] * batch
    for y in range(first, last):
        weighted_sums(weights, begins.size, numbers, begins, out, y * count, count)
        begins += step


@dispatch.images.loop(f"void({_LAID})")
def convolve_weight(
    grad: Array, laid: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair,
    counts: Pair,
) -> None:  # fmt: skip
    """out = Σ of `grad` times the numbers under the windows, a row for each filter."""
    channels, _, _, batch = sizes
    seen = rows_and_columns(counts, kernel, stride, (1, 1))
    begins = places_in_window(channels, seen, batch, kernel, stride, (1, 1))
    step = stride[0] * stride[1] * seen[1] * batch
    down, across = (len(out) + 3) // 4, (begins.size + 3) // 4
    count = pieces(grad.size * begins.size, down * across)
    numbers = laid.reshape(1, -1)
    by_filters = down >= across or down >= count
    if by_filters:
        count = min(count, down)
    else:
        count = min(count, across)
    share(_weight_blocks, count, count, by_filters, grad, numbers, begins, step, out, counts, batch)


@dispatch.images.part()
def _weight_blocks(
    n: int, pieces: int, by_filters: bool, grad: Array, numbers: Array, places: Array, step: int,
    out: Array, counts: Pair, batch: int,
) -> None:  # fmt: skip
    """Some of the filters' gradients, or some of the places' in all filters."""
    f, g, p, q = 0, len(out), 0, places.size
    if by_filters:
        f, g = bounds(n, pieces, (g + 3) // 4)
        f, g = 4 * f, min(4 * g, len(out))
    else:
        p, q = bounds(n, pieces, (q + 3) // 4)
        p, q = 4 * p, min(4 * q, places.size)
    begins, count = places[p:q].copy(), counts[1] * batch
    sums = np.zeros((whole_blocks(g - f), whole_blocks(q - p)), out.dtype)
    for y in range(counts[0]):
        sums_of_products(grad[f:g], y * count, count, numbers, begins, sums)
        begins += step
    for i in range(f, g):
        for k in range(p, q):
            out[i, k] = sums[i - f, k - p]


@dispatch.images.loop(f"void({_LAID})")
def convolve_input(
    grad: Array, filters: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair,
    counts: Pair,
) -> None:  # fmt: skip
    """out = Σ of `grad` of each window that a number is under, times the weight it has there."""
    _, height, width, batch = sizes
    up, back = reach(kernel, stride, (1, 1))
    rows = up + (height - 1 + start[0]) // stride[0] + 1
    columns = back + (width - 1 + start[1]) // stride[1] + 1
    laid = np.empty((len(filters), rows * columns * batch), grad.dtype)
    lay_out_twin(grad, laid, (len(filters), *counts, batch), (up, back), rows, columns, 1)
    phases = stride[0] * stride[1]
    count = pieces(grad.size * filters.shape[1] // phases, height // stride[0])
    share(
        _input_rows, count * phases, count, laid.reshape(1, -1), filters, out, sizes, kernel,
        stride, start, (rows, columns),
    )  # fmt: skip


@dispatch.images.part()
def _input_rows(
    n: int, pieces: int, numbers: Array, filters: Array, out: Array, sizes: Sizes, kernel: Pair,
    stride: Pair, start: Pair, seen: Pair,
) -> None:  # fmt: skip
    """Some of the rows that lie in one phase of the images; of the first phases first."""
    channels, height, width, batch = sizes
    rows, columns = seen
    weights = np.zeros((filters.size // channels, whole_blocks(channels)), filters.dtype)
    begins = np.empty(len(weights), np.int64)
    sums = np.empty((channels, columns * batch), numbers.dtype)
    phase = divmod(n // pieces, stride[1])
    depth = filters_of_phase(
        filters, (rows, columns), batch, kernel, stride, (1, 1), phase, weights, begins
    )
    y, x = (phase[0] - start[0]) % stride[0], (phase[1] - start[1]) % stride[1]
    row, column = (y + start[0]) // stride[0], (x + start[1]) // stride[1]
    count = (width - x + stride[1] - 1) // stride[1]
    first, last = bounds(n % pieces, pieces, (height - y + stride[0] - 1) // stride[0])
    begins += ((row + first) * columns + column) * batch
    for down in range(y + first * stride[0], y + last * stride[0], stride[0]):
        weighted_sums(weights, depth, numbers, begins, sums, 0, count * batch)
        begins += columns * batch
        for c in range(channels):
            for i in range(count):
                given = batch_at(sums[c], i, batch)
                target = batch_at(out[c], down * width + i * stride[1] + x, batch)
                for m in range(batch):
                    target[m] = given[m]
