"""Constant folding: what depends on no input is computed while compiling, or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.compiler.program import Constant, Instruction, Number, Program, Value

_ARRANGING = ("reshape", "expand", "permute", "slice")


def _uniform(value: Value) -> float | None:
    """The one number that a constant consists of, if it does."""
    if isinstance(value, Constant) and value.size:
        first = value.array.flat[0]
        if np.all(value.array == first):
            number: float = first.item()
            return number
    return None


def _folded(instruction: Instruction) -> Value | None:
    """What the instruction gives, where that is known now."""
    output, inputs = instruction.output, instruction.inputs
    if instruction.op == "reshape" and inputs[0].shape == output.shape:
        return inputs[0]
    if instruction.op == "permute" and instruction.attributes["dims"] == tuple(
        range(len(output.shape))
    ):
        return inputs[0]
    if instruction.op in ("clone", "constant_in", "read"):
        return inputs[0]  # values never change: a copy is the same value
    if instruction.op == "slice" and _takes_all(instruction.attributes["key"]):
        return inputs[0]
    if instruction.op == "cast" and inputs[0].dtype == output.dtype:
        return inputs[0]
    if instruction.op in _ARRANGING or instruction.op == "neg":
        number = _uniform(inputs[0])
        if number is not None and output.size:
            number = -number if instruction.op == "neg" else number
            return Constant(
                output.shape, output.dtype, array=np.full(output.shape, number, output.dtype)
            )
    if instruction.op == "div" and isinstance(inputs[1], Number):
        number = _uniform(inputs[0])
        if number is not None and inputs[1].number:
            quotient = output.dtype.type(number) / output.dtype.type(inputs[1].number)
            return Constant(output.shape, output.dtype, array=np.full(output.shape, quotient))
    if instruction.op == "mul" and inputs[0].shape == output.shape and _is_one(inputs[1]):
        return inputs[0]
    if instruction.op == "mul" and isinstance(inputs[1], Number):
        number = _uniform(inputs[0])
        if number is not None:
            product = output.dtype.type(number) * output.dtype.type(inputs[1].number)
            return Constant(output.shape, output.dtype, array=np.full(output.shape, product))
    return None


def _takes_all(key: tuple[Any, ...]) -> bool:
    return all(part is Ellipsis or part == slice(None) for part in key)


def _is_one(value: Value) -> bool:
    return _uniform(value) == 1.0


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


# common_subexpressions: Common subexpressions: what was computed once is not computed again.


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
    for instruction in program.replaced(substitutes).instructions:
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


# algebra: Algebra: operations written as cheaper ones that give the same number.

Makers = dict[Value, Instruction]


def _sum_of_one_place(i: Instruction, makers: Makers) -> Value | None:
    """A row that holds one number sums to that number."""
    place = makers.get(i.inputs[0])
    if i.op != "sum" or place is None or place.op != "place" or i.attributes["dim"] != (1,):
        return None
    return place.inputs[0] if place.inputs[0].size == 1 else None


def _exp_of_difference(i: Instruction, makers: Makers) -> tuple[Value, Value] | None:
    """e^(x − ln s) = eˣ / s, where eˣ was computed to get s: the two values."""
    difference = makers.get(i.inputs[0])
    if i.op != "exp" or difference is None or difference.op != "sub":
        return None
    x, shift = difference.inputs
    logarithm = makers.get(shift)
    total = None if logarithm is None or logarithm.op != "log" else makers.get(logarithm.inputs[0])
    power = None if total is None or total.op != "sum" else makers.get(total.inputs[0])
    if power is None or power.op != "exp" or power.inputs[0] is not x or total is None:
        return None
    return power.output, total.output


def _turned_product(i: Instruction, makers: Makers) -> list[Instruction]:
    """(a b)ᵀ = bᵀ aᵀ, where a or b is turned itself: so that no result need be turned."""
    product = makers.get(i.inputs[0]) if i.op == "permute" else None
    if product is None or product.op != "mm" or i.attributes["dims"] != (1, 0):
        return []
    turned = [_turned(value, makers) for value in product.inputs]
    if turned == [None, None]:
        return []
    written = []
    operands = []
    for value, source in zip(product.inputs, turned, strict=True):
        if source is None:
            source = Value(value.shape[::-1], value.dtype)
            written.append(i.instead("permute", (value,), {"dims": (1, 0)}, source))
        operands.append(source)
    return [*written, i.instead("mm", (operands[1], operands[0]), {}, i.output)]


def _turned(value: Value, makers: Makers) -> Value | None:
    """What `value` is the transpose of."""
    maker = makers.get(value)
    if maker is None or maker.op != "permute" or maker.attributes["dims"] != (1, 0):
        return None
    return maker.inputs[0]


def simplify(program: Program) -> Program:
    """The program with what the rules above know put in its place."""
    makers: Makers = {}
    substitutes: dict[Value, Value] = {}
    kept: list[Instruction] = []
    for i in program.instructions:
        same = _sum_of_one_place(i, makers)
        quotient = _exp_of_difference(i, makers)
        if same is not None:
            substitutes[i.output] = same
            continue
        written = [i] if quotient is None else [i.instead("div", quotient, {}, i.output)]
        for instruction in _turned_product(i, makers) or written:
            makers[instruction.output] = instruction
            kept.append(instruction)
    return program.with_instructions(kept).replaced(substitutes)


# dead_code: Dead code: what nobody reads is not computed.


def remove_dead_code(program: Program) -> Program:
    """The program without the instructions that nothing which leaves depends on."""
    wanted = program.leaving()
    kept: list[Instruction] = []
    for instruction in reversed(program.instructions):
        if instruction.output in wanted:
            kept.append(instruction)
            wanted.update(instruction.operands)
    return program.with_instructions(kept[::-1])
