"""Loops over images that lie with the batch last: (channels, height · width · batch).

A row of numbers, one for each image of the batch, lies in one piece: what is done to one image is
done to all, side by side.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from tinygrad_mnist.kernels.register_tiles import batch_at

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]
Sizes = tuple[int, int, int, int]
"""Channels, height, width, batch."""

_part = numba.njit(error_model="numpy")


@_part
def _copy(given: Array, target: Array) -> None:
    for n in range(len(given)):
        target[n] = given[n]


@_part
def _add(given: Array, target: Array) -> None:
    for n in range(len(given)):
        target[n] += given[n]


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
                        target = batch_at(row, y * counts[1] + z, batch)
                        if 0 <= down < height and 0 <= across < width:
                            _copy(batch_at(x[c], down * width + across, batch), target)
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
                    for z in range(counts[1]):
                        across = z * stride[1] + j - start[1]
                        if 0 <= down < height and 0 <= across < width:
                            given = batch_at(row, y * counts[1] + z, batch)
                            _add(given, batch_at(out[c], down * width + across, batch))


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
                window = batch_at(windows[c], y * counts[1] + z, batch)
                for i in range(max(0, start[0] - y * stride[0]), kernel[0]):
                    down = y * stride[0] + i - start[0]
                    for j in range(max(0, start[1] - z * stride[1]), kernel[1]):
                        across = z * stride[1] + j - start[1]
                        if down < height and across < width:
                            place = batch_at(images[c], down * width + across, batch)
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


# The largest numbers under windows. A place is counted row by row in its image.


@_part
def _first_places(best: Array, places: Array, given: Array, place: int) -> None:
    """One place of each image is the largest so far."""
    for n in range(len(best)):
        best[n] = given[n]
        places[n] = place


@_part
def _compare(best: Array, places: Array, given: Array, place: int) -> None:
    """Another place, where it holds more than the largest so far; the last NaN is the largest."""
    for n in range(len(best)):
        x = given[n]
        larger = x > best[n] or x != x
        best[n] = x if larger else best[n]
        places[n] = place if larger else places[n]


@_part
def _first_inside(start: int, step: int, size: int) -> int:
    """The first of start, start + step, … that is not negative; within the size in any case."""
    return min(start + max(0, -(start // step)) * step, size - 1)


@_part
def place_of_max(
    x: Array, out: Array, sizes: Sizes, kernel: Pair, stride: Pair, start: Pair, counts: Pair,
    dilation: Pair,
) -> None:  # fmt: skip
    """out = where the largest number under each window is."""
    channels, height, width, batch = sizes
    best = np.empty(batch, x.dtype)
    for c in range(channels):
        for y in range(counts[0]):
            top = y * stride[0] - start[0]
            first = _first_inside(top, dilation[0], height) * width
            for z in range(counts[1]):
                left = z * stride[1] - start[1]
                places = batch_at(out[c], y * counts[1] + z, batch)
                place = first + _first_inside(left, dilation[1], width)
                _first_places(best, places, batch_at(x[c], place, batch), place)
                for i in range(kernel[0]):
                    down = top + i * dilation[0]
                    for j in range(kernel[1]):
                        across = left + j * dilation[1]
                        if 0 <= down < height and 0 <= across < width:
                            place = down * width + across
                            _compare(best, places, batch_at(x[c], place, batch), place)


@_part
def place_of_part_max(x: Array, out: Array, sizes: Sizes, counts: Pair) -> None:
    """out = where the largest number is of each part, `counts` of them cutting the image up."""
    channels, height, width, batch = sizes
    best = np.empty(batch, x.dtype)
    for c in range(channels):
        for y in range(counts[0]):
            top, bottom = y * height // counts[0], -(-(y + 1) * height // counts[0])
            for z in range(counts[1]):
                left, right = z * width // counts[1], -(-(z + 1) * width // counts[1])
                places = batch_at(out[c], y * counts[1] + z, batch)
                place = top * width + left
                _first_places(best, places, batch_at(x[c], place, batch), place)
                for down in range(top, bottom):
                    for across in range(left, right):
                        place = down * width + across
                        _compare(best, places, batch_at(x[c], place, batch), place)


@_part
def pick(x: Array, places: Array, out: Array, batch: int) -> bool:
    """out = the numbers of x at the places; whether all of these exist."""
    size = x.shape[1] // batch
    for c in range(out.shape[0]):
        for k in range(out.shape[1] // batch):
            target, found = batch_at(out[c], k, batch), batch_at(places[c], k, batch)
            for n in range(batch):
                place = found[n]
                if place < 0 or place >= size:
                    return False
                target[n] = x[c, place * batch + n]
    return True


@_part
def put_back(grad: Array, places: Array, out: Array, batch: int) -> bool:
    """out = 0, with each number added at its place; whether all of these exist."""
    out[:] = 0
    size = out.shape[1] // batch
    for c in range(grad.shape[0]):
        for k in range(grad.shape[1] // batch):
            given, found = batch_at(grad[c], k, batch), batch_at(places[c], k, batch)
            for n in range(batch):
                place = found[n]
                if place < 0 or place >= size:
                    return False
                out[c, place * batch + n] += given[n]
    return True
