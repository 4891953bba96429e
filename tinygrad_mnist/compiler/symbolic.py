"""Symbolic floats: they remember how they were computed, so that a program can follow them.

While a function is traced, the floats among its arguments and in the parameter groups of its
optimisers are replaced by symbolic ones. Arithmetic on them gives symbolic ones again; the outcome
of a comparison is noted, and must stay as it was. At the first change of a number the function is
traced again, to see that the program changes as predicted: where it does not, the number had
another way into the program, and is not followed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .program import Array

Expression = Any
"""The position of a number from outside; or an operation and its two operands; or a number."""


class Symbol:
    """A number from outside: where it is read and replaced, and what is known of it."""

    def __init__(self, read: Callable[[tuple[Any, ...]], Any], value: float) -> None:
        self.read = read
        self.value = value
        self.trusted = False
        self.conditions: list[tuple[Any, Expression, Expression, bool]] = []
        """Comparisons made of it: function, operands, outcome."""

    def read_at(self, read: Callable[[tuple[Any, ...]], Any]) -> Symbol:
        """The same number, found elsewhere by one who was told that it may change."""
        leaf = Symbol(read, self.value)
        leaf.trusted = True
        return leaf


class SymFloat(float):
    """A float with the expression that gave it, and the symbols in it."""

    expression: Expression
    symbols: tuple[Symbol, ...]

    @staticmethod
    def of(value: float, expression: Expression, symbols: tuple[Symbol, ...]) -> SymFloat:
        """The symbolic float of this value."""
        made = SymFloat(value)
        made.expression = expression
        made.symbols = symbols
        return made

    def __reduce__(self) -> Any:
        return float, (float(self),)

    __hash__ = float.__hash__

    def __bool__(self) -> bool:
        return self.compared(operator.ne, 0)

    def compared(self, function: Callable[[Any, Any], bool], other: Any) -> bool:
        """The outcome of a comparison, which is noted."""
        outcome = function(_plain(self), _plain(other))
        condition = (function, self.expression, _side(other), outcome)
        self.symbols[0].conditions.append(condition)
        return outcome

    def __neg__(self) -> SymFloat:
        return SymFloat.of(-float(self), (operator.neg, self.expression, None), self.symbols)


SymFloat.__name__ = "float"  # as errors call it


def _arithmetic(function: Callable[[Any, Any], Any], reflected: bool) -> Any:
    def method(self: SymFloat, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        a, b = (other, self) if reflected else (self, other)
        sides = [_side(a), _side(b)]
        others = other.symbols if isinstance(other, SymFloat) else ()
        value = function(_plain(a), _plain(b))
        return SymFloat.of(value, (function, *sides), self.symbols + others)

    return method


def _comparison(function: Callable[[Any, Any], bool]) -> Any:
    def method(self: SymFloat, other: Any) -> Any:
        return self.compared(function, other) if isinstance(other, int | float) else NotImplemented

    return method


def _side(number: Any) -> Expression:
    return number.expression if isinstance(number, SymFloat) else (None, number)


def _plain(number: Any) -> Any:
    return float(number) if isinstance(number, SymFloat) else number


for _name in ("add", "sub", "mul", "truediv", "pow"):
    _function = getattr(operator, _name)
    setattr(SymFloat, f"__{_name}__", _arithmetic(_function, False))
    setattr(SymFloat, f"__r{_name}__", _arithmetic(_function, True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(SymFloat, f"__{_name}__", _comparison(getattr(operator, _name)))


def evaluate(expression: Expression, values: Sequence[float]) -> Any:
    """What an expression gives for these numbers from outside."""
    if isinstance(expression, int):
        return values[expression]
    function, left, right = (*expression, None)[:3]
    if function is None:
        return left
    if right is None:
        return function(evaluate(left, values))
    return function(evaluate(left, values), evaluate(right, values))


def _differ(a: float, b: float) -> bool:
    return a != b or (a == 0 and math.copysign(1, a) != math.copysign(1, b))


class Numbers:
    """The numbers that a program is handed: those from outside, and what was computed of them."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self.symbols = symbols
        self.values = [symbol.value for symbol in symbols]
        self._has_zero = 0 in self.values
        self._conditions = [each for symbol in symbols for each in symbol.conditions]
        self.traced: Array = np.empty(0)
        """The program's numbers as they were traced, in double precision."""
        self._expressions: list[tuple[int, Expression]] = []

    def set_program(self, numbers: Sequence[Any]) -> None:
        """What the program reads: plain numbers, and symbolic ones that it follows."""
        self.traced = np.array(numbers, np.float64)
        self._expressions = [
            (n, each.expression) for n, each in enumerate(numbers) if isinstance(each, SymFloat)
        ]

    def read(self, arguments: tuple[Any, ...]) -> list[float]:
        """Those from outside, at a call."""
        return [symbol.read(arguments) for symbol in self.symbols]

    def are(self, values: list[float]) -> bool:
        """Whether those from outside have these values still, to the sign of zero."""
        same = values == self.values
        return same and not (self._has_zero and any(map(_differ, values, self.values)))

    def now(self, arguments: tuple[Any, ...]) -> Array | None:
        """The program's numbers for a call; None where it cannot follow those from outside."""
        values = [symbol.read(arguments) for symbol in self.symbols]
        if self.are(values):
            return self.traced
        for symbol, now, before in zip(self.symbols, values, self.values, strict=True):
            if _differ(now, before) and not symbol.trusted:
                return None
        for function, left, right, outcome in self._conditions:
            if function(evaluate(left, values), evaluate(right, values)) is not outcome:
                return None
        return self.predicted(values)

    def predicted(self, values: list[float]) -> Array:
        """The program's numbers where those from outside have these values."""
        numbers = self.traced.copy()
        for n, expression in self._expressions:
            numbers[n] = evaluate(expression, values)
        return numbers

    def predicted_by(self, earlier: Numbers) -> bool:
        """Whether an earlier trace of the same program predicts these numbers."""
        alike = len(self.symbols) == len(earlier.symbols)
        return alike and np.array_equal(earlier.predicted(self.values), self.traced)

    def trust_as(self, other: Numbers) -> None:
        """Follow the numbers from outside that another trace of the same source follows."""
        for symbol, known in zip(self.symbols, other.symbols, strict=False):
            symbol.trusted |= known.trusted

    def trust_what_changed_since(self, earlier: Numbers) -> None:
        """Follow from now on the numbers from outside that changed, and were predicted."""
        for symbol, known in zip(self.symbols, earlier.symbols, strict=True):
            symbol.trusted = symbol.value != known.value or known.trusted
