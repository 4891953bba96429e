"""Lowering: what computes along rows, written in sums, maxima and operations number by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.program import Constant, Instruction, Number, Program, Value

Made = tuple[list[Instruction], Value]


class Lowering:
    """The instructions that take the place of one, as they are written."""

    def __init__(self, instruction: Instruction) -> None:
        self.instruction = instruction
        self.instructions: list[Instruction] = []

    def do(
        self, op: str, *inputs: Any, shape: Any = None, dtype: Any = None, **attributes: Any
    ) -> Value:
        """Write one instruction; shape and type are those of the first input unless given."""
        first = inputs[0]
        operands = tuple(
            [v if isinstance(v, Value) else Number((), first.dtype, number=v) for v in inputs]
        )
        output = Value(first.shape if shape is None else shape, dtype or first.dtype)
        self.instructions.append(self.instruction.instead(op, operands, attributes, output))
        return output

    def along_rows(self, op: str, x: Value) -> Value:
        """Reduce the last dimension to size 1."""
        return self.do(op, x, shape=(*x.shape[:-1], 1), dim=(len(x.shape) - 1,), keepdim=True)


def _log_softmax(now: Lowering, x: Value) -> Value:
    shifted = now.do("sub", x, now.along_rows("amax", x))
    return now.do("sub", shifted, now.do("log", now.along_rows("sum", now.do("exp", shifted))))


def _log_softmax_backward(now: Lowering, grad: Value, out: Value) -> Value:
    return now.do("sub", grad, now.do("mul", now.do("exp", out), now.along_rows("sum", grad)))


def _softmax(now: Lowering, x: Value) -> Value:
    weights = now.do("exp", now.do("sub", x, now.along_rows("amax", x)))
    return now.do("div", weights, now.along_rows("sum", weights))


def _nll_loss(now: Lowering, x: Value, target: Value) -> Value:
    rows = x.shape[0]
    picked = now.do("pick", x, target, shape=(rows,))
    total = now.do("sum", picked, shape=(), dim=(0,), keepdim=False)
    reduction = now.instruction.attributes["reduction"]
    return now.do("mul", total, -1.0 / rows if reduction == "mean" else -1.0)


def _nll_loss_backward(now: Lowering, grad: Value, target: Value) -> Value:
    shape = now.instruction.output.shape
    scale = -1.0 / shape[0] if now.instruction.attributes["reduction"] == "mean" else -1.0
    return now.do("place", now.do("mul", grad, scale), target, shape=shape)


def _mean(now: Lowering, x: Value) -> Value:
    attributes, output = now.instruction.attributes, now.instruction.output
    total = now.do("sum", x, shape=output.shape, **attributes)
    return now.do("mul", total, output.size / max(x.size, 1))


def _index(now: Lowering, x: Value) -> Value:
    return now.do(
        "pick", x, now.instruction.attributes["key"][1], shape=now.instruction.output.shape
    )


def _index_backward(now: Lowering, grad: Value) -> Value:
    shape = now.instruction.output.shape
    return now.do("place", grad, now.instruction.attributes["key"][1], shape=shape)


def _add_bias(now: Lowering, x: Value, bias: Value, *_: Value) -> Value:
    return now.do("add", x, bias, shape=now.instruction.output.shape)


def _of_one(now: Lowering, x: Value) -> Value:
    return now.do("reshape", x, shape=now.instruction.output.shape)


def _linear(now: Lowering, x: Value, weight: Value, bias: Value | None = None) -> Value:
    turned = now.do("permute", weight, shape=weight.shape[::-1], dims=(1, 0))
    product = now.do("mm", x, turned, shape=now.instruction.output.shape)
    return product if bias is None else now.do("add", product, bias)


def _is_matrix(instruction: Instruction) -> bool:
    return len(instruction.output.shape) == 2 and instruction.attributes["dim"] == 1


def _reduces_nothing(instruction: Instruction) -> bool:
    """Whether every sum, or maximum, is of one number."""
    given, output = instruction.inputs[0], instruction.output
    return given.size == output.size and given.dtype == output.dtype


def _is_plain_loss(instruction: Instruction) -> bool:
    """Whether every label counts alike; one out of range, such as −100, ends the program."""
    a = instruction.attributes
    classes = a["shape"][1] if "shape" in a else instruction.inputs[0].shape[1]
    ignores = 0 <= a["ignore_index"] < classes
    return a["weight"] is None and a["reduction"] != "none" and not ignores


def _takes_one_of_each_row(instruction: Instruction) -> bool:
    """Whether the key is (0, 1, 2, …), labels, for a matrix."""
    key, shape = instruction.attributes["key"], instruction.attributes.get("shape")
    shape = instruction.inputs[0].shape if shape is None else shape
    if len(key) != 2 or len(shape) != 2 or not all(isinstance(part, Value) for part in key):
        return False
    first = key[0]
    return (
        isinstance(first, Constant)
        and first.array.ndim == 1
        and key[1].dtype == np.int64
        and np.array_equal(first.array, np.arange(shape[0]))
    )


_RULES: dict[str, tuple[Callable[[Instruction], bool], Callable[..., Value]]] = {
    "log_softmax": (_is_matrix, _log_softmax),
    "log_softmax_backward": (_is_matrix, _log_softmax_backward),
    "softmax": (_is_matrix, _softmax),
    "nll_loss": (_is_plain_loss, _nll_loss),
    "nll_loss_backward": (_is_plain_loss, _nll_loss_backward),
    "add_bias": (lambda _: True, _add_bias),
    "sum": (_reduces_nothing, _of_one),
    "amax": (_reduces_nothing, _of_one),
    "amin": (_reduces_nothing, _of_one),
    "linear": (lambda i: len(i.inputs[0].shape) == 2, _linear),
    "mean": (lambda _: True, _mean),
    "index": (_takes_one_of_each_row, _index),
    "index_backward": (_takes_one_of_each_row, _index_backward),
}


def lower(program: Program) -> Program:
    """The program with every composite that has a rule written out."""
    instructions: list[Instruction] = []
    substitutes: dict[Value, Value] = {}
    for instruction in program.instructions:
        applies, rule = _RULES.get(instruction.op, (None, None))
        if applies is None or rule is None or not applies(instruction):
            instructions.append(instruction)
            continue
        now = Lowering(instruction)
        substitutes[instruction.output] = rule(now, *instruction.inputs)
        instructions += now.instructions
    return program.with_instructions(instructions).replaced(substitutes)
