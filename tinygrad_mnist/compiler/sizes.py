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

_ENOUGH = 4
"""Points that tell an expression of three numbers."""
_MOST_DIVISOR = 16
_FEW = 6
"""Of so many symbols, or fewer, powers too are looked at."""
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

    def shifted(self) -> Derived | None:
        """The symbol that it is, if it is a multiple of one and a number more."""
        if len(self.terms) != 2 or any(self.terms[1][1]) or sum(self.terms[0][1]) != 1:
            return None
        (factor, powers), (more, _) = self.terms
        return Derived(powers.index(1), factor, more)

    @property
    def varies(self) -> bool:
        """Whether it depends on a symbol."""
        return any(any(powers) for _, powers in self.terms)


@dataclass(frozen=True)
class Derived:
    """A symbol that is computed of an earlier one, as what a stride or a window leaves of it."""

    of: int
    """The number of the earlier symbol."""
    factor: int
    more: int
    divisor: int = 1

    def above(self, point: Point) -> int:
        """What is divided, where the earlier symbols have these values."""
        return self.factor * point[self.of] + self.more

    def at(self, point: Point) -> int:
        """Its value where the earlier symbols have these values."""
        return self.above(point) // self.divisor

    def __str__(self) -> str:
        terms = (self.factor, (*(0,) * self.of, 1)), (self.more, ())
        above = Size(terms[: 2 if self.more else 1])
        return f"({above}) // {self.divisor}" if self.divisor > 1 else str(above)


def with_derived(point: Point, derived: Iterable[Derived]) -> Point:
    """The values of all symbols, of those that are derived after the others."""
    for each in derived:
        point = (*point, each.at(point))
    return point


def quotient(points: Sequence[Point], values: Sequence[int]) -> Derived | None:
    """The quotient of a symbol of which these values are, or are a multiple and a number more.

    It adds least, then divides by least: of several sums that give what was seen the one nearest 0;
    sizes seen later tell.
    """
    found: list[tuple[int, int, int, Derived]] = []
    rounded = {d: _without_factor(values, d) for d in range(2, _MOST_DIVISOR + 1)}
    for of, divisor in itertools.product(range(len(points[0])), rounded):
        for own in (values, rounded[divisor]):
            gaps = [value * divisor - p[of] for value, p in zip(own, points, strict=False)]
            least, most = (max(gaps), min(gaps) + divisor - 1) if gaps else (1, 0)
            if least <= most and len({point[of] for point in points}) > 1:
                more = min(max(least, 0), most)
                found.append((abs(more), divisor, -of, Derived(of, 1, more, divisor)))
    return min(found, key=lambda each: each[:3])[-1] if found else None


def _without_factor(values: Sequence[int], factor: int) -> list[int]:
    """The values without a number that they are all more by than multiples of a factor."""
    rests = {value % factor for value in values}
    return [value // factor for value in values] if len(rests) == 1 else []


class Sized(int):
    """A whole number that is shown as the expression which gave it."""

    size: Size

    def __repr__(self) -> str:
        return str(self.size)


class Factored(int):
    """A whole number that is written as a product, each factor of which may be an expression."""

    factors: tuple[int, ...]

    def __repr__(self) -> str:
        return " * ".join(map(repr, self.factors))


def factored(*factors: int) -> Factored:
    """The product of these numbers."""
    made = Factored(math.prod(factors))
    made.factors = factors
    return made


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
    choose = itertools.combinations_with_replacement if symbols <= _FEW else itertools.combinations
    every = (choose(range(symbols), count) for count in range(1, _MOST_FACTORS + 1))
    powers = [tuple(map(each.count, range(symbols))) for each in itertools.chain(*every)]
    return sorted(powers, key=lambda p: (sum(p), p))


def fit(points: Sequence[Point], values: Sequence[int]) -> Size | None:
    """The simplest expression that has these values at these points; None if none was found.

    In this order: a number; a multiple of a product of symbols; that and a number more; a sum or
    difference of symbols, and a number more; multiples of two symbols, and a number more.
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
    ways = _shifted, _summed, _combined
    for found in itertools.chain(*(way(points, values) for way in ways)):
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
    alone = [tuple([int(n == d) for n in range(symbols)]) for d in range(symbols)]
    for signs in _signs(symbols):
        terms = [(sign, powers) for sign, powers in zip(signs, alone, strict=True) if sign]
        rest = values[0] - Size(tuple(terms)).at(points[0])
        yield Size((*terms, *[(rest, nothing)] * bool(rest)))


@functools.cache
def _signs(symbols: int) -> list[Point]:
    """Which symbols are added and which are taken away; of many symbols two at most."""
    if symbols <= _FEW:
        return list(itertools.product((1, 0, -1), repeat=symbols))
    pairs = itertools.combinations(range(symbols), 2)
    signed = [((a, x), (b, y)) for a, b in pairs for x in (1, -1) for y in (1, 0, -1)]
    return [tuple([dict(each).get(n, 0) for n in range(symbols)]) for each in signed]


def _combined(points: Sequence[Point], values: Sequence[int]) -> Iterable[Size]:
    """Multiples of two symbols and a number more, as what a division leaves; of points enough."""
    symbols = len(points[0])
    nothing = (0,) * symbols
    if len(points) < _ENOUGH:
        return
    for i, j in itertools.combinations(range(symbols), 2):
        found = _solved([(p[i], p[j], value) for p, value in zip(points, values, strict=True)])
        if found is not None:
            terms = [(found[0], i), (found[1], j)]
            powers = [(each, tuple([int(n == d) for n in range(symbols)])) for each, d in terms]
            yield Size((*powers, *[(found[2], nothing)] * bool(found[2])))


def _solved(points: Sequence[tuple[int, int, int]]) -> tuple[int, int, int] | None:
    """Whole numbers a, b, c with a · x + b · y + c = z at some points (x, y, z)."""
    x, y, z = points[0]
    for first, second in itertools.combinations(points[1:], 2):
        (x1, y1, z1), (x2, y2, z2) = ((p - x, q - y, r - z) for p, q, r in (first, second))
        below = x1 * y2 - x2 * y1
        if below:
            a, b = (z1 * y2 - z2 * y1) // below, (x1 * z2 - x2 * z1) // below
            return (a, b, z - a * x - b * y) if a and b else None
    return None


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
    sums = [each for each in (one, *products, *less) if all(each.at(p) for p in points)]
    for below, above in itertools.product(sums, repeat=2):
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
