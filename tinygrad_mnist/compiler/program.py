"""A program: what a traced function did, as a list of instructions on numbered values."""

from __future__ import annotations

import itertools
import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.node import PRIMITIVES

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(eq=False)
class Value:
    """An array that a program works on: given from outside, constant, drawn, or computed."""

    shape: Shape
    dtype: np.dtype[Any]
    name: str = ""
    """How the program's text calls it; numbered when it is printed."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(eq=False)
class Input(Value):
    """An array from outside: an argument, a parameter, a gradient, a part of an optimiser."""

    position: int = 0


@dataclass(eq=False)
class Constant(Value):
    """An array that the function made of Python numbers; a retrace replaces its numbers."""

    array: Array = field(default_factory=lambda: np.empty(0))


@dataclass(eq=False)
class Number(Value):
    """A Python number, handed to the program at each call."""

    number: Any = 0


@dataclass(eq=False)
class Draw(Value):
    """Random numbers, drawn before the program runs, in the order in which they were traced."""

    attributes: dict[str, Any] = field(default_factory=dict)


IGNORES = "ignores"
"""The attribute of a loss that was traced with labels which it ignores."""
Operand = Value
Phase = Literal["forward", "backward", "update"]
"""What an instruction was traced in: before, in, or after the backward pass."""


@dataclass(eq=False)
class Instruction:
    """output = op(inputs), with the attributes that the primitive takes."""

    op: str
    inputs: tuple[Operand, ...]
    attributes: dict[str, Any]
    output: Value
    phase: Phase = "forward"
    origin: int = -1
    """The number of the traced instruction that it came of."""
    under: int = -1
    """The number of that whose derivative it computes; −1 outside a backward pass."""

    def instead(
        self, op: str, inputs: tuple[Operand, ...], attributes: dict[str, Any], output: Value
    ) -> Instruction:
        """Another instruction of the same phase and origin."""
        return Instruction(op, inputs, attributes, output, self.phase, self.origin, self.under)

    @property
    def operands(self) -> Iterator[Value]:
        """Every value that it reads, those in its attributes too."""
        yield from self.inputs
        for attribute in self.attributes.values():
            yield from _values_in(attribute)


def _values_in(attribute: Any) -> Iterator[Value]:
    if isinstance(attribute, Value):
        yield attribute
    elif isinstance(attribute, tuple | list):
        for part in attribute:
            yield from _values_in(part)


@dataclass
class Program:
    """Instructions in order, and what leaves: results, and new contents of arrays from outside."""

    inputs: list[Input]
    instructions: list[Instruction]
    results: list[Value]
    writes: list[tuple[Input, Value]]

    def leaving(self) -> dict[Value, None]:
        """The values that must be there when the program ends, in order."""
        return dict.fromkeys([*self.results, *(value for _, value in self.writes)])

    def read(self, kind: type[Value]) -> list[Any]:
        """The values of one kind that something reads, in order of first use."""
        read = itertools.chain(*[i.operands for i in self.instructions], self.leaving())
        return list(dict.fromkeys(value for value in read if isinstance(value, kind)))

    def with_instructions(self, instructions: list[Instruction]) -> Program:
        """The same program with other instructions between what comes and what goes."""
        return Program(self.inputs, instructions, self.results, self.writes)

    def replaced(self, substitutes: Mapping[Value, Value]) -> Program:
        """The program reading, for each value in `substitutes`, the other one."""

        def put(part: Any) -> Any:
            if isinstance(part, Value):
                while part in substitutes:
                    part = substitutes[part]
                return part
            if isinstance(part, tuple | list):
                return type(part)([put(each) for each in part])
            return part

        instructions = []
        for i in self.instructions:
            attributes = {name: put(attribute) for name, attribute in i.attributes.items()}
            instructions.append(i.instead(i.op, put(i.inputs), attributes, i.output))
        writes = [(target, put(value)) for target, value in self.writes]
        return Program(self.inputs, instructions, [put(v) for v in self.results], writes)

    def named(self) -> Program:
        """The same program, its computed values numbered v1, v2, … in order."""
        taken = set(_RESERVED)
        for given in self.inputs:
            given.name = _unique(_own(given.name), taken)
        for kind, letter in ((Constant, "c"), (Number, "n"), (Draw, "r")):
            for count, value in enumerate(self.read(kind), 1):
                value.name = _unique(f"{letter}{count}", taken)
        for count, instruction in enumerate(self.instructions, 1):
            instruction.output.name = _unique(f"v{count}", taken)
        return self

    def __str__(self) -> str:
        """A table: each instruction with the shapes and types of what it gives."""
        self.named()
        rows: list[tuple[Value, str]] = [(given, "given") for given in self.inputs]
        rows += [(constant, "constant") for constant in self.read(Constant)]
        rows += [(drawn, "drawn at random") for drawn in self.read(Draw)]
        lines = self._lines(rows)
        for phase in ("forward", "backward", "update"):
            inside = [(i.output, _call(i)) for i in self.instructions if i.phase == phase]
            lines += ["", phase, *self._lines(inside)] if inside else []
        lines += ["", "at the end"]
        lines += [f"{target.name} ← {value.name}" for target, value in self.writes]
        lines += [f"result: {value.name}" for value in self.results]
        return "\n".join(lines)

    def _lines(self, rows: Sequence[tuple[Value, str]]) -> list[str]:
        width = 2 + max([len(v.name) for v in [*self.inputs, *(v for v, _ in rows)]], default=0)
        return [f"{v.name:<{width}}{_kind(v):<20}{text}".rstrip() for v, text in rows]


Makers = dict[Value, Instruction]
"""What computes each value."""


def is_uniform(value: Value) -> bool:
    """Whether a constant is one number, however often; 0 and −0 are two."""
    if not isinstance(value, Constant) or not value.size:
        return False
    first = value.array.flat[0]
    signs = np.signbit(value.array) == np.signbit(first)
    return bool(((value.array == first) & signs).all())


def transposed(value: Value, makers: Makers) -> Value | None:
    """The matrix that `value` is the transpose of, if it is one."""
    maker = makers.get(value)
    if maker is None or maker.op != "permute" or maker.attributes["dims"] != (1, 0):
        return None
    return maker.inputs[0]


def shape_of_region(shape: Shape, region: tuple[Any, ...]) -> Shape:
    """The shape of x[region], where the region holds integers and slices."""
    kept: Shape = np.broadcast_to(False, shape)[region].shape
    return kept


def _kind(value: Value) -> str:
    return f"{value.dtype.name} {'×'.join(map(str, value.shape))}"


def _call(i: Instruction) -> str:
    names = [str(v.number) if isinstance(v, Number) else v.name for v in i.inputs]
    options = [f"{k}={_told(v)}" for k, v in i.attributes.items() if v is not None]
    return f"{i.op}({', '.join(names + options)})"


_RESERVED = {
    "abs", "batch_last", "found", "i", "images", "index", "j", "k", "math", "max", "min", "n",
    "np", "numba", "numbers", "part", "piece", "place", "products", "range", "recurrent", "scalars",
    "sofar", "step",
}  # fmt: skip
"""What the source calls by these names."""
_LIKE_OURS = re.compile(r"(i|out|s)\d+|.*_(all|b|c|l|row|sum|own)")


def _own(name: str) -> str:
    """A name from outside, made another where the source would make names like it."""
    return f"{name}_" if keyword.iskeyword(name) or _LIKE_OURS.fullmatch(name) else name


def _unique(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _told(attribute: Any) -> str:
    if isinstance(attribute, Value):
        return attribute.name
    if isinstance(attribute, tuple):
        return f"({', '.join(_told(part) for part in attribute)})"
    return ":" if attribute == slice(None) else str(attribute)


# Interpreting: a program computed instruction by instruction in NumPy, where Numba cannot.


def interpret(program: Program, known: dict[Value, Array]) -> None:
    """Compute every value of a program from the arrays in `known`, which is filled."""

    def put(part: Any) -> Any:
        if isinstance(part, Value):
            return part.number if isinstance(part, Number) else known[part]
        return tuple([put(each) for each in part]) if isinstance(part, tuple) else part

    for i in program.instructions:
        inputs = [put(value) for value in i.inputs]
        if i.op == "full":
            known[i.output] = np.full(i.output.shape, inputs[0], i.output.dtype)
            continue
        attributes = {name: put(part) for name, part in i.attributes.items() if name != IGNORES}
        result = state.quietly(PRIMITIVES[i.op].body, *inputs, **attributes)
        known[i.output] = np.asarray(result, i.output.dtype)
