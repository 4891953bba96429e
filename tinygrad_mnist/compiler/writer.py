"""Lines of source as they are written, and where each value of a program is to be found."""

from __future__ import annotations

from dataclasses import dataclass, field

from .expressions import EXPRESSIONS
from .passes.fusion import Call, Step
from .program import Instruction, Program, Value


class Unsupported(Exception):
    """An operation that the source cannot spell; the message names it."""


@dataclass
class Writer:
    """Lines of source as they are written, and where each value is to be found."""

    program: Program
    steps: list[Step]
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    places: dict[Value, str] = field(default_factory=dict)
    """The name of the array that holds a value."""
    numbers: list[Value] = field(default_factory=list)
    checked: set[tuple[Value, int]] = field(default_factory=set)
    temporaries: list[Value] = field(default_factory=list)
    heirs: dict[Value, Value] = field(default_factory=dict)
    """Values that take over the array of an earlier one."""

    def line(self, text: str) -> None:
        """Write one line."""
        self.lines.append("    " * self.depth + text if text else "")


def type_of(value: Value) -> str:
    """How the source spells a value's type."""
    return "np.bool_" if value.dtype.kind == "b" else f"np.{value.dtype.name}"


def array_for(writer: Writer, value: Value) -> str:
    """The name of the array that holds a value, which is allocated here if there is none yet."""
    if value not in writer.places:
        writer.places[value] = f"{value.name}_all"
        earlier = writer.places.get(writer.heirs[value]) if value in writer.heirs else None
        if earlier is not None:
            again = (
                earlier
                if value.shape == writer.heirs[value].shape
                else f"{earlier}.reshape({value.shape})"
            )
            writer.line(f"{value.name}_all = {again}")
            return writer.places[value]
        writer.temporaries.append(value)
        writer.line(f"{value.name}_all = np.empty({value.shape}, {type_of(value)})")
    return writer.places[value]


def is_scattered(writer: Writer, value: Value) -> bool:
    """Whether a value's numbers do not lie one after the other."""
    for step in writer.steps:
        if isinstance(step, Call) and step.instruction.output is value:
            return step.instruction.op in ("permute", "slice")
    return False


def is_turned(writer: Writer, value: Value) -> bool:
    """Whether a value is the transpose of an array."""
    for step in writer.steps:
        if isinstance(step, Call) and step.instruction.output is value:
            return step.instruction.op == "permute"
    return False


def read_one(writer: Writer, value: Value) -> str:
    """How a value of one element is read."""
    place = writer.places.get(value)
    if place is None:
        return value.name
    return f"{place}[{', '.join('0' * len(value.shape)) or '()'}]"


def expression(i: Instruction, operands: list[str]) -> str:
    """An operation on single numbers; raise Unsupported if there is none of that name."""
    if i.op not in EXPRESSIONS:
        raise Unsupported(i.op)
    kind = type_of(i.output)
    return EXPRESSIONS[i.op].format(*operands, type=kind, zero=f"{kind}(0)", one=f"{kind}(1)")
