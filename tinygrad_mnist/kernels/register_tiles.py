"""Blocks of sums, kept in registers: weighted sums of the numbers under windows, row by row.

Numbers are float32 and lie in one row, (1, numbers): images that are laid out with a batch side by
side, (channels, rows, phases, columns, images), with the zeros of the padding around them. Windows
are `stride` columns apart; the columns are dealt into as many phases, so that the numbers which all
windows of a row, in all the images, have at one offset lie in one block. A row of results of a
convolution is then a weighted sum of such blocks, with neither gaps nor copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import dispatch

if TYPE_CHECKING:
    from .simd import LANES, ROWS, add_product, load, spread, store, sums_of

dispatch.base.uses_vectors(globals())

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Four = tuple[Any, Any, Any, Any]
"""Four registers."""

_part = dispatch.base.part(fastmath={"contract"})


@dispatch.base.part()
def batch_at(row: Array, place: int, batch: int) -> Array:
    """The numbers at one place, of all images of a batch that lies last.

    An index into it counts from 0, which LLVM must see to handle several numbers at once.
    """
    return row[place * batch : (place + 1) * batch]


@_part
def whole_blocks(count: int) -> int:
    """The count rounded up to a multiple of eight: room for the last block of `weighted_sums`."""
    return (count + 7) // 8 * 8


@_part
def as_weights(rows: Array) -> Array:
    """A column for each of the rows, and room for whole blocks of them."""
    weights = np.zeros((rows.shape[1], whole_blocks(len(rows))), rows.dtype)
    for first in range(0, len(rows), 16):  # whole lines of the cache
        for k in range(rows.shape[1]):
            for i in range(first, min(first + 16, len(rows))):
                weights[k, i] = rows[i, k]
    return weights


@_part
def nothing() -> Four:
    """Four sums that are still to come."""
    zero = spread(np.float32(0))
    return zero, zero, zero, zero


@_part
def along(row: Array, i: int) -> Four:
    """Four numbers of a row, each in all lanes."""
    return spread(row[i]), spread(row[i + 1]), spread(row[i + 2]), spread(row[i + 3])


@_part
def added(s: Four, x: Any, y: Four) -> Four:
    """Four sums, each with a product more."""
    low = add_product(s[0], x, y[0]), add_product(s[1], x, y[1])
    return *low, add_product(s[2], x, y[2]), add_product(s[3], x, y[3])


@_part
def put(sums: Array, i: int, j: int, s: Four) -> None:
    """Numbers from `j` on in four rows, as far as there are rows."""
    store(sums, i, j, s[0])
    if i + 1 < len(sums):
        store(sums, i + 1, j, s[1])
    if i + 2 < len(sums):
        store(sums, i + 2, j, s[2])
    if i + 3 < len(sums):
        store(sums, i + 3, j, s[3])


@_part
def weighted_sums(
    weights: Array, depth: int, numbers: Array, begins: Array, sums: Array, at: int, count: int
) -> None:
    """sums[i, at + j] = Σₖ weights[k, i] · numbers[0, beginsₖ + j] for k < depth and j < count.

    `weights` are `whole_blocks` of columns, of which the first are those of a row of `sums`. At
    least `LANES` numbers are wanted; the last registers overlap those before them.
    """
    rows = len(sums)
    for begin in range(0, count, 2 * LANES):
        j, m = min(begin, count - LANES), min(begin + LANES, count - LANES)
        i = 0
        while ROWS == 4 and i + 4 < rows:
            s = t = u = v = nothing()
            for k in range(depth):
                x, y = load(numbers, 0, begins[k] + j), load(numbers, 0, begins[k] + m)
                p, q = along(weights[k], i), along(weights[k], i + 4)
                s, t = added(s, x, p), added(t, y, p)
                u, v = added(u, x, q), added(v, y, q)
            put(sums, i, at + j, s)
            put(sums, i, at + m, t)
            put(sums, i + 4, at + j, u)
            put(sums, i + 4, at + m, v)
            i += 8
        while i < rows:
            s = t = nothing()
            for k in range(depth):
                x, y = load(numbers, 0, begins[k] + j), load(numbers, 0, begins[k] + m)
                p = along(weights[k], i)
                s, t = added(s, x, p), added(t, y, p)
            put(sums, i, at + j, s)
            put(sums, i, at + m, t)
            i += 4


@_part
def add_sums(sums: Array, i: int, k: int, s: Four) -> None:
    """Add the sums of all lanes of four registers to four numbers of row `i`, from `k` on."""
    found = sums_of(s[0], s[1], s[2], s[3])
    sums[i, k] += found[0]
    sums[i, k + 1] += found[1]
    sums[i, k + 2] += found[2]
    sums[i, k + 3] += found[3]


@_part
def sums_of_products(
    rows: Array, at: int, count: int, numbers: Array, begins: Array, sums: Array
) -> None:
    """sumsᵢₖ += Σⱼ rows[i, at + j] · numbers[0, beginsₖ + j] for j < count.

    `sums` has whole blocks of rows and of columns; what stands in it beyond the rows and the
    pieces that there are is of no meaning.
    """
    whole = count - count % LANES
    sums_of_rest(rows, at + whole, count - whole, numbers, begins, whole, sums)
    last_row, last = len(rows) - 1, begins.size - 1
    for i in range(0, len(rows), 4):
        i1, i2, i3 = min(i + 1, last_row), min(i + 2, last_row), min(i + 3, last_row)
        for k in range(0, begins.size, 4):
            b0, b1 = begins[k], begins[min(k + 1, last)]
            b2, b3 = begins[min(k + 2, last)], begins[min(k + 3, last)]
            s = t = u = v = nothing()
            for j in range(0, whole, LANES):
                low = load(numbers, 0, b0 + j), load(numbers, 0, b1 + j)
                x = *low, load(numbers, 0, b2 + j), load(numbers, 0, b3 + j)
                s, t = added(s, load(rows, i, at + j), x), added(t, load(rows, i1, at + j), x)
                u, v = added(u, load(rows, i2, at + j), x), added(v, load(rows, i3, at + j), x)
            add_sums(sums, i, k, s)
            add_sums(sums, i + 1, k, t)
            add_sums(sums, i + 2, k, u)
            add_sums(sums, i + 3, k, v)


@dispatch.base.part()
def sums_of_rest(
    rows: Array, at: int, count: int, numbers: Array, begins: Array, beyond: int, sums: Array
) -> None:
    """`sums_of_products` for what lies `beyond` the beginning of pieces, less than a register."""
    for i in range(len(rows) if count else 0):
        for k in range(begins.size):
            begin = begins[k] + beyond
            for j in range(count):
                sums[i, k] += rows[i, at + j] * numbers[0, begin + j]


# Where windows have their numbers.


@dispatch.base.part()
def rows_and_columns(counts: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """The rows, and the columns of a phase, that so many windows see."""
    rows = (counts[0] - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1
    return rows, counts[1] + (kernel[1] - 1) * dilation[1] // stride[1]


@dispatch.base.part()
def reach(kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """How many windows before its own a number may be under, down and across."""
    up = (kernel[0] - 1) * dilation[0] // stride[0]
    return up, (kernel[1] - 1) * dilation[1] // stride[1]


@dispatch.base.part()
def places_in_window(
    channels: int, sizes: Pair, lanes: int, kernel: Pair, stride: Pair, dilation: Pair
) -> Array:
    """Where the first window has each of its places: one after the other, channel by channel.

    `sizes` are the rows and columns of the images as they are laid out.
    """
    begins = np.empty(channels * kernel[0] * kernel[1], np.int64)
    k = 0
    for c in range(channels):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                column, phase = divmod(j * dilation[1], stride[1])
                row = c * sizes[0] + i * dilation[0]
                begins[k] = ((row * stride[1] + phase) * sizes[1] + column) * lanes
                k += 1
    return begins


@dispatch.base.part()
def filters_of_phase(
    filters: Array, sizes: Pair, lanes: int, kernel: Pair, stride: Pair, dilation: Pair,
    phase: Pair, weights: Array, begins: Array,
) -> int:  # fmt: skip
    """The places of windows that fall on one phase of images, and where their gradients lie.

    The gradients are laid out with zeros for `reach` windows before them; `sizes` are their rows
    and columns. Fills in a row of weights, one for each channel, and a begin for each place in each
    filter, and returns how many there are.
    """
    channels = filters.shape[1] // (kernel[0] * kernel[1])
    most = reach(kernel, stride, dilation)
    depth = 0
    for f in range(len(filters)):
        for i in range(kernel[0]):
            up, down = divmod(i * dilation[0], stride[0])
            for j in range(kernel[1]):
                back, across = divmod(j * dilation[1], stride[1])
                if down == phase[0] and across == phase[1]:
                    row = f * sizes[0] + most[0] - up
                    begins[depth] = (row * sizes[1] + most[1] - back) * lanes
                    for c in range(channels):
                        weights[depth, c] = filters[f, (c * kernel[0] + i) * kernel[1] + j]
                    depth += 1
    return depth
