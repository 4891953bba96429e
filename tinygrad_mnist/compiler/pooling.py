"""Loops for the largest numbers under windows, over images that lie with the batch last.

Images are (channels, height · width · batch), as in `images`. A place is counted row by row in
its image, whichever image of the batch that is.
"""

from __future__ import annotations

import numba
import numpy as np

from tinygrad_mnist.kernels.loops.pieces import piece

from .images import Array, Pair, Sizes

_part = numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})


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
                places = piece(out[c], y * counts[1] + z, batch)
                place = first + _first_inside(left, dilation[1], width)
                _first_places(best, places, piece(x[c], place, batch), place)
                for i in range(kernel[0]):
                    down = top + i * dilation[0]
                    for j in range(kernel[1]):
                        across = left + j * dilation[1]
                        if 0 <= down < height and 0 <= across < width:
                            place = down * width + across
                            _compare(best, places, piece(x[c], place, batch), place)


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
                places = piece(out[c], y * counts[1] + z, batch)
                place = top * width + left
                _first_places(best, places, piece(x[c], place, batch), place)
                for down in range(top, bottom):
                    for across in range(left, right):
                        place = down * width + across
                        _compare(best, places, piece(x[c], place, batch), place)


@_part
def pick(x: Array, places: Array, out: Array, batch: int) -> None:
    """out = the numbers of x at the places."""
    for c in range(out.shape[0]):
        for k in range(out.shape[1] // batch):
            target, found = piece(out[c], k, batch), piece(places[c], k, batch)
            for n in range(batch):
                target[n] = x[c, found[n] * batch + n]


@_part
def put_back(grad: Array, places: Array, out: Array, batch: int) -> None:
    """out = 0, with each number added at its place."""
    out[:] = 0
    for c in range(grad.shape[0]):
        for k in range(grad.shape[1] // batch):
            given, found = piece(grad[c], k, batch), piece(places[c], k, batch)
            for n in range(batch):
                out[c, found[n] * batch + n] += given[n]
