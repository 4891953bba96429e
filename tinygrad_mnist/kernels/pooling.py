"""Pooling: sums and largest numbers under windows that slide over images, and their derivatives.

Images are (…, height, width). `kernel`, `stride` and `dilation` are two numbers, for rows and for
columns; `borders` is, for each of the two, how far windows reach beyond the image at either side;
`counts` is how many windows there are down and across.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import switch
from .convolution import Borders, Pair, bordered, shifts

__all__ = ["pick", "place_of_max", "put_back", "window_spread", "window_sum"]

Array = np.ndarray[Any, Any]

LARGE_WINDOW = 16
"""Numbers under a window from which on a loop adds them up faster than NumPy, place by place."""


def window_sum(input: Array, kernel: Pair, stride: Pair, borders: Borders, counts: Pair) -> Array:
    """The sum of the numbers under each window.

    >>> import numpy as np
    >>> window_sum(np.ones((1, 4, 4)), (2, 2), (2, 2), ((0, 0), (0, 0)), (2, 2))
    array([[[4., 4.],
            [4., 4.]]])
    """
    loops = switch.images.loops or switch.images.consider(input.size)
    if loops is None or input.dtype not in switch.FLOATS or math.prod(kernel) < LARGE_WINDOW:
        return window_sum_numpy(input, kernel, stride, borders, counts)
    images = _one_by_one(input)
    out = np.empty((len(images), *counts), input.dtype)
    loops.window_sum(images, kernel, stride, _start(borders), out)
    return out.reshape(*input.shape[:-2], *counts)


def window_spread(
    grad: Array, sizes: Pair, kernel: Pair, stride: Pair, borders: Borders, counts: Pair
) -> Array:
    """The gradient of `window_sum`'s input, images of these sizes."""
    loops = switch.images.loops or switch.images.consider(grad.size)
    if loops is None or grad.dtype not in switch.FLOATS or math.prod(kernel) < LARGE_WINDOW:
        return window_spread_numpy(grad, sizes, kernel, stride, borders, counts)
    images = _one_by_one(grad)
    out = np.empty((len(images), *sizes), grad.dtype)
    loops.window_spread(images, kernel, stride, _start(borders), out)
    return out.reshape(*grad.shape[:-2], *sizes)


def place_of_max(
    input: Array, kernel: Pair, stride: Pair, borders: Borders, dilation: Pair, counts: Pair
) -> Array:
    """Where in its image the largest number under each window is, counted row by row, as int64.

    As in PyTorch that is the first of several, but the last NaN if there is one. A dilated window
    may have no number of the image under it; then it is -1.
    """
    loops = switch.images.loops or switch.images.consider(input.size)
    if loops is None or input.dtype not in switch.FLOATS:
        return place_of_max_numpy(input, kernel, stride, borders, dilation, counts)
    images = _one_by_one(input)
    out = np.empty((len(images), *counts), np.int64)
    loops.place_of_max(images, kernel, stride, _start(borders), dilation, out)
    return out.reshape(*input.shape[:-2], *counts)


def pick(input: Array, places: Array) -> Array:
    """The numbers at the places given, counted row by row in each image; −∞ at place -1."""
    loops = switch.images.loops or switch.images.consider(places.size)
    if loops is None or input.dtype not in switch.FLOATS:
        return pick_numpy(input, places)
    rows = _in_rows(places)
    out = np.empty(rows.shape, input.dtype)
    loops.pick(_in_rows(input), rows, out)
    return out.reshape(places.shape)


def put_back(grad: Array, places: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of `pick`'s input, of this shape: each number added up at its place."""
    loops = switch.images.loops or switch.images.consider(places.size)
    if loops is None or grad.dtype not in switch.FLOATS:
        return put_back_numpy(grad, places, shape)
    rows = _in_rows(grad)
    out = np.empty((len(rows), shape[-2] * shape[-1]), grad.dtype)
    loops.put_back(rows, _in_rows(places), out)
    return out.reshape(shape)


def _one_by_one(images: Array) -> Array:
    """(…, height, width) as (number, height, width)."""
    return images.reshape(math.prod(images.shape[:-2]), *images.shape[-2:])


def _in_rows(images: Array) -> Array:
    """(…, height, width) as (number, height · width)."""
    return images.reshape(math.prod(images.shape[:-2]), images.shape[-2] * images.shape[-1])


def _start(borders: Borders) -> Pair:
    return borders[0][0], borders[1][0]


def window_sum_numpy(
    input: Array, kernel: Pair, stride: Pair, borders: Borders, counts: Pair
) -> Array:
    """The NumPy twin of `window_sum`."""
    padded = bordered(input, borders)
    out = np.zeros((*input.shape[:-2], *counts), input.dtype)
    for _, _, rows, across in shifts(kernel, stride, (1, 1), counts):
        out += padded[..., rows, across]
    return out


def window_spread_numpy(
    grad: Array, sizes: Pair, kernel: Pair, stride: Pair, borders: Borders, counts: Pair
) -> Array:
    """The NumPy twin of `window_spread`."""
    (top, bottom), (left, right) = borders
    height, width = sizes
    out = np.zeros((*grad.shape[:-2], height + top + bottom, width + left + right), grad.dtype)
    for _, _, rows, across in shifts(kernel, stride, (1, 1), counts):
        out[..., rows, across] += grad
    return out[..., top : top + height, left : left + width]


def place_of_max_numpy(
    input: Array, kernel: Pair, stride: Pair, borders: Borders, dilation: Pair, counts: Pair
) -> Array:
    """The NumPy twin of `place_of_max`, for whole numbers too."""
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


def _lowest(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _in_all(places: Array, size: int) -> Array:
    """Places within images of `size` numbers as places within all of them together."""
    images = _in_rows(places)
    return images + np.arange(len(images))[:, None] * size


def pick_numpy(input: Array, places: Array) -> Array:
    """The NumPy twin of `pick`."""
    flat = _in_all(places, input.shape[-2] * input.shape[-1])
    out = input.reshape(-1)[flat].reshape(places.shape)
    out[places < 0] = _lowest(input.dtype)
    return out


def put_back_numpy(grad: Array, places: Array, shape: tuple[int, ...]) -> Array:
    """The NumPy twin of `put_back`."""
    out = np.zeros(shape, grad.dtype)
    flat = _in_all(places, shape[-2] * shape[-1])
    inside = places.reshape(-1) >= 0
    np.add.at(out.reshape(-1), flat.reshape(-1)[inside], grad.reshape(-1)[inside])
    return out
