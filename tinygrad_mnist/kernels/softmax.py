"""log_softmax over the last axis, and its derivative.

Both twins compute in double precision and round the result once, so that float32 results are the
same from either, but for a case in many millions and for what is left where two equal terms cancel;
float64 results may differ by an ulp.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dispatch

Array = np.ndarray[Any, Any]

LOG2_E = 1.4426950408889634
LN_2_HIGH = 6.93147180369123816490e-01  # its last 32 bits are 0, so n · LN_2_HIGH is exact
LN_2_LOW = 1.90821492927058770002e-10
ROUNDER = 1.5 * 2.0**52  # adding it rounds to an integer and leaves that in the low bits

BLOCK = 4096  # elements worked on at a time, so that both work spaces stay in the cache


@dispatch.base.part(fastmath={"contract"})
def exp(x: float) -> float:
    """eˣ within 1 ulp, free of branches, so that LLVM computes eight at a time.

    x = n ln 2 + r with |r| <= ln 2 / 2, and eˣ = 2ⁿ eʳ (Cody and Waite), eʳ by its Taylor series.
    2ⁿ is multiplied in two steps, so that neither overflows before the result does.
    """
    x = 710.0 if x > 710.0 else x
    x = -750.0 if x < -750.0 else x
    rounded = x * LOG2_E + ROUNDER
    n = rounded - ROUNDER
    r = (x - n * LN_2_HIGH) - n * LN_2_LOW
    series = 1 / 6227020800
    series = series * r + 1 / 479001600
    series = series * r + 1 / 39916800
    series = series * r + 1 / 3628800
    series = series * r + 1 / 362880
    series = series * r + 1 / 40320
    series = series * r + 1 / 5040
    series = series * r + 1 / 720
    series = series * r + 1 / 120
    series = series * r + 1 / 24
    series = series * r + 1 / 6
    series = series * r + 1 / 2
    series = series * r + 1.0
    series = series * r + 1.0
    bits = np.float64(rounded).view(np.int64) << 32
    half = bits >> 33
    rest = (bits >> 32) - half
    series *= np.int64((half + 1023) << 52).view(np.float64)
    return series * np.int64((rest + 1023) << 52).view(np.float64)


def softmax_rows(x: Array) -> Array:
    """(…, classes) -> (…, classes): eˣ / Σ eˣ along the last axis, each step rounded to x's dtype.

    >>> import numpy as np
    >>> softmax_rows(np.array([1e4, 1e4]))
    array([0.5, 0.5])
    """
    if x.size and dispatch.base.ready(x.size, x.dtype):
        out, given = np.empty(x.shape, x.dtype), np.ascontiguousarray(x)
        if x.ndim == 2:
            _softmax_loop(given, out)
        else:
            rows = (-1, x.shape[-1])
            _softmax_loop(given.reshape(rows), out.reshape(rows))
        return out
    if x.size == 0:
        return np.empty(x.shape, x.dtype)
    powers: Array = np.exp(x - np.maximum.reduce(x, axis=-1, keepdims=True))
    powers /= np.add.reduce(powers, axis=-1, keepdims=True)
    return powers


@dispatch.base.loop("void(const T[:, ::1], T[:, ::1])")
def _softmax_loop(x: Array, out: Array) -> None:
    for i in range(x.shape[0]):
        given, powers = x[i], out[i]
        largest = np.float64(largest_of(given))
        for j in range(given.size):
            powers[j] = exp(np.float64(given[j]) - largest)
        whole = x.dtype.type(sum_of(powers))
        for j in range(given.size):
            powers[j] = powers[j] / whole


@dispatch.base.part(fastmath={"nnan", "nsz"})
def largest_of(row: Array) -> Any:
    """The largest number of a row, any one where there is NaN: so LLVM compares several at once."""
    largest = row[0]
    for j in range(row.size):
        largest = row[j] if row[j] > largest else largest
    return largest


@dispatch.base.part(fastmath={"reassoc"})
def sum_of(row: Array) -> float:
    """The sum of a row, in double precision."""
    total = 0.0
    for j in range(row.size):
        total += row[j]
    return total


def log_softmax(x: Array) -> Array:
    """(rows, classes) -> (rows, classes): xᵢ - log Σⱼ exp xⱼ along each row.

    As in PyTorch, a row that holds NaN or +inf, or nothing but -inf, becomes NaN. Arrays of other
    than two dimensions go the NumPy way.

    >>> import numpy as np
    >>> log_softmax(np.array([[1e4, 1e4], [-np.inf, 0.0]]))
    array([[-0.69314718, -0.69314718],
           [       -inf,  0.        ]])
    """
    if dispatch.base.ready(x.size, x.dtype) and x.ndim == 2:
        out = np.empty(x.shape, x.dtype)
        _log_softmax_loop(np.ascontiguousarray(x), out)
        return out
    if x.size == 0:
        return np.empty(x.shape, x.dtype)
    wide: Array = x.astype(np.float64)
    with np.errstate(all="ignore"):
        wide -= np.maximum.reduce(wide, axis=-1, keepdims=True)
        wide -= np.log(np.add.reduce(np.exp(wide), axis=-1, keepdims=True))
        return wide.astype(x.dtype, copy=False)


@dispatch.base.loop("void(const T[:, ::1], T[:, ::1])")
def _log_softmax_loop(x: Array, out: Array) -> None:
    rows, classes = x.shape
    if classes == 0:
        return
    step = max(1, BLOCK // classes)
    shifted = np.empty((step, classes))
    powers = np.empty((step, classes))
    for start in range(0, rows, step):
        height = min(step, rows - start)
        for i in range(height):
            largest = np.float64(largest_of(x[start + i]))
            for j in range(classes):
                shifted[i, j] = np.float64(x[start + i, j]) - largest
        for k in range(height * classes):
            powers.flat[k] = exp(shifted.flat[k])
        for i in range(height):
            log_total = math.log(sum_of(powers[i]))
            for j in range(classes):
                out[start + i, j] = shifted[i, j] - log_total


def log_softmax_backward(grad: Array, out: Array) -> Array:
    """The gradient of `log_softmax`'s input: gᵢ - exp(outᵢ) Σⱼ gⱼ along each row.

    `grad` is the gradient of the result `out`; both are (rows, classes), of one dtype.
    """
    if dispatch.base.ready(out.size, out.dtype) and out.ndim == 2 and grad.shape == out.shape:
        grad_x = np.empty(out.shape, out.dtype)
        grad = np.ascontiguousarray(grad, out.dtype)
        _log_softmax_backward_loop(grad, np.ascontiguousarray(out), grad_x)
        return grad_x
    with np.errstate(all="ignore"):
        total = np.add.reduce(grad, axis=-1, keepdims=True, dtype=np.float64)
        wide: Array = grad - np.exp(out, dtype=np.float64) * total
        return wide.astype(out.dtype, copy=False)


@dispatch.base.loop("void(const T[:, ::1], const T[:, ::1], T[:, ::1])")
def _log_softmax_backward_loop(grad: Array, out: Array, grad_x: Array) -> None:
    rows, classes = out.shape
    if classes == 0:
        return
    step = max(1, BLOCK // classes)
    powers = np.empty((step, classes))
    for start in range(0, rows, step):
        height = min(step, rows - start)
        block = out[start : start + height]
        for k in range(height * classes):
            powers.flat[k] = exp(np.float64(block.flat[k]))
        for i in range(height):
            total = 0.0
            for j in range(classes):
                total += grad[start + i, j]
            for j in range(classes):
                grad_x[start + i, j] = grad[start + i, j] - powers[i, j] * total
