"""Outlines: what traced programs of different sizes have in common, and how they differ.

Two programs of one outline are the same operations on the same values in the same order; only whole
numbers in their shapes and attributes, and the numbers that they are handed, differ.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from .program import (
    Array,
    Constant,
    Draw,
    Input,
    Instruction,
    Number,
    Program,
    Shape,
    Value,
    is_uniform,
)

_LARGEST_EXACT = 2**53
_WHOLE = "a whole number"


class NoOutline(Exception):
    """A program holds what cannot be compared with what another holds."""


class Outline:
    """A program taken apart, and put together again of other values.

    `key` is what two programs of one outline have in common. Whole numbers of the copy are what
    `take` gives for those of the program, in order.
    """

    def __init__(self, program: Program, take: Callable[[int], int] = int) -> None:
        self.whole: list[int] = []
        """The whole numbers in shapes and attributes; those of the inputs' shapes come first."""
        self.dimensions: list[int] = []
        """Which of them are dimensions of values."""
        self.numbers: list[tuple[Number, Number]] = []
        """The numbers of the program, each with that of the copy."""
        self.others: list[tuple[Constant | Draw, Value]] = []
        """The constants and draws of the program, each with that of the copy."""
        self._take = take
        self._copies: dict[Value, tuple[int, Value]] = {}
        self._kinds: list[Hashable] = []
        self.copy = self._program(program)
        self.key: Hashable = tuple(self._kinds)

    def _program(self, program: Program) -> Program:
        inputs: list[Any] = [self._value(given) for given in program.inputs]
        self.of_inputs = len(self.whole)
        instructions = [self._instruction(i) for i in program.instructions]
        results = [self._value(value) for value in program.results]
        writes: Any = [(self._value(a), self._value(b)) for a, b in program.writes]
        return Program(inputs, instructions, results, writes)

    def _instruction(self, i: Instruction) -> Instruction:
        self._kinds += [i.op, *i.attributes]
        inputs = tuple([self._value(value) for value in i.inputs])
        attributes = {name: self._part(part) for name, part in i.attributes.items()}
        output = Value(self._shape(i.output), i.output.dtype, i.output.name)
        self._remember(i.output, output)
        return i.instead(i.op, inputs, attributes, output)

    def _remember(self, value: Value, copy: Value) -> None:
        self._copies[value] = len(self._copies), copy
        self._kinds.append(copy.dtype)

    def _shape(self, value: Value) -> Shape:
        begin = len(self.whole)
        shape: Shape = self._part(tuple(value.shape))
        self.dimensions += range(begin, len(self.whole))
        return shape

    def _value(self, value: Value) -> Any:
        if value not in self._copies:
            self._remember(value, self._first_met(value))
        number, copy = self._copies[value]
        self._kinds.append(number)
        return copy

    def _first_met(self, value: Value) -> Value:
        if isinstance(value, Number):
            number = value.number
            exact = type(number) is int and abs(number) <= _LARGEST_EXACT
            known = type(number).__name__ if exact or isinstance(number, float) else repr(number)
            self._kinds.append(known)
            copy = Number((), value.dtype, number=number)
            self.numbers.append((value, copy))
            return copy
        shape = self._shape(value)
        if isinstance(value, Input):
            return Input(shape, value.dtype, value.name, position=value.position)
        if isinstance(value, Constant):
            other: Value = self._constant(value, shape)
            self.others.append((value, other))
        elif isinstance(value, Draw):
            settings = {name: self._part(part) for name, part in value.attributes.items()}
            other = Draw(shape, value.dtype, attributes=settings)
            self.others.append((value, other))
        else:
            raise NoOutline
        return other

    def _constant(self, value: Constant, shape: Shape) -> Constant:
        """The same constant in another shape, if it is one number, counts, or is a triangle."""
        array = value.array
        if is_uniform(value):
            self._kinds.append(array.flat[0].tobytes())
            array = np.broadcast_to(array.flat[0], shape)
        elif _counts(array):
            start, step = int(array[0]), int(array[1]) - int(array[0])
            self._kinds += ["counts", start, step]
            array = (start + step * np.arange(shape[0])).astype(array.dtype)
        elif _is_triangle(array):
            lower, upper, diagonal = _triangle(array)
            self._kinds += ["triangle", lower.tobytes(), upper.tobytes(), diagonal]
            array = _triangular(shape, lower, upper, diagonal)
        else:
            self._kinds += [array.shape, array.tobytes()]
        return Constant(shape, value.dtype, array=array)

    def _part(self, part: Any) -> Any:
        """A part of an instruction's attributes."""
        if isinstance(part, Value):
            return self._value(part)
        if isinstance(part, int | np.integer) and not isinstance(part, bool):
            self.whole.append(int(part))
            self._kinds.append(_WHOLE)
            return self._take(int(part))
        if isinstance(part, slice):
            self._kinds.append(slice)
            return slice(*[self._part(each) for each in (part.start, part.stop, part.step)])
        if isinstance(part, tuple | list):
            self._kinds += [type(part), len(part)]
            return type(part)([self._part(each) for each in part])
        self._kinds.append(_kind_of(part))
        return part


def _counts(array: Any) -> bool:
    """Whether a vector counts in equal steps."""
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size < 2:
        return False
    steps = np.diff(array)
    return bool(steps[0] != 0 and (steps == steps[0]).all())


def _triangle(array: Any) -> tuple[Any, Any, int]:
    """The numbers below and above a diagonal of a matrix, and which diagonal that is."""
    lower, upper = array[-1, 0], array[0, -1]
    return lower, upper, int((array[0] == lower).sum()) - 1


def _is_triangle(array: Any) -> bool:
    """Whether a matrix is one number below a diagonal, and another one above, as masks are."""
    if array.ndim != 2 or 0 in array.shape:
        return False
    return np.array_equal(array, _triangular(array.shape, *_triangle(array)))


def _triangular(shape: Shape, lower: Any, upper: Any, diagonal: int) -> Array:
    below = np.arange(shape[1]) - np.arange(shape[0])[:, None] <= diagonal
    matrix: Array = np.where(below, lower, upper)
    return matrix


def _kind_of(part: Any) -> Hashable:
    """What two parts that mean the same have in common."""
    if isinstance(part, float):
        return repr(float(part))
    if isinstance(part, functools.partial):
        return part.func, repr(part.args), repr(sorted(part.keywords.items()))
    try:
        hash(part)
    except TypeError:
        raise NoOutline from None
    return (type(part), part)
