"""Algebra: operations written as cheaper ones that give the same number."""

from __future__ import annotations

from tinygrad_mnist.compiler.program import Instruction, Program, Value

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
