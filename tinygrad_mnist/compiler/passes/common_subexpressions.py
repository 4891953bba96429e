"""Common subexpressions: what was computed once is not computed again."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.compiler.program import Instruction, Number, Program, Value


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
