"""Lines of source as they are written, and where each value of a program is to be found."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.passes.fusion import Call, Step
from tinygrad_mnist.compiler.program import Instruction, Program, Shape, Value

from .expressions import EXPRESSIONS, OF_WHOLE_NUMBERS

Index = Sequence[str]
"""How the place of a number is spelled, dimension by dimension."""


class Unsupported(Exception):
    """An operation that the source cannot spell; the message names it."""


@dataclass
class Writer:
    """Lines of source as they are written, and where each value is to be found."""

    program: Program
    steps: list[Step]
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    buffers: dict[Value, str] = field(default_factory=dict)
    """The name of the array that holds a value."""
    numbers: list[Value] = field(default_factory=list)
    lanes: list[int] = field(default_factory=list)
    """How many numbers each convolution works on side by side, which must fill a register."""
    checked: dict[tuple[Value, int, bool, int | None], str] = field(default_factory=dict)
    """Where indices lie that were found to be within bounds: of what, below which size, and
    whether negative ones, which count from behind, were counted from the front; and which index
    out of bounds there may be."""
    temporaries: list[Value] = field(default_factory=list)
    reuses: dict[Value, Value] = field(default_factory=dict)
    """Values that take over the array of an earlier one."""

    def __post_init__(self) -> None:
        self.calls = {
            s.instruction.output: s.instruction for s in self.steps if isinstance(s, Call)
        }
        """What computes a value, where that is no loop."""
        self.computed = {i.output for i in self.program.instructions}

    def line(self, text: str) -> None:
        """Write one line."""
        self.lines.append("    " * self.depth + text)

    def place_at(self, index: Value, size: int, from_behind: bool, names: Index) -> str:
        """How an index that was checked is read, stretched to where `names` is a place."""
        known = self.checked.get((index, size, from_behind, None)) or self.buffers.get(index)
        return index.name if known is None else f"{known}[{stretched(index, names)}]"

    @contextlib.contextmanager
    def block(self, *heads: str) -> Iterator[None]:
        """Write lines that end in a colon; what is written meanwhile stands under the last."""
        depth = self.depth
        for head in heads:
            self.line(head)
            self.depth += 1
        yield
        self.depth = depth

    def loops(self, shape: Shape, skipped: int | None = None) -> list[str]:
        """Begin a loop over each dimension but the one skipped; the indices."""
        for d, size in enumerate(shape):
            if d != skipped:
                self.line(f"for i{d} in range({size}):")
                self.depth += 1
        return [f"i{d}" for d in range(len(shape))]


def stretched(value: Value, index: Index) -> str:
    """The place of a number of `value`, which is stretched to where `index` is a place."""
    own = index[len(index) - len(value.shape) :]
    return ", ".join(["0" if n == 1 else i for i, n in zip(own, value.shape, strict=True)]) or "()"


def type_of(value: Value) -> str:
    """How the source spells a value's type."""
    return "np.bool_" if value.dtype.kind == "b" else f"np.{value.dtype.name}"


def array_for(writer: Writer, value: Value) -> str:
    """The name of the array that holds a value, which is allocated here if there is none yet."""
    if value not in writer.buffers:
        name = writer.buffers[value] = f"{value.name}_all"
        reused = writer.reuses.get(value)
        earlier = None if reused is None else writer.buffers.get(reused)
        if reused is None or earlier is None:
            writer.temporaries.append(value)
            writer.line(f"{name} = np.empty({value.shape}, {type_of(value)})")
        else:
            again = "" if value.shape == reused.shape else f".reshape({value.shape})"
            writer.line(f"{name} = {earlier}{again}")
    return writer.buffers[value]


def layout(writer: Writer, value: Value) -> str:
    """How a value's numbers lie: "C" for row after row, "F" for the transpose of that, or "A"."""
    maker = writer.calls.get(value)
    if maker is None or maker.op not in ("permute", "slice"):
        return "C"
    turned = maker.op == "permute" and maker.attributes["dims"] == (1, 0)
    return {"C": "F", "F": "C"}.get(layout(writer, maker.inputs[0]), "A") if turned else "A"


def steps_in_rows(shape: Shape) -> tuple[int, ...]:
    """How far apart numbers lie in each dimension, where they lie row after row."""
    return tuple([math.prod(shape[d + 1 :]) for d in range(len(shape))])


def lying(writer: Writer, value: Value) -> tuple[Value, int, tuple[int, ...]]:
    """What a value is a view of, where it begins in that, and how far apart its numbers lie."""
    maker = writer.calls.get(value)
    if maker is None or maker.op not in ("permute", "slice"):
        return value, 0, steps_in_rows(value.shape)
    whole, begin, at = lying(writer, maker.inputs[0])
    if maker.op == "permute":
        return whole, begin, tuple([at[d] for d in maker.attributes["dims"]])
    kept = []
    key = tuple([part for part in maker.attributes["key"] if part is not Ellipsis])
    for d, size in enumerate(maker.inputs[0].shape):
        part = key[d] if d < len(key) else slice(None)
        if isinstance(part, slice):
            first, _, step = part.indices(size)
            kept.append(at[d] * step)
        else:
            first = part + size * (part < 0)
        begin += first * at[d]
    return whole, begin, tuple(kept)


def as_array(writer: Writer, value: Value) -> str:
    """The name of an array with a value's numbers, also where it is but one number."""
    if value not in writer.buffers:
        writer.line(f"{array_for(writer, value)}[...] = {value.name}")
    return writer.buffers[value]


def beginning(i: Instruction) -> str:
    """What a reduction starts from, before it has seen a number."""
    kind = i.inputs[0].dtype
    if i.op in ("amax", "amin"):
        sign = "-" if i.op == "amax" else ""
        if kind.kind == "f":
            return f"{sign}np.inf"
        if kind.kind == "b":
            return str(i.op == "amin")
        limits = np.iinfo(kind)
        return str(limits.min if i.op == "amax" else limits.max)
    return {"all": "True", "any": "False", "prod": "1"}.get(i.op, "0")


def write_copy(writer: Writer, target: str, source: str, shape: Shape) -> None:
    """Copy an array into another of this shape.

    By loops: Numba takes seconds to compile an assignment, for the text of an error it may raise.
    """
    with writer.block():
        index = ", ".join(writer.loops(shape)) or "()"
        writer.line(f"{target}[{index}] = {source}[{index}]")


def region_of(key: tuple[Any, ...]) -> str:
    """What stands between the brackets; the … that ends a region may be left out."""
    parts = [part for part in key if part is not Ellipsis]
    return ", ".join(_part(part) for part in parts) or ":"


def _part(part: Any) -> str:
    if not isinstance(part, slice):
        return str(part)
    start, stop = ("" if n is None else str(n) for n in (part.start, part.stop))
    return f"{start}:{stop}" if part.step is None else f"{start}:{stop}:{part.step}"


def read_one(writer: Writer, value: Value) -> str:
    """How a value of one element is read."""
    place = writer.buffers.get(value)
    if place is None:
        return value.name
    return f"{place}[{', '.join('0' * len(value.shape)) or '()'}]"


def summed(kind: np.dtype[Any], total: str, number: str) -> str:
    """A statement that adds a number to a sum; those of floats may be taken in any order."""
    return (
        f"{total} = scalars.add({total}, {number})" if kind.kind == "f" else f"{total} += {number}"
    )


_LARGEST_EXACT = 2**53


def number_read(value: Value, place: int, number: Any) -> str:
    """How a number is read that is handed over in double precision, unless that cannot hold it."""
    kind, whole = type_of(value), value.dtype.kind in "iu"
    if whole and abs(number) > _LARGEST_EXACT:
        return f"{kind}({number})" if number > 0 else f"~{kind}({~number})"  # −2⁶³ is no literal
    narrow = whole and value.dtype != np.int64
    return f"{kind}(np.int64(numbers[{place}]))" if narrow else f"{kind}(numbers[{place}])"


_OF_SINGLES = ("binary_cross_entropy_with_logits", "erf", "exp", "log_sigmoid", "sigmoid", "silu")
"""What is computed by functions of `scalars` in single precision."""


def expression(i: Instruction, operands: list[str]) -> str:
    """An operation on single numbers; raise Unsupported if there is none of that name."""
    given, out = i.inputs[0].dtype if i.inputs else i.output.dtype, i.output.dtype
    spelled = OF_WHOLE_NUMBERS.get(i.op) if given.kind in "iu" else None
    if i.op == "pow" and given.kind == "f" and not i.inputs[1].shape:
        spelled = "scalars.power({0}, {1})"
    spelled = spelled or EXPRESSIONS.get(i.op)
    if spelled is None:
        raise Unsupported(i.op)
    if given == np.float32 and i.op in _OF_SINGLES:
        spelled = spelled.replace("np.exp(", "scalars.exp(").replace("math.erf(", "scalars.erf(")
    kind = type_of(i.output)
    settings = {
        name: f"{kind}({'np.' * (not math.isfinite(number))}{float(number)!r})"
        for name, number in i.attributes.items()
        if isinstance(number, int | float)
    }
    own = {"type": kind, "zero": f"{kind}(0)", "one": f"{kind}(1)"}
    text = spelled.format(*operands, **own, **settings)
    if i.op == "cast" and given.kind == "f" and out.kind == "u":
        return f"{kind}(np.int32({operands[0]}))"  # LLVM leaves it open what negative ones become
    computed = given == out and out.kind in "biu" and out != np.int64
    return f"{kind}({text})" if computed and text not in operands else text
