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
