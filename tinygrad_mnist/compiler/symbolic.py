"""SymFloat numbers: floats that remember how they were computed, so that a program can follow them.

While a function is traced, the floats among its arguments and in the parameter groups of its
optimisers are replaced by live ones. Arithmetic on them gives live ones again; the outcome of a
comparison is noted, and must stay as it was. At the first change of a number the function is traced
again, to see that the program changes as predicted: where it does not, the number had another way
into the program, and is not followed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

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
    """A float with the expression that gave it, and the leaves in the expression."""

    expression: Expression
    leaves: tuple[Symbol, ...]

    @staticmethod
    def of(value: float, expression: Expression, leaves: tuple[Symbol, ...]) -> SymFloat:
        """The live number of this value."""
        made = SymFloat(value)
        made.expression = expression
        made.leaves = leaves
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
        self.leaves[0].conditions.append(condition)
        return outcome

    def __neg__(self) -> SymFloat:
        return SymFloat.of(-float(self), (operator.neg, self.expression, None), self.leaves)


def _arithmetic(name: str, function: Callable[[Any, Any], Any], reflected: bool) -> Any:
    def method(self: SymFloat, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        a, b = (other, self) if reflected else (self, other)
        sides = [_side(a), _side(b)]
        others = other.leaves if isinstance(other, SymFloat) else ()
        value = function(_plain(a), _plain(b))
        return SymFloat.of(value, (function, *sides), self.leaves + others)

    method.__name__ = name
    return method


def _comparison(name: str, function: Callable[[Any, Any], bool]) -> Any:
    def method(self: SymFloat, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        return self.compared(function, other)

    method.__name__ = name
    return method


def _side(number: Any) -> Expression:
    return number.expression if isinstance(number, SymFloat) else (None, number)


def _plain(number: Any) -> Any:
    return float(number) if isinstance(number, SymFloat) else number


for _name in ("add", "sub", "mul", "truediv", "pow"):
    _function = getattr(operator, _name)
    setattr(SymFloat, f"__{_name}__", _arithmetic(f"__{_name}__", _function, False))
    setattr(SymFloat, f"__r{_name}__", _arithmetic(f"__r{_name}__", _function, True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(SymFloat, f"__{_name}__", _comparison(f"__{_name}__", getattr(operator, _name)))


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
