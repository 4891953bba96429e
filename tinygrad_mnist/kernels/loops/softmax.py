"""log_softmax over rows, forward and backward, in double precision whatever the arrays hold."""

import math
from typing import Any

import numpy as np

from .compile import loop, part_of_loops

Array = np.ndarray[Any, Any]

LOG2_E = 1.4426950408889634
LN_2_HIGH = 6.93147180369123816490e-01  # its last 32 bits are 0, so n · LN_2_HIGH is exact
LN_2_LOW = 1.90821492927058770002e-10
ROUNDER = 1.5 * 2.0**52  # adding it rounds to an integer and leaves that in the low bits

BLOCK = 4096  # elements worked on at a time, so that both work spaces stay in the cache


@part_of_loops(fastmath={"contract"})
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


@loop("void(const T[:, ::1], T[:, ::1])")
def log_softmax(x: Array, out: Array) -> None:
    """out = (x - max x) - log Σ exp(x - max x) along each row."""
    rows, classes = x.shape
    if classes == 0:
        return
    step = max(1, BLOCK // classes)
    shifted = np.empty((step, classes))
    powers = np.empty((step, classes))
    for start in range(0, rows, step):
        height = min(step, rows - start)
        for i in range(height):
            largest = x[start + i, 0]
            for j in range(1, classes):
                largest = max(largest, x[start + i, j])
            for j in range(classes):
                shifted[i, j] = np.float64(x[start + i, j]) - largest
        for k in range(height * classes):
            powers.flat[k] = exp(shifted.flat[k])
        for i in range(height):
            total = 0.0
            for j in range(classes):
                total += powers[i, j]
            log_total = math.log(total)
            for j in range(classes):
                out[start + i, j] = shifted[i, j] - log_total


@loop("void(const T[:, ::1], const T[:, ::1], T[:, ::1])")
def log_softmax_backward(grad: Array, out: Array, grad_x: Array) -> None:
    """grad_x = grad - exp(out) Σ grad along each row."""
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
