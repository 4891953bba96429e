"""Pooling: sums and largest numbers under windows that slide over images, and their derivatives.

Images are (…, height, width). `kernel`, `stride` and `dilation` are two numbers, for rows and for
columns; `borders` is, for each of the two, how far windows reach beyond the image at either side;
`counts` is how many windows there are down and across.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dispatch
from .convolution import Borders, Pair, bordered, shifts

Array = np.ndarray[Any, Any]

LARGE_WINDOW = 16
FEW = 4096
"""A loop is faster than NumPy, place by place, where so many numbers are under a window, or where
there are so few of them in all."""

_IMAGES = "Array(T, 3, 'A', readonly=True, aligned=False)"
_ROWS = "Array(T, 2, 'A', readonly=True, aligned=False)"
_INDICES = "Array(int64, 2, 'A', readonly=True, aligned=False)"
_PAIR = "UniTuple(int64, 2)"


@dispatch.images.part()
def inside(start: int, step: int, size: int, count: int) -> Pair:
    """The range of n from 0 to `count` with 0 <= start + n · step < size."""
    first, last = max(0, -(start // step)), -((start - size) // step)
    return first, min(last, count)


@dispatch.images.part()
def cut(start: int, length: int, size: int) -> Pair:
    """The part of start, …, start + length that lies within 0, …, size."""
    return max(0, start), min(start + length, size)


def window_sum(
    input: Array, kernel: Pair, stride: Pair, borders: Borders, counts: Pair, divisor: int = 1
) -> Array:
    """The sum of the numbers under each window, divided by a number.

    >>> import numpy as np
    >>> window_sum(np.ones((1, 4, 4)), (2, 2), (2, 2), ((0, 0), (0, 0)), (2, 2))
    array([[[4., 4.],
            [4., 4.]]])
    """
    if dispatch.images.ready(input.size, input.dtype) and _suits_loop(input, kernel):
        out = np.empty((*input.shape[:-2], *counts), input.dtype)
        _window_sum_loop(_one_by_one(input), kernel, stride, _start(borders), divisor,
                         _one_by_one(out))  # fmt: skip
        return out
    padded = bordered(input, borders)
    out = np.zeros((*input.shape[:-2], *counts), input.dtype)
    for _, _, rows, across in shifts(kernel, stride, (1, 1), counts):
        out += padded[..., rows, across]
    if divisor != 1:
        out /= divisor
    return out


def _suits_loop(images: Array, kernel: Pair) -> bool:
    return images.size <= FEW or math.prod(kernel) >= LARGE_WINDOW


@dispatch.images.loop(f"void({_IMAGES}, {_PAIR}, {_PAIR}, {_PAIR}, int64, T[:, :, ::1])")
def _window_sum_loop(
    images: Array, kernel: Pair, stride: Pair, start: Pair, divisor: int, out: Array
) -> None:
    """out = Σ of the numbers under each window, place by place, / divisor."""
    by = images.dtype.type(divisor)
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
                out[n, y, z] = total / by


def window_spread(
    grad: Array, sizes: Pair, kernel: Pair, stride: Pair, borders: Borders, counts: Pair,
    divisor: int = 1,
) -> Array:  # fmt: skip
    """The gradient of `window_sum`'s input, images of these sizes."""
    if divisor != 1:
        grad = grad / divisor
    if dispatch.images.ready(grad.size, grad.dtype) and _suits_loop(grad, kernel):
        out = np.empty((*grad.shape[:-2], *sizes), grad.dtype)
        _window_spread_loop(_one_by_one(grad), kernel, stride, _start(borders), _one_by_one(out))
        return out
    (top, bottom), (left, right) = borders
    height, width = sizes
    out = np.zeros((*grad.shape[:-2], height + top + bottom, width + left + right), grad.dtype)
    for _, _, rows, across in shifts(kernel, stride, (1, 1), counts):
        out[..., rows, across] += grad
    return out[..., top : top + height, left : left + width]


@dispatch.images.loop(f"void({_IMAGES}, {_PAIR}, {_PAIR}, {_PAIR}, T[:, :, ::1])")
def _window_spread_loop(grad: Array, kernel: Pair, stride: Pair, start: Pair, out: Array) -> None:
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


def place_of_max(
    input: Array, kernel: Pair, stride: Pair, borders: Borders, dilation: Pair, counts: Pair
) -> Array:
    """Where in its image the largest number under each window is, counted row by row, as int64.

    As in PyTorch that is the first of several, but the last NaN if there is one. A dilated window
    may have no number of the image under it; then it is -1.
    """
    if not dispatch.images.ready(input.size, input.dtype):
        return _place_of_max_numpy(input, kernel, stride, borders, dilation, counts)
    out = np.empty((*input.shape[:-2], *counts), np.int64)
    _place_of_max_loop(
        _one_by_one(input), kernel, stride, _start(borders), dilation, _one_by_one(out)
    )
    return out


def _place_of_max_numpy(
    input: Array, kernel: Pair, stride: Pair, borders: Borders, dilation: Pair, counts: Pair
) -> Array:
    """For whole numbers too."""
    height, width = input.shape[-2:]
    lowest = _lowest(input.dtype)
    lead = [(0, 0)] * (input.ndim - 2)
    padded = np.pad(input, [*lead, *borders], constant_values=lowest)
    largest = np.full((*input.shape[:-2], *counts), lowest, input.dtype)
    down, across = (
        np.arange(count) * step - before
        for count, step, (before, _) in zip(counts, stride, borders, strict=True)
    )
    # The first place that lies in the image is the answer unless a number exceeds the lowest.
    top, left = (
        start + -(-np.maximum(-start, 0) // d) * d
        for start, d in zip((down, across), dilation, strict=True)
    )
    inside = (top < height)[:, None] & (left < width)
    place = np.empty(largest.shape, np.int64)
    place[...] = np.where(inside, top[:, None] * width + left, -1)
    for i, j, rows, columns in shifts(kernel, stride, dilation, counts):
        value = padded[..., rows, columns]
        better = (value > largest) | (value != value)
        np.copyto(largest, value, where=better)
        here = (down + i * dilation[0])[:, None] * width + across + j * dilation[1]
        np.copyto(place, here, where=better)
    return place


@dispatch.images.loop(f"void({_IMAGES}, {_PAIR}, {_PAIR}, {_PAIR}, {_PAIR}, int64[:, :, ::1])")
def _place_of_max_loop(
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


def pick(input: Array, indices: Array) -> Array:
    """The elements at `indices`, counted row by row in each image; −∞ at index -1."""
    if dispatch.images.ready(indices.size, input.dtype):
        picked = np.empty(indices.shape, input.dtype)
        _check(_pick_loop(_in_rows(input), _in_rows(indices), _in_rows(picked)))
        return picked
    flat = _in_all(indices, input.shape[-2] * input.shape[-1])
    out = input.reshape(-1)[flat].reshape(indices.shape)
    out[indices < 0] = _lowest(input.dtype)
    return out


@dispatch.images.loop(f"boolean({_ROWS}, {_INDICES}, T[:, ::1])")
def _pick_loop(images: Array, indices: Array, out: Array) -> bool:
    """out = the elements at `indices`, a row for each image; −∞ at index -1; whether all exist."""
    for n in range(len(images)):
        for k in range(out.shape[1]):
            place = indices[n, k]
            if place < -1 or place >= images.shape[1]:
                return False
            out[n, k] = images[n, place] if place >= 0 else -np.inf
    return True


def put_back(grad: Array, indices: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of `pick`'s input, of this shape: each number added at its index."""
    if dispatch.images.ready(indices.size, grad.dtype):
        rows = _in_rows(grad)
        summed = np.empty((len(rows), shape[-2] * shape[-1]), grad.dtype)
        _check(_put_back_loop(rows, _in_rows(indices), summed))
        return summed.reshape(shape)
    out = np.zeros(shape, grad.dtype)
    flat = _in_all(indices, shape[-2] * shape[-1])
    inside = indices.reshape(-1) >= 0
    np.add.at(out.reshape(-1), flat.reshape(-1)[inside], grad.reshape(-1)[inside])
    return out


@dispatch.images.loop(f"boolean({_ROWS}, {_INDICES}, T[:, ::1])")
def _put_back_loop(grad: Array, indices: Array, out: Array) -> bool:
    """Add each number at its index, a row for each image; whether all exist."""
    out[:] = 0
    for n in range(len(grad)):
        for k in range(grad.shape[1]):
            place = indices[n, k]
            if place < -1 or place >= out.shape[1]:
                return False
            if place >= 0:
                out[n, place] += grad[n, k]
    return True


def _check(all_exist: bool) -> None:
    """IndexError for a place outside the image, as another thread may write it meanwhile."""
    if not all_exist:
        raise IndexError("a place of a largest number is outside its image")


def _one_by_one(images: Array) -> Array:
    """(…, height, width) as (number, height, width)."""
    if images.ndim == 4:
        batch, channels, height, width = images.shape
        return images.reshape(batch * channels, height, width)
    return images.reshape(math.prod(images.shape[:-2]), *images.shape[-2:])


def _in_rows(images: Array) -> Array:
    """(…, height, width) as (number, height · width)."""
    if images.ndim == 4:
        batch, channels, height, width = images.shape
        return images.reshape(batch * channels, height * width)
    return images.reshape(math.prod(images.shape[:-2]), images.shape[-2] * images.shape[-1])


def _start(borders: Borders) -> Pair:
    return borders[0][0], borders[1][0]


def _lowest(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _in_all(indices: Array, size: int) -> Array:
    """Indices within images of `size` numbers as indices within all of them together."""
    images = _in_rows(indices)
    _check(bool(((images >= -1) & (images < size)).all()))
    return images + np.arange(len(images))[:, None] * size
