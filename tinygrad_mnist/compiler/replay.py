"""Replay: running a program instruction by instruction in NumPy, where Numba cannot."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.primitive import PRIMITIVES
from tinygrad_mnist.engine.record import state

from .program import Array, Number, Program, Value


def replay(program: Program, known: dict[Value, Array]) -> dict[Value, Any]:
    """Compute every value of `program` from the arrays in `known`, which is filled and returned."""
    for instruction in program.instructions:
        inputs = [_get(known, value) for value in instruction.inputs]
        attributes = {name: _put(known, a) for name, a in instruction.attributes.items()}
        known[instruction.output] = _compute(instruction.op, inputs, attributes, instruction.output)
    return known


def _get(known: dict[Value, Array], value: Value) -> Any:
    return value.number if isinstance(value, Number) else known[value]


def _put(known: dict[Value, Array], attribute: Any) -> Any:
    if isinstance(attribute, Value):
        return known[attribute]
    if isinstance(attribute, tuple):
        return tuple([_put(known, part) for part in attribute])
    return attribute


def _compute(op: str, inputs: list[Any], attributes: dict[str, Any], output: Value) -> Array:
    if op == "full":
        out = np.empty(output.shape, output.dtype)
        out[...] = inputs[0]
        return out
    primitive = PRIMITIVES[op]
    result = state.quietly(primitive.body, *inputs, **attributes)
    return np.asarray(result, output.dtype)
