"""Convolutions image by image: sums over whole planes of numbers, for any number of groups.

The images of a batch need not stand side by side for a register to be full: rows of one image do,
one after the other, each with the zeros of its padding. A window's place is then an offset into
the plane, and all results of a filter are one long weighted sum. What is computed between two rows
is left out of the result. Where windows are `stride` apart, the rows and columns of an image are
dealt into as many phases, each a plane of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import dispatch
from .register_tiles import (
    add_sums,
    added,
    as_weights,
    filters_of_phase,
    nothing,
    reach,
    sums_of_products,
    weighted_sums,
    whole_blocks,
)

if TYPE_CHECKING:
    from .simd import LANES, load, move, move_apart, move_every_second, spread, store

dispatch.images.uses_vectors(globals())

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

ROOM: Final = 1 << 14
"""About how many sums are made at once: they stay in the cache until they are results."""
PIECE: Final = 1 << 10
"""Numbers that are multiplied at once; a whole number of registers."""

_IMAGES = "Array(float32, 4, 'C', readonly=True, aligned=False)"
_GEOMETRY = ", ".join(["UniTuple(int64, 2)"] * 4)
_part = dispatch.images.part(fastmath={"contract"})


def convolve(
    images: Array, weight: Array, stride: Pair, start: Pair, dilation: Pair, groups: int,
    counts: Pair,
) -> Array:  # fmt: skip
    """Σ of the numbers under each window, times the weights of each filter: (batch, …, *counts)."""
    out = np.empty((len(images), len(weight), *counts), np.float32)
    rows = as_rows(weight)
    _convolve_loop(
        np.ascontiguousarray(images), rows, weight.shape[2:], stride, start, dilation, groups, out
    )
    return out


def convolve_input(
    grad: Array, weight: Array, stride: Pair, start: Pair, dilation: Pair, groups: int, sizes: Pair
) -> Array:
    """The gradient of `convolve`'s images, which are of these sizes."""
    out = np.empty((len(grad), groups * weight.shape[1], *sizes), np.float32)
    rows = as_rows(weight)
    _convolve_input_loop(
        np.ascontiguousarray(grad), rows, weight.shape[2:], stride, start, dilation, groups, out
    )
    return out


def convolve_weight(
    grad: Array, images: Array, stride: Pair, start: Pair, dilation: Pair, groups: int, kernel: Pair
) -> Array | None:
    """The gradient of `convolve`'s weight, filters of this size.

    None where there are infinities or NaN: a product with a zero between two rows may spread them.
    """
    filters, channels = grad.shape[1], images.shape[1] // groups
    out = np.empty((filters, channels, *kernel), np.float32)
    _convolve_weight_loop(
        np.ascontiguousarray(grad), np.ascontiguousarray(images), kernel, stride, start, dilation,
        groups, out.reshape(filters, -1),
    )  # fmt: skip
    return out if np.isfinite(out).all() else None


def as_rows(weight: Array) -> Array:
    """A row for each filter, in one piece."""
    return np.ascontiguousarray(weight).reshape(len(weight), -1)


@dispatch.images.part()
def planes(channels: int, stride: Pair, sizes: Pair) -> tuple[Array, Array]:
    """Zeros for planes (channels, row phases, column phases, rows, columns), and beyond the last.

    Returned as one row of numbers, and as planes.
    """
    size = channels * stride[0] * stride[1] * sizes[0] * sizes[1]
    numbers = np.zeros((1, size + PIECE + sizes[1] + LANES), np.float32)
    shape = channels, stride[0], stride[1], sizes[0], sizes[1]
    return numbers, numbers[0, :size].reshape(shape)


@dispatch.images.part()
def rows_apart(rows: int, columns: int) -> int:
    """One row more where planes of a power of two would evict each other from the cache."""
    return rows + 1 if rows * columns % 64 == 0 else rows


@dispatch.images.part()
def move_row(
    source: Array, row: int, column: int, target: Array, line: int, place: int, count: int
) -> None:
    """target[line, place : place + count] = source[row, column : column + count]."""
    for n in range(0, count, LANES):
        move(source, row, column + n, target, line, place + n, count - n)


@dispatch.images.part()
def lay_planes(image: Array, top: int, left: int, laid: Array) -> None:
    """Put the numbers of an image into its planes, so many rows and columns of zeros before."""
    channels, down, across, rows, columns = laid.shape
    _, height, width = image.shape
    for x in range(min(across, width)):
        column, other = divmod(x + left, across)
        count = min(columns - column, (width - x + across - 1) // across)
        for c in range(channels):
            row, phase = divmod(top, down)
            for y in range(min(height, rows * down - top)):
                if across == 1:
                    move_row(image[c], y, 0, laid[c, phase, 0], row, column, count)
                elif across == 2:
                    for n in range(0, count, LANES):
                        move_every_second(image[c], y, x + 2 * n, laid[c, phase, other], row,
                                          column + n, count - n)  # fmt: skip
                else:
                    target, given = laid[c, phase, other, row], image[c, y]
                    for i in range(count):
                        target[column + i] = given[x + i * across]
                phase += 1
                if phase == down:
                    row, phase = row + 1, 0


@dispatch.images.part()
def places_in_planes(
    channels: int, sizes: Pair, kernel: Pair, stride: Pair, dilation: Pair
) -> Array:
    """Where the first window has each of its places: one after the other, channel by channel."""
    begins = np.empty(channels * kernel[0] * kernel[1], np.int64)
    k = 0
    for c in range(channels):
        for i in range(kernel[0]):
            row, down = divmod(i * dilation[0], stride[0])
            for j in range(kernel[1]):
                column, across = divmod(j * dilation[1], stride[1])
                plane = (c * stride[0] + down) * stride[1] + across
                begins[k] = (plane * sizes[0] + row) * sizes[1] + column
                k += 1
    return begins


@_part
def row_of_sums(
    weights: Array, depth: int, numbers: Array, begins: Array, sums: Array, count: int
) -> None:
    """`weighted_sums` from 0 on, for one row of sums: four registers of it at once."""
    for begin in range(0, count, 4 * LANES):
        last = count - LANES
        a, b = min(begin, last), min(begin + LANES, last)
        c, d = min(begin + 2 * LANES, last), min(begin + 3 * LANES, last)
        s = nothing()
        for k in range(depth):
            x, at = spread(weights[k, 0]), begins[k]
            low = load(numbers, 0, at + a), load(numbers, 0, at + b)
            s = added(s, x, (*low, load(numbers, 0, at + c), load(numbers, 0, at + d)))
        store(sums, 0, a, s[0])
        store(sums, 0, b, s[1])
        store(sums, 0, c, s[2])
        store(sums, 0, d, s[3])


@_part
def products_with_row(
    row: Array, at: int, count: int, numbers: Array, begins: Array, sums: Array
) -> None:
    """`sums_of_products` for one row, of whole registers."""
    last = begins.size - 1
    for k in range(0, begins.size, 4):
        b0, b1 = begins[k], begins[min(k + 1, last)]
        b2, b3 = begins[min(k + 2, last)], begins[min(k + 3, last)]
        s = nothing()
        for j in range(0, count, LANES):
            low = load(numbers, 0, b0 + j), load(numbers, 0, b1 + j)
            x = *low, load(numbers, 0, b2 + j), load(numbers, 0, b3 + j)
            s = added(s, load(row, 0, at + j), x)
        add_sums(sums, 0, k, s)


@dispatch.images.part()
def rows_at_once(filters: int, columns: int, height: int) -> int:
    """How many rows of sums are made before they become results."""
    return max(1, min(height, ROOM // (filters * columns)))


@dispatch.images.loop(
    f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, int64, float32[:, :, :, ::1])"
)
def _convolve_loop(
    images: Array, filters: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    groups: int, out: Array,
) -> None:  # fmt: skip
    """out = Σ of the numbers under each window, times those of a filter, a row of `filters`."""
    height, width = out.shape[2:]
    each, channels = len(filters) // groups, images.shape[1] // groups
    up, back = reach(kernel, stride, dilation)
    sizes = rows_apart(height + up, width + back), width + back
    numbers, laid = planes(channels, stride, sizes)
    begins = places_in_planes(channels, sizes, kernel, stride, dilation)
    step = rows_at_once(each, sizes[1], height)
    sums = np.empty((each, step * sizes[1] + LANES), out.dtype)
    for g in range(groups):
        weights = as_weights(filters[g * each : (g + 1) * each])
        for n in range(len(images)):
            image = images[n, g * channels : (g + 1) * channels]
            lay_planes(image, start[0], start[1], laid)
            for y in range(0, height, step):
                rows = min(step, height - y)
                count = max(rows * sizes[1], LANES)
                if each == 1:
                    row_of_sums(weights, begins.size, numbers, begins, sums, count)
                else:
                    weighted_sums(weights, begins.size, numbers, begins, sums, 0, count)
                begins += step * sizes[1]
                for f in range(each):
                    for row in range(rows):
                        move_row(sums, f, row * sizes[1], out[n, g * each + f], y + row, 0, width)
            begins -= (height + step - 1) // step * step * sizes[1]


@dispatch.images.loop(
    f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, int64, float32[:, :, :, ::1])"
)
def _convolve_input_loop(
    grad: Array, filters: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    groups: int, out: Array,
) -> None:  # fmt: skip
    """out = Σ of `grad` of each window that a number is under, times the weight it has there."""
    height, width = out.shape[2:]
    each, channels = len(filters) // groups, out.shape[1] // groups
    up, back = reach(kernel, stride, dilation)
    high = (height - 1 + start[0]) // stride[0] + 1
    columns = back + (width - 1 + start[1]) // stride[1] + 1
    sizes = rows_apart(up + high, columns), columns
    numbers, laid = planes(each, (1, 1), sizes)
    depth = each * kernel[0] * kernel[1]
    weights = np.zeros((depth, whole_blocks(channels)), out.dtype)
    begins = np.empty(depth, np.int64)
    phases = stride[0] * stride[1]
    ends = np.zeros(phases + 1, np.int64)
    step = rows_at_once(channels, columns, high)
    sums = np.empty((channels, step * columns + LANES), out.dtype)
    for g in range(groups):
        part = filters[g * each : (g + 1) * each]
        for p in range(phases):
            ends[p + 1] = ends[p] + filters_of_phase(
                part, sizes, 1, kernel, stride, dilation,
                divmod(p, stride[1]), weights[ends[p] :], begins[ends[p] :],
            )  # fmt: skip
        for n in range(len(grad)):
            lay_planes(grad[n, g * each : (g + 1) * each], up, back, laid)
            image = out[n, g * channels : (g + 1) * channels]
            for p in range(phases):
                own, places = weights[ends[p] : ends[p + 1]], begins[ends[p] : ends[p + 1]]
                for first in range(0, high, step):
                    rows = min(step, high - first)
                    count = max(rows * columns, LANES)
                    if channels == 1:
                        row_of_sums(own, places.size, numbers, places, sums, count)
                    else:
                        weighted_sums(own, places.size, numbers, places, sums, 0, count)
                    places += step * columns
                    give_phase(sums, first, rows, columns, divmod(p, stride[1]), stride, start,
                               image)  # fmt: skip
                places -= (high + step - 1) // step * step * columns


@dispatch.images.part()
def give_phase(
    sums: Array, first: int, rows: int, columns: int, phase: Pair, stride: Pair, start: Pair,
    image: Array,
) -> None:  # fmt: skip
    """Put rows of sums, from `first` on, to the numbers of one phase of an image."""
    channels, height, width = image.shape
    x = (phase[1] - start[1]) % stride[1]
    column = (x + start[1]) // stride[1]
    for c in range(channels):
        for row in range(rows):
            y = (first + row) * stride[0] + phase[0] - start[0]
            if y < 0 or y >= height or x >= width:
                continue
            if stride[1] == 1:
                move_row(sums, c, row * columns + column, image[c], y, 0, width)
                continue
            if stride[1] == 2:
                for n in range(0, (width - x + 1) // 2, LANES):
                    move_apart(sums, c, row * columns + column + n, image[c], y, x + 2 * n,
                               (width - x + 1) // 2 - n)  # fmt: skip
                continue
            target, given = image[c, y, x:], sums[c, row * columns + column :]
            for i in range((len(target) + stride[1] - 1) // stride[1]):
                target[i * stride[1]] = given[i]


@dispatch.images.loop(f"void({_IMAGES}, {_IMAGES}, {_GEOMETRY}, int64, float32[:, ::1])")
def _convolve_weight_loop(
    grad: Array, images: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    groups: int, out: Array,
) -> None:  # fmt: skip
    """out = Σ of `grad` times the numbers under the windows, a row for each filter."""
    height, width = grad.shape[2:]
    each, channels = len(out) // groups, images.shape[1] // groups
    up, back = reach(kernel, stride, dilation)
    sizes = rows_apart(height + up, width + back), width + back
    numbers, laid = planes(channels, stride, sizes)
    begins = places_in_planes(channels, sizes, kernel, stride, dilation)
    pitch = (height * sizes[1] + LANES - 1) // LANES * LANES
    rows = np.zeros((each, pitch), out.dtype)
    sums = np.empty((whole_blocks(each), whole_blocks(out.shape[1])), out.dtype)
    for g in range(groups):
        sums[:] = 0
        for n in range(len(images)):
            lay_planes(images[n, g * channels : (g + 1) * channels], start[0], start[1], laid)
            for f in range(each):
                for y in range(height):
                    move_row(grad[n, g * each + f], y, 0, rows, f, y * sizes[1], width)
            for at in range(0, pitch, PIECE):
                count = min(PIECE, pitch - at)
                if each == 1:
                    products_with_row(rows, at, count, numbers, begins, sums)
                else:
                    sums_of_products(rows, at, count, numbers, begins, sums)
                begins += PIECE
            begins -= (pitch + PIECE - 1) // PIECE * PIECE
        out[g * each : (g + 1) * each] = sums[:each, : out.shape[1]]
