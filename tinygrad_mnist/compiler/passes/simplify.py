"""Simplification: constant folding, common subexpressions, algebra, and dead code."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.compiler.program import (
    Constant,
    Instruction,
    Makers,
    Number,
    Program,
    Value,
    is_uniform,
    transposed,
)
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.node import PRIMITIVES

# Constant folding: what depends on no input is computed while compiling, or not at all.


def _changes_nothing(i: Instruction) -> bool:
    """Whether an instruction gives its first input; values never change, so a copy is the same."""
    given, output, a = i.inputs[0], i.output, i.attributes
    match i.op:
        case "clone" | "constant_in" | "through":
            return True
        case "reshape":
            return given.shape == output.shape
        case "cast":
            return given.dtype == output.dtype
        case "permute":
            return bool(a["dims"] == tuple(range(len(output.shape))))
        case "slice":
            return all(part is Ellipsis or part == slice(None) for part in a["key"])
        case "mul":
            return given.shape == output.shape and _number(i.inputs[1]) == 1.0
    return False


def _number(value: Value) -> float | None:
    """The one number that a constant consists of, if it does."""
    number: float | None = None
    if isinstance(value, Constant) and is_uniform(value):
        number = value.array.flat[0].item()
    return number


def _folded(i: Instruction) -> Value | None:
    """What the instruction gives, where that is known now."""
    if not i.inputs:
        return None
    if _changes_nothing(i):
        return i.inputs[0]
    output, number = i.output, _number(i.inputs[0])
    if number is None or not output.size:
        return None
    given = np.array(number, i.inputs[0].dtype)
    if i.op in ("reshape", "expand", "permute", "slice"):
        result = given
    elif i.op == "neg" or (i.op in ("div", "mul") and isinstance(i.inputs[1], Number)):
        others = [np.array(v.number, v.dtype) for v in i.inputs[1:] if isinstance(v, Number)]
        result = state.quietly(PRIMITIVES[i.op].body, given, *others)
    else:
        return None
    return Constant(output.shape, output.dtype, array=np.full(output.shape, result, output.dtype))


def fold_constants(program: Program) -> Program:
    """The program with what is known beforehand put in its place."""
    substitutes: dict[Value, Value] = {}
    kept: list[Instruction] = []
    for instruction in program.instructions:
        read = program.with_instructions([instruction]).replaced(substitutes).instructions[0]
        known = _folded(read)
        if known is None:
            kept.append(read)
        else:
            substitutes[instruction.output] = known
    return program.with_instructions(kept).replaced(substitutes)


# Common subexpressions: what was computed once is not computed again.


def _key(part: Any) -> Any:
    """What two equal operands or attributes have in common, and no others."""
    if isinstance(part, Number):
        return ("number", type(part.number), repr(part.number), part.dtype)
    if isinstance(part, Value):
        return id(part)
    if isinstance(part, tuple | list):
        return tuple([_key(each) for each in part])
    return (type(part), str(part))


def share_common_subexpressions(program: Program) -> Program:
    """The program computing the same operation on the same values once.

    Values never change (a write makes a new one), so equal instructions give equal values.
    """
    seen: dict[Any, Value] = {}
    substitutes: dict[Value, Value] = {}
    kept: list[Instruction] = []
    for instruction in program.instructions:
        inputs = tuple([substitutes.get(v, v) for v in instruction.inputs])
        attributes = {
            name: substitutes.get(a, a) if isinstance(a, Value) else a
            for name, a in instruction.attributes.items()
        }
        output = instruction.output
        key = (instruction.op, _key(inputs), _key(tuple(sorted(attributes.items(), key=str))),
               output.shape, output.dtype)  # fmt: skip
        if key in seen:
            substitutes[output] = seen[key]
        else:
            seen[key] = output
            kept.append(instruction.instead(instruction.op, inputs, attributes, output))
    return program.with_instructions(kept).replaced(substitutes)


# Algebra: operations written as cheaper ones that give the same number.


def _sum_of_one_place(i: Instruction, makers: Makers) -> Instruction | Value | None:
    """A row that holds one number sums to that number, which is 0 where it is −0."""
    place = makers.get(i.inputs[0])
    if i.op != "sum" or place is None or place.op != "place" or i.attributes["dim"] != (1,):
        return None
    number = place.inputs[0]
    if number.size > 1 or _number(number):
        return number if number.size == 1 else None
    nothing = Number((), number.dtype, number=0)
    return i.instead("add", (number, nothing), {}, Value(number.shape, number.dtype))


def _exp_of_difference(i: Instruction, makers: Makers) -> tuple[Value, Value] | None:
    """e^(x − ln s) = eˣ / s, where eˣ was computed to get s: the two values.

    Where x overflows it is not: x is to be what a softmax takes, no number of it above 0.
    """
    difference = makers.get(i.inputs[0])
    if i.op != "exp" or difference is None or difference.op != "sub":
        return None
    x, shift = difference.inputs
    logarithm = makers.get(shift)
    total = None if logarithm is None or logarithm.op != "log" else makers.get(logarithm.inputs[0])
    power = None if total is None or total.op != "sum" else makers.get(total.inputs[0])
    if power is None or power.op != "exp" or power.inputs[0] is not x or total is None:
        return None
    return (power.output, total.output) if _is_shifted(x, total, makers) else None


def _is_shifted(x: Value, total: Instruction, makers: Makers) -> bool:
    """Whether x is what it is less its largest number along the dimensions of a sum."""
    shifted = makers.get(x)
    if shifted is None or shifted.op != "sub":
        return False
    largest = makers.get(shifted.inputs[1])
    if largest is None or largest.op != "amax" or largest.inputs[0] is not shifted.inputs[0]:
        return False
    return bool(largest.attributes["dim"] == total.attributes["dim"])


def _transposed_product(i: Instruction, makers: Makers) -> list[Instruction]:
    """(a b)ᵀ = bᵀ aᵀ, where a or b is a transpose itself: so that no result need be transposed."""
    given = transposed(i.output, {i.output: i})
    product = None if given is None else makers.get(given)
    if product is None or product.op != "mm":
        return []
    sources = [transposed(value, makers) for value in product.inputs]
    if sources == [None, None]:
        return []
    written = []
    operands = []
    for value, source in zip(product.inputs, sources, strict=True):
        if source is None:
            source = Value(value.shape[::-1], value.dtype)
            written.append(i.instead("permute", (value,), {"dims": (1, 0)}, source))
        operands.append(source)
    return [*written, i.instead("mm", (operands[1], operands[0]), {}, i.output)]


def simplify(program: Program) -> Program:
    """The program with what the rules above know put in its place."""
    makers: Makers = {}
    substitutes: dict[Value, Value] = {}
    kept: list[Instruction] = []
    for i in program.instructions:
        same = _sum_of_one_place(i, makers)
        quotient = _exp_of_difference(i, makers)
        if same is not None:
            if isinstance(same, Instruction):
                kept.append(same)
                same = same.output
            substitutes[i.output] = same
            continue
        written = [i] if quotient is None else [i.instead("div", quotient, {}, i.output)]
        for instruction in _transposed_product(i, makers) or written:
            makers[instruction.output] = instruction
            kept.append(instruction)
    return program.with_instructions([*map(_vector_turned, kept)]).replaced(substitutes)


def _vector_turned(i: Instruction) -> Instruction:
    """A row made a column, or the other way round, lies in memory as it did: it is reshaped.

    BLAS takes several times as long where it is told that such a matrix is transposed.
    """
    if i.op != "permute" or len(i.output.shape) != 2 or 1 not in i.output.shape:
        return i
    return i.instead("reshape", i.inputs, {"shape": i.output.shape}, i.output)


# Dead code: what nobody reads is not computed.


def remove_dead_code(program: Program) -> Program:
    """The program without the instructions that nothing which leaves depends on."""
    wanted = set(program.leaving())
    kept: list[Instruction] = []
    for instruction in reversed(program.instructions):
        if instruction.output in wanted:
            kept.append(instruction)
            wanted.update(instruction.operands)
    return program.with_instructions(kept[::-1])
