"""Loops over images that lie with the batch last: (channels, height · width · batch).

A row of numbers, one for each image of the batch, lies in one piece: what is done to one image is
done to all, side by side.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from tinygrad_mnist.kernels.loops.pieces import piece

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Sizes = tuple[int, int, int, int]
"""Channels, height, width, batch."""

_part = numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})


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
                        target = piece(row, y * counts[1] + z, batch)
                        if 0 <= down < height and 0 <= across < width:
                            given = piece(x[c], down * width + across, batch)
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
                        given = piece(row, y * counts[1] + z, batch)
                        target = piece(out[c], down * width + across, batch)
                        for n in range(batch):
                            target[n] += given[n]


@_part
def _add(given: Array, target: Array) -> None:
    for n in range(len(given)):
        target[n] += given[n]


@_part
def _add_under_windows(
    windows: Array, images: Array, spread: bool, sizes: Sizes, kernel: Pair, stride: Pair,
    start: Pair, counts: Pair,
) -> None:  # fmt: skip
    """Add to each window the numbers of images under it; or `spread` its number over them."""
    channels, height, width, batch = sizes
    for c in range(channels):
        for y in range(counts[0]):
            for z in range(counts[1]):
                window = piece(windows[c], y * counts[1] + z, batch)
                for i in range(max(0, start[0] - y * stride[0]), kernel[0]):
                    down = y * stride[0] + i - start[0]
                    for j in range(max(0, start[1] - z * stride[1]), kernel[1]):
                        across = z * stride[1] + j - start[1]
                        if down < height and across < width:
                            place = piece(images[c], down * width + across, batch)
                            if spread:
                                _add(window, place)
                            else:
                                _add(place, window)


@_part
def window_sum(
    x: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """out = Σ of x under each window."""
    out[:] = 0
    _add_under_windows(out, x, False, sizes, kernel, stride, start, counts)


@_part
def window_spread(
    grad: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair
) -> None:
    """out = Σ of the numbers of `grad` whose window each number is under."""
    out[:] = 0
    _add_under_windows(grad, out, True, sizes, kernel, stride, start, counts)
