"""Sizes as expressions: what whole numbers have in common that were seen at several sizes.

A program is traced, or its source written, for some sizes of its inputs, the *symbols* s0, s1, …
Each number in it that differs is written as an expression of them, which must give all that were
seen.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Point = tuple[int, ...]
"""A value for each symbol."""

_MOST_FACTORS = 3
"""How many symbols are multiplied at most, as in batch · length · length."""
_LARGEST_DENOMINATOR = 1 << 16


@dataclass(frozen=True)
class Size:
    """A sum of products: each term is a coefficient and the powers of the symbols."""

    terms: tuple[tuple[int, Point], ...]

    def at(self, point: Point) -> int:
        """Its value where the symbols have these values."""
        return sum(coefficient * _product(point, powers) for coefficient, powers in self.terms)

    def __str__(self) -> str:
        return " + ".join(map(_spelled, self.terms)).replace("+ -", "- ") or "0"

    @property
    def varies(self) -> bool:
        """Whether it depends on a symbol."""
        return any(any(powers) for _, powers in self.terms)


class Sized(int):
    """A whole number that is shown as the expression which gave it."""

    size: Size

    def __repr__(self) -> str:
        return str(self.size)


def sized(value: int, size: Size) -> Sized:
    """The number, shown as an expression."""
    made = Sized(value)
    made.size = size
    return made


def _product(point: Point, powers: Point) -> int:
    return math.prod(map(pow, point, powers))


def _spelled(term: tuple[int, Point]) -> str:
    coefficient, powers = term
    factors = [f"s{n}" for n, power in enumerate(powers) for _ in range(power)]
    if coefficient == -1 and factors:
        return "-" + " * ".join(factors)
    return " * ".join([str(coefficient)] * (coefficient != 1 or not factors) + factors)


@functools.cache
def _powers(symbols: int) -> list[Point]:
    """The powers of products of symbols, the simplest first."""
    every = itertools.product(range(_MOST_FACTORS + 1), repeat=symbols)
    return sorted([p for p in every if 1 <= sum(p) <= _MOST_FACTORS], key=lambda p: (sum(p), p))


def fit(points: Sequence[Point], values: Sequence[int]) -> Size | None:
    """The simplest expression that has these values at these points; None if none was found.

    In this order: a number; a multiple of a product of symbols; that and a number more; a sum or
    difference of symbols, and a number more.
    """
    nothing = (0,) * len(points[0])
    if len({*values}) == 1:
        return Size(((values[0], nothing),))
    for powers in _powers(len(nothing)):
        first = _product(points[0], powers)
        if first and values[0] % first == 0:
            found = Size(((values[0] // first, powers),))
            if _holds(found, points, values):
                return found
    for found in itertools.chain(_shifted(points, values), _summed(points, values)):
        if _holds(found, points, values):
            return found
    return None


def _shifted(points: Sequence[Point], values: Sequence[int]) -> Iterable[Size]:
    nothing = (0,) * len(points[0])
    for powers in _powers(len(nothing)):
        known = [_product(point, powers) for point in points]
        other = next((n for n, each in enumerate(known) if each != known[0]), None)
        if other is not None:
            factor = (values[other] - values[0]) // (known[other] - known[0])
            yield Size(((factor, powers), (values[0] - factor * known[0], nothing)))


def _summed(points: Sequence[Point], values: Sequence[int]) -> Iterable[Size]:
    symbols = len(points[0])
    nothing = (0,) * symbols
    for signs in itertools.product((1, 0, -1), repeat=symbols):
        alone = [tuple([int(n == d) for n in range(symbols)]) for d in range(symbols)]
        terms = [(sign, powers) for sign, powers in zip(signs, alone, strict=True) if sign]
        rest = values[0] - Size(tuple(terms)).at(points[0])
        yield Size((*terms, *[(rest, nothing)] * bool(rest)))


def _holds(size: Size, points: Sequence[Point], values: Sequence[int]) -> bool:
    return all(size.at(point) == value for point, value in zip(points, values, strict=True))


@dataclass(frozen=True)
class Ratio:
    """A number that sizes give: factor · above / below, as a mean's or a variance's."""

    factor: float
    above: Size
    below: Size
    rounded: bool = False
    """Whether it is rounded to single precision."""

    def at(self, point: Point) -> float:
        """Its value where the symbols have these values."""
        number = self.factor * self.above.at(point) / self.below.at(point)
        return float(np.float32(number)) if self.rounded else number

    def __str__(self) -> str:
        above, below = str(self.above), str(self.below)
        factor = [] if self.factor == 1 and above != "1" else [str(self.factor)]
        text = " * ".join([*factor, *[above] * (above != "1")])
        return text if below == "1" else f"{text} / {f'({below})' if ' ' in below else below}"


def fit_ratio(points: Sequence[Point], values: Sequence[Any]) -> Ratio | None:
    """The simplest ratio of sizes that is each of these numbers, to the last bit."""
    nothing = (0,) * len(points[0])
    one = Size(((1, nothing),))
    if len({repr(value) for value in values}) == 1:
        return Ratio(values[0], one, one)
    if any(not isinstance(value, int | float) or not math.isfinite(value) for value in values):
        return None
    products = [Size(((1, powers),)) for powers in _powers(len(nothing))]
    less = [Size((*product.terms, (-1, nothing))) for product in products]
    for below, above in itertools.product([one, *products, *less], repeat=2):
        factor = values[0] / (above.at(points[0]) / below.at(points[0]))
        exact = Fraction(factor).limit_denominator(_LARGEST_DENOMINATOR)
        wider = Size(tuple([(exact.denominator * n, powers) for n, powers in below.terms]))
        for multiple, divisor in (
            (float(exact.numerator), wider),
            (float(f"{factor:.12g}"), below),
        ):
            for found in (Ratio(multiple, above, divisor), Ratio(multiple, above, divisor, True)):
                if multiple and all(found.at(p) == v for p, v in zip(points, values, strict=True)):
                    return found
    return None


_WHOLE = re.compile(r"(?<![\w.])\d+(?![\w.])")


def unified(points: Sequence[Point], texts: Sequence[str]) -> str | None:
    """A text written for several points, its numbers that differ as expressions of the symbols.

    None where the texts differ otherwise, or no expression was found.
    """
    between = {tuple(_WHOLE.split(text)) for text in texts}
    if len(between) > 1:
        return None
    gaps = between.pop()
    known: dict[tuple[str, ...], str | None] = {}
    written = [gaps[0]]
    for n, seen in enumerate(zip(*map(_WHOLE.findall, texts), strict=True)):
        if seen not in known:
            size = fit(points, [int(each) for each in seen])
            known[seen] = None if size is None else str(size) if size.varies else seen[0]
        text = known[seen]
        if text is None:
            return None
        alone = gaps[n][-1:] in "([" and gaps[n + 1][:1] in ")],:"
        written += [text if alone or text.isalnum() else f"({text})", gaps[n + 1]]
    return "".join(written)
