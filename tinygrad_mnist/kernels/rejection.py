"""Random numbers that are drawn until one is accepted: gamma, Poisson, binomial; PyTorch's numbers.

How many uniform numbers one takes is not known before: they are read ahead, and given back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .normal_numbers import normal_pairs
from .random_numbers import Array, Stream, _doubles

Draw = Callable[[], float]
_AHEAD = 1024


@contextmanager
def _one_by_one(stream: Stream) -> Iterator[Draw]:
    """Gives uniform float64 numbers one by one; the stream then goes on behind the last of them."""
    twister = stream._turning()
    before, used = twister.state, 0
    read: Iterator[float] = iter(())

    def draw() -> float:
        nonlocal used, read
        used += 1
        for number in read:
            return number
        read = iter(_doubles(stream, _AHEAD).tolist())
        return next(read)

    try:
        yield draw
    finally:
        twister.state = before
        _doubles(stream, used)


def _normal(stream: Stream, uniform: Draw) -> float:
    """The next standard normal number; the other half of its pair is kept in the stream."""
    number = stream.spare_normal
    stream.spare_normal = None
    if number is None:
        number, stream.spare_normal = normal_pairs(np.array([uniform(), uniform()])).tolist()
    return float(number)


_THIRD = float(np.float32(1) / np.float32(3))
_SQUEEZE = float(np.float32(0.0331))


def gamma(stream: Stream, alpha: Array) -> Any:
    """Gamma-distributed numbers of the shapes `alpha`, in its dtype.

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).
    """
    kind, flat = alpha.dtype, alpha.reshape(-1)
    small = flat < 1
    inverse = (1 / flat).astype(np.float64).tolist()
    centre = (np.where(small, flat + kind.type(1), flat) - kind.type(_THIRD)).tolist()
    out = np.empty(flat.size)
    with _one_by_one(stream) as uniform:
        for place, (shape, d) in enumerate(zip(flat.tolist(), centre, strict=True)):
            if shape != shape or shape == 0:
                out[place] = shape
                continue
            scale = (1 - uniform()) ** inverse[place] if shape < 1 else 1.0
            out[place] = scale * d * _cube(stream, uniform, d)
    least = np.finfo(kind).tiny
    return np.maximum(out.astype(kind), least).reshape(alpha.shape)


def _cube(stream: Stream, uniform: Draw, d: float) -> float:
    """v = (1 + x / √(9 d))³, for a normal x that is accepted."""
    c = 1 / math.sqrt(9 * d)
    while True:
        x = _normal(stream, uniform)
        y = 1 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - uniform()
        square = x * x
        if u < 1 - _SQUEEZE * square * square:
            return v
        if math.log(u) < 0.5 * square + d * (1 - v + math.log(v)):
            return v


def poisson(stream: Stream, rate: Array) -> Array:
    """Counts of the Poisson distribution, in the dtype of `rate`."""
    out = np.empty(rate.size)
    with _one_by_one(stream) as uniform:
        for place, each in enumerate(rate.reshape(-1).astype(np.float64).tolist()):
            out[place] = _poisson(uniform, each)
    return out.astype(rate.dtype).reshape(rate.shape)


def _poisson(uniform: Draw, rate: float) -> int:
    """One count. Source: Hörmann, "The transformed rejection method" (1993), for a rate ≥ 10."""
    if rate < 10:
        count, product, limit = 0, uniform() if rate else 0.0, math.exp(-rate)
        while product > limit:
            count, product = count + 1, product * uniform()
        return count
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    edge = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = uniform() - 0.5, uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= edge:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        bound = -rate + k * math.log(rate) - math.lgamma(k + 1)
        if math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b) <= bound:
            return k


def binomial(stream: Stream, count: Array, p: Array) -> Array:
    """Numbers of successes of `count` trials of probability `p`, arrays of one shape and dtype."""
    out = np.empty(count.size)
    pairs = zip(count.reshape(-1).tolist(), p.reshape(-1), strict=True)
    with _one_by_one(stream) as uniform:
        for place, (trials, chance) in enumerate(pairs):
            if trials <= 0 or chance <= 0 or chance >= 1:
                out[place] = trials if trials > 0 and chance >= 1 else 0.0
                continue
            rare = float(chance if chance <= 0.5 else chance.dtype.type(1.0 - float(chance)))
            draw = _binomial if trials * rare >= 10 else _waiting
            found = draw(uniform, trials, rare)
            out[place] = found if chance <= 0.5 else trials - found
    return out.astype(count.dtype).reshape(count.shape)


def _waiting(uniform: Draw, trials: float, p: float) -> float:
    """Successes counted by the numbers of trials between them."""
    total, found, log = 0.0, 0, math.log1p(-p)
    while True:
        u = uniform()
        total += math.ceil(math.log(u) / log) if u else math.inf
        if total > trials:
            return found
        found += 1


def _binomial(uniform: Draw, trials: float, p: float) -> float:
    """Source: Hörmann, "The generation of binomial random variates" (1993), algorithm BTRS."""
    deviation = math.sqrt(trials * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c, edge, odds = trials * p + 0.5, 0.92 - 4.2 / b, p / (1 - p)
    alpha, m = (2.83 + 5.1 / b) * deviation, math.floor((trials + 1) * p)
    while True:
        u, v = uniform() - 0.5, uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + c) if us else -1
        if k < 0 or k > trials:
            continue
        if us >= 0.07 and v <= edge:
            return k
        v = math.log(v * alpha / (a / (us * us) + b)) if v else -math.inf
        bound = (
            (m + 0.5) * math.log((m + 1) / (odds * (trials - m + 1)))
            + (trials + 1) * math.log((trials - m + 1) / (trials - k + 1))
            + (k + 0.5) * math.log(odds * (trials - k + 1) / (k + 1))
            + _tail(m) + _tail(trials - m) - _tail(k) - _tail(trials - k)
        )  # fmt: skip
        if v <= bound:
            return k


def _tail(k: float) -> float:
    """ln k! less Stirling's approximation, from k = 10 on by its next terms."""
    if k <= 9:
        whole = math.lgamma(k + 1)
        return whole - (0.5 * math.log(2 * math.pi) + (k + 0.5) * math.log(k + 1) - (k + 1))
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


def gamma_slope(alpha: Array, x: Array) -> Any:
    """dx / dα of a gamma-distributed x at a fixed share of the distribution below it."""
    from scipy.special import gammainc, gammaincc, gammaln

    a, y = alpha.astype(np.float64), x.astype(np.float64)
    step = 1e-5 * np.maximum(a, 0.1)
    lower = gammainc(a + step, y) - gammainc(a - step, y)
    upper = gammaincc(a - step, y) - gammaincc(a + step, y)
    change = np.where(gammainc(a, y) < 0.5, lower, upper) / (2 * step)
    density = np.exp((a - 1) * np.log(y) - y - gammaln(a))
    return np.nan_to_num(-change / density, posinf=0).astype(x.dtype)


def beta_slope(x: Array, alpha: Array, total: Array) -> Any:
    """dx / dα / (1 − x) of a beta-distributed x of (α, total − α), at a fixed share below it."""
    from scipy.special import betainc, betaincc, betaln

    a, y = alpha.astype(np.float64), x.astype(np.float64)
    b = total.astype(np.float64) - a
    step = 1e-5 * np.maximum(a, 0.1)
    lower = betainc(a + step, b, y) - betainc(a - step, b, y)
    upper = betaincc(a - step, b, y) - betaincc(a + step, b, y)
    change = np.where(betainc(a, b, y) < 0.5, lower, upper) / (2 * step)
    density = np.exp((a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - betaln(a, b))
    return np.nan_to_num(-change / density / (1 - y), posinf=0).astype(x.dtype)
