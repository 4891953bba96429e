"""Filling arrays with random numbers: PyTorch's CPU numbers for the same words of the stream.

Each function fills `out` in place, in the order in which it lies in memory, as PyTorch does; `out`
may be any view whose elements do not overlap. Parameters are taken to be in range. In the formulas
u is a uniform number from [0, 1): 24 bits of one word in float32, 53 bits of two in float64.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .box_muller import BLOCK, elementwise, normal_blocks, normal_pairs
from .mersenne import Stream
from .rounding import multiply_add

__all__ = [
    "bernoulli",
    "cauchy",
    "exponential",
    "geometric",
    "integers",
    "log_normal",
    "normal",
    "uniform",
    "whole_range",
]

Array = np.ndarray[Any, Any]
Draw = Callable[[int], Array]
"""Gives so many numbers, the next ones of a stream."""

_CHUNK = 1 << 15
"""Numbers drawn at a time: enough of them for NumPy, few enough for the cache."""


def uniform(stream: Stream, out: Array, low: float = 0.0, high: float = 1.0) -> None:
    """u · (high - low) + low, in out's dtype, float32 or float64."""
    start, end = out.dtype.type(low), out.dtype.type(high)
    standard = _uniform_draw(stream, out.dtype)

    def draw(count: int) -> Array:
        numbers = multiply_add(standard(count), end - start, start)
        # Rounding may reach the end, which is no number of the interval.
        numbers[numbers == end] = start
        return numbers

    _fill(out, draw if (start, end) != (0, 1) else standard)


@np.errstate(all="ignore")
def normal(stream: Stream, out: Array, mean: float = 0.0, std: float = 1.0) -> None:
    """Normal numbers: 16 or more in contiguous memory block by block, others pair by pair."""
    if out.size < BLOCK or not out.flags.c_contiguous:
        _fill(out, lambda count: _normal_one_by_one(stream, count, mean, std))
        return
    flat = out.reshape(-1)
    draw = _uniform_draw(stream, out.dtype)
    in_blocks = out.size // BLOCK * BLOCK
    _fill(flat[:in_blocks], lambda count: normal_blocks(draw(count), mean, std))
    if in_blocks < out.size:
        # PyTorch draws for the incomplete block, too, and then computes the last 16 numbers anew.
        draw(out.size - in_blocks)
        flat[-BLOCK:] = normal_blocks(draw(BLOCK), mean, std)


def log_normal(stream: Stream, out: Array, mean: float, std: float) -> None:
    """eˣ for a normal number x."""

    def draw(count: int) -> Array:
        return elementwise(_exp, _normal_one_by_one(stream, count, mean, std))

    _fill(out, draw)


def cauchy(stream: Stream, out: Array, median: float, sigma: float) -> None:
    """median + sigma · tan π(u - ½)."""

    def draw(count: int) -> Array:
        angle = math.pi * (_doubles(stream, count) - 0.5)
        return multiply_add(elementwise(math.tan, angle), sigma, median)

    _fill(out, draw)


def exponential(stream: Stream, out: Array, rate: float) -> None:
    """-ln(1 - u) / rate."""
    _fill(out, lambda count: -1 / rate * elementwise(math.log1p, -_doubles(stream, count)))


def geometric(stream: Stream, out: Array, p: float) -> None:
    """⌈ln u / ln(1 - p)⌉: the number of trials up to the first success of probability p."""
    _fill(out, lambda count: np.ceil(np.log(_doubles(stream, count)) / math.log1p(-p)))


def bernoulli(stream: Stream, out: Array, p: float | Array) -> None:
    """1 where u < p, else 0; an array `p` has out's shape, and its dtype is u's.

    Where PyTorch is built with MKL and the processor is Intel's, it draws for a scalar p from a
    stream of MKL's instead, which is not followed here.
    """
    if isinstance(p, np.ndarray):
        axes = _memory_order(out)
        drawn = _uniform_draw(stream, p.dtype)(out.size)
        ordered = out.transpose(axes)
        ordered[...] = drawn.reshape(ordered.shape) < p.transpose(axes)
        return
    threshold = np.uint64(math.ceil(p * 2.0**53))
    _fill(out, lambda count: (stream.double_words(count) & _MANTISSA) < threshold)


def integers(stream: Stream, out: Array, low: int, count: int) -> None:
    """Whole numbers from [low, low + count), 0 < count <= 2**64, modulo 2**64.

    Each takes one word of the stream, or two where `count` is 2**28 or more.
    """
    words = stream.double_words if count >= 1 << 28 else stream.words

    def draw(amount: int) -> Array:
        numbers = _remainder(words(amount), count).view(np.int64)
        numbers += np.int64(low)
        return numbers

    _fill(out, draw)


def whole_range(stream: Stream, out: Array) -> None:
    """Whole numbers from 0 to the largest of out's dtype below which it has no gaps."""
    dtype = out.dtype
    if dtype.kind == "b":
        largest = 1
    elif dtype.kind == "f":
        largest = 1 << (np.finfo(dtype).nmant + 1)
    else:
        largest = np.iinfo(dtype).max
    words = stream.double_words if dtype.itemsize == 8 else stream.words
    _fill(out, lambda amount: _remainder(words(amount), largest + 1))


def _remainder(numbers: Array, count: int) -> Array:
    """numbers % count, in place."""
    if count & (count - 1) == 0:
        numbers &= np.uint64(count - 1)
    else:
        numbers %= np.uint64(count)
    return numbers


def _memory_order(out: Array) -> list[int]:
    """out's axes, the one with the largest strides first."""
    return sorted(range(out.ndim), key=lambda axis: -out.strides[axis])


@np.errstate(all="ignore")
def _fill(out: Array, draw: Draw) -> None:
    ordered = out if out.flags.c_contiguous else out.transpose(_memory_order(out))
    contiguous = ordered.flags.c_contiguous
    flat = ordered.reshape(-1) if contiguous else np.empty(out.size, out.dtype)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        part[...] = draw(part.size)
    if not contiguous:
        ordered[...] = flat.reshape(ordered.shape)


_MANTISSA = np.uint64((1 << 53) - 1)
_FLOAT_MANTISSA = np.uint32((1 << 24) - 1)
_FLOAT_STEP = np.float32(2.0**-24)


def _uniform_draw(stream: Stream, dtype: np.dtype[Any]) -> Draw:
    number = _floats if dtype == np.float32 else _doubles
    return lambda count: number(stream, count)


def _floats(stream: Stream, count: int) -> Array:
    words = stream.words(count).astype(np.uint32)
    words &= _FLOAT_MANTISSA
    numbers = words.view(np.int32).astype(np.float32)
    numbers *= _FLOAT_STEP
    return numbers


def _doubles(stream: Stream, count: int) -> Array:
    words = stream.double_words(count)
    words &= _MANTISSA
    return words.view(np.int64) * 2.0**-53


def _normal_one_by_one(stream: Stream, count: int, mean: float, std: float) -> Array:
    """`count` float64 numbers; the half of a pair that is left over is the stream's next one."""
    spare = stream.spare_normal
    missing = count if spare is None else count - 1
    numbers = normal_pairs(_doubles(stream, missing + missing % 2))
    if spare is not None:
        numbers = np.concatenate([[spare], numbers])
    stream.spare_normal = float(numbers[count]) if numbers.size > count else None
    return multiply_add(numbers[:count], std, mean)


def _exp(x: float) -> float:
    """eˣ, infinite where Python raises OverflowError."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
