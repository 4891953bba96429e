"""Where windows have their numbers in images that are laid out with a batch side by side.

Laid out, images are (channels, rows, phases, columns, images), with the zeros of the padding around
them. Windows are `stride` columns apart; the columns are dealt into as many phases, so that the
numbers which all windows of a row, in all the images, have at one place lie in one piece. A row of
results of a convolution is then a weighted sum of such pieces, with neither gaps nor copies.
"""

from typing import Any

import numpy as np

from .compile import part_of_loops

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

_part = part_of_loops()


@_part
def rows_and_columns(counts: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """The rows, and the columns of a phase, that so many windows see."""
    rows = (counts[0] - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1
    return rows, counts[1] + (kernel[1] - 1) * dilation[1] // stride[1]


@_part
def reach(kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """How many windows before its own a number may be under, down and across."""
    up = (kernel[0] - 1) * dilation[0] // stride[0]
    return up, (kernel[1] - 1) * dilation[1] // stride[1]


@_part
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


@_part
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
