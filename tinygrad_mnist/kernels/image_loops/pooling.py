"""Pooling: the windows of one image after the other. Images are (number, height, width)."""

from typing import Any

import numpy as np

from ..loops.compile import loop, part_of_loops

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

_IMAGES = "Array(T, 3, 'A', readonly=True, aligned=False)"
_ROWS = "Array(T, 2, 'A', readonly=True, aligned=False)"
_PLACES = "Array(int64, 2, 'A', readonly=True, aligned=False)"
_PAIR = "UniTuple(int64, 2)"


@part_of_loops()
def inside(start: int, step: int, size: int, count: int) -> Pair:
    """The range of n from 0 to `count` with 0 <= start + n · step < size."""
    first, last = max(0, -(start // step)), -((start - size) // step)
    return first, min(last, count)


@part_of_loops()
def cut(start: int, length: int, size: int) -> Pair:
    """The part of start, …, start + length that lies within 0, …, size."""
    return max(0, start), min(start + length, size)


@loop(f"void({_IMAGES}, {_PAIR}, {_PAIR}, {_PAIR}, T[:, :, ::1])")
def window_sum(images: Array, kernel: Pair, stride: Pair, start: Pair, out: Array) -> None:
    """out = Σ of the numbers under each window, place by place."""
    count, height, width = images.shape
    for n in range(count):
        image = images[n]
        for y in range(out.shape[1]):
            top, bottom = cut(y * stride[0] - start[0], kernel[0], height)
            for z in range(out.shape[2]):
                left, right = cut(z * stride[1] - start[1], kernel[1], width)
                total = images.dtype.type(0)
                for i in range(top, bottom):
                    for j in range(left, right):
                        total += image[i, j]
                out[n, y, z] = total


@loop(f"void({_IMAGES}, {_PAIR}, {_PAIR}, {_PAIR}, T[:, :, ::1])")
def window_spread(grad: Array, kernel: Pair, stride: Pair, start: Pair, out: Array) -> None:
    """out = Σ of the numbers of the windows that each place is under, the last window first."""
    count, height, width = out.shape
    out[:] = 0
    for n in range(count):
        image = out[n]
        for y in range(grad.shape[1] - 1, -1, -1):
            top, bottom = cut(y * stride[0] - start[0], kernel[0], height)
            for z in range(grad.shape[2] - 1, -1, -1):
                left, right = cut(z * stride[1] - start[1], kernel[1], width)
                given = grad[n, y, z]
                for i in range(top, bottom):
                    for j in range(left, right):
                        image[i, j] += given


@loop(f"void({_IMAGES}, {_PAIR}, {_PAIR}, {_PAIR}, {_PAIR}, int64[:, :, ::1])")
def place_of_max(
    images: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair, out: Array
) -> None:
    """out = where in its image the largest number under each window is; the last NaN, if any.

    A window that no number is under has place -1.
    """
    count, height, width = images.shape
    for n in range(count):
        image = images[n]
        for y in range(out.shape[1]):
            top = y * stride[0] - start[0]
            first, last = inside(top, dilation[0], height, kernel[0])
            for z in range(out.shape[2]):
                left = z * stride[1] - start[1]
                begin, end = inside(left, dilation[1], width, kernel[1])
                largest, place = -np.inf, -1
                if first < last and begin < end:
                    place = (top + first * dilation[0]) * width + left + begin * dilation[1]
                for i in range(first, last):
                    down = top + i * dilation[0]
                    for j in range(begin, end):
                        value = image[down, left + j * dilation[1]]
                        if value > largest or value != value:
                            largest, place = value, down * width + left + j * dilation[1]
                out[n, y, z] = place


@loop(f"void({_ROWS}, {_PLACES}, T[:, ::1])")
def pick(images: Array, places: Array, out: Array) -> None:
    """out = the numbers at the places given, a row for each image; −∞ at place -1."""
    for n in range(len(images)):
        for k in range(out.shape[1]):
            place = places[n, k]
            out[n, k] = images[n, place] if place >= 0 else -np.inf


@loop(f"void({_ROWS}, {_PLACES}, T[:, ::1])")
def put_back(grad: Array, places: Array, out: Array) -> None:
    """Add each number to the one at its place, a row for each image."""
    out[:] = 0
    for n in range(len(grad)):
        for k in range(grad.shape[1]):
            if places[n, k] >= 0:
                out[n, places[n, k]] += grad[n, k]
