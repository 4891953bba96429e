"""Batch last: images are computed as (channels, height · width · batch).

A convolution sums weighted pieces of images that are laid out as its windows see them; the gradient
of its weight reads the same pieces, which are laid out once. Where rows are too short for that, and
in double precision, both are products with columns gathered under the windows. Each value of four
dimensions gets a twin of two; what reads the value itself gets it turned back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.choices import may_be_few
from tinygrad_mnist.compiler.codegen.expressions import EXPRESSIONS
from tinygrad_mnist.compiler.program import Instruction, Number, Program, Shape, Value
from tinygrad_mnist.compiler.sizes import factored

_LANES = 16
"""As many float32 as the largest register holds."""

OF_IMAGES = (
    "conv2d", "conv2d_input", "conv2d_weight", "pick", "place_of_max", "place_of_part_max",
    "put_back", "window_spread", "window_sum",
)  # fmt: skip


def put_batch_last(program: Program) -> Program:
    """The program with convolutions, pooling, and what lies between them, computed batch last."""
    if not any(i.op in OF_IMAGES for i in program.instructions):
        return program
    writer = _Writer(program.instructions[0])
    for instruction in program.instructions:
        writer.current = instruction
        if not writer.write(instruction):
            for value in instruction.operands:
                writer.turn_back(value)
            writer.instructions.append(instruction)
    for value in program.leaving():
        writer.turn_back(value)
    return program.with_instructions(writer.instructions).replaced(writer.substitutes)


class _Writer:
    """The instructions of the new program as they are written."""

    def __init__(self, first: Instruction) -> None:
        self.current = first
        self.instructions: list[Instruction] = []
        self.twins: dict[Value, Value] = {}
        self.substitutes: dict[Value, Value] = {}
        self.only_twins: set[Value] = set()
        self.laid: dict[tuple[Any, ...], Value] = {}
        self._writers: dict[str, Callable[[Instruction], bool]] = {
            "add_bias": self._add_bias,
            "conv2d": self._conv2d,
            "conv2d_input": self._conv2d_input,
            "conv2d_weight": self._conv2d_weight,
            "reshape": self._reshape,
            **dict.fromkeys(("pick", "put_back"), self._pick),
            **dict.fromkeys(("place_of_max", "place_of_part_max"), self._place_of_max),
            **dict.fromkeys(("window_sum", "window_spread"), self._window),
            **dict.fromkeys(("sum", "mean", "amax"), self._reduction),
        }

    def do(self, op: str, inputs: tuple[Value, ...], shape: Shape, **attributes: Any) -> Value:
        """Write one instruction; what it gives has the type of its first input that has one."""
        kind = next(v.dtype for v in inputs if not isinstance(v, Number))
        return self._emit(op, inputs, Value(shape, kind), attributes)

    def _transpose(self, matrix: Value) -> Value:
        return self.do("permute", (matrix,), matrix.shape[::-1], dims=(1, 0))

    def _as_matrix(self, filters: Value) -> Value:
        """Filters as rows."""
        rows = (filters.shape[0], filters.size // filters.shape[0])
        return self.do("reshape", (filters,), rows)

    def _emit(
        self, op: str, inputs: tuple[Value, ...], output: Value, attributes: dict[str, Any]
    ) -> Value:
        self.instructions.append(self.current.instead(op, inputs, attributes, output))
        return output

    def twin(self, value: Value) -> Value:
        """The value batch last."""
        if value not in self.twins:
            self.turn_back(value)
            given, batch = self.substitutes.get(value, value), _sizes(value.shape)[3]
            rows = self.do("reshape", (given,), (batch, value.size // batch))
            self.twins[value] = self.do("reshape", (self._transpose(rows),), _flat(value.shape))
        return self.twins[value]

    def turn_back(self, value: Value) -> None:
        """See that a value which only its twin was computed of is there."""
        if value not in self.only_twins or value in self.substitutes:
            return
        batch = _sizes(value.shape)[3]
        rows = self.do("reshape", (self.twins[value],), (value.size // batch, batch))
        self.substitutes[value] = self.do("reshape", (self._transpose(rows),), value.shape)

    def write(self, i: Instruction) -> bool:
        """Write an instruction batch last, if it can be; whether it was."""
        return self._writers.get(i.op, self._pointwise)(i)

    def _made(self, value: Value, twin: Value) -> bool:
        self.twins[value] = twin
        self.only_twins.add(value)
        return True

    def _columns(self, x: Value, i: Instruction, kernel: Shape, counts: Shape) -> Value:
        shape = (x.shape[1] * math.prod(kernel), math.prod(counts) * x.shape[0])
        windows = _windows(i, x.shape, kernel, counts)
        return self.do("gather_columns", (self.twin(x),), shape, **windows)

    def _laid(self, x: Value, i: Instruction, windows: dict[str, Any]) -> Value:
        """The images laid out: their rows, with as many columns in each phase as windows see."""
        key = (x, *windows.values())
        if key not in self.laid:
            (down, across), (below, beside) = windows["kernel"], windows["counts"]
            stride = i.attributes["stride"]
            rows = (below - 1) * stride[0] + down
            columns = stride[1] * (beside + (across - 1) // stride[1])
            shape = (x.shape[1], factored(rows, columns, x.shape[0]))
            known = x in self.twins
            operation, given = ("lay_out", self.twins[x]) if known else ("lay_out_given", x)
            self.laid[key] = self.do(operation, (given,), shape, **windows)
        return self.laid[key]

    def _conv2d(self, i: Instruction) -> bool:
        x, weight = i.inputs
        if not _is_plain(i):
            return False
        kernel, counts, shape = weight.shape[2:], i.output.shape[2:], _flat(i.output.shape)
        filters = self._as_matrix(weight)
        if _fills_registers(x, counts[1]):
            windows = _windows(i, x.shape, kernel, counts)
            laid = self._laid(x, i, windows)
            return self._made(i.output, self.do("convolve", (laid, filters), shape, **windows))
        columns = self._columns(x, i, kernel, counts)
        return self._made(i.output, self.do("mm", (filters, columns), shape))

    def _conv2d_weight(self, i: Instruction) -> bool:
        grad, x = i.inputs
        if not _is_plain(i):
            return False
        kernel, counts = i.output.shape[2:], grad.shape[2:]
        shape = (grad.shape[1], i.output.size // grad.shape[1])
        if _fills_registers(x, counts[1]):
            windows = _windows(i, x.shape, kernel, counts)
            operands = self.twin(grad), self._laid(x, i, windows)
            product = self.do("convolve_weight", operands, shape, **windows)
        else:
            columns = self._transpose(self._columns(x, i, kernel, counts))
            product = self.do("mm", (self.twin(grad), columns), shape)
        self.substitutes[i.output] = self.do("reshape", (product,), i.output.shape)
        return True

    def _conv2d_input(self, i: Instruction) -> bool:
        grad, weight = i.inputs
        if not _is_plain(i):
            return False
        twin = self.twin(grad)
        filters = self._as_matrix(weight)
        windows = _windows(i, i.output.shape, weight.shape[2:], grad.shape[2:])
        if _fills_registers(grad, i.output.shape[3] // i.attributes["stride"][1]):
            out = self.do("convolve_input", (twin, filters), _flat(i.output.shape), **windows)
        else:
            rows = self._transpose(filters)
            columns = self.do("mm", (rows, twin), (rows.shape[0], twin.shape[1]))
            out = self.do("scatter_columns", (columns,), _flat(i.output.shape), **windows)
        return self._made(i.output, out)

    def _add_bias(self, i: Instruction) -> bool:
        x, bias = i.inputs[:2]
        if x not in self.twins or len(x.shape) != 4 or bias.size != x.shape[1]:
            return False
        column = self.do("reshape", (bias,), (bias.size, 1))
        return self._made(i.output, self.do("add", (self.twins[x], column), _flat(x.shape)))

    def _window(self, i: Instruction) -> bool:
        x, out, a = i.inputs[0], i.output, i.attributes
        windows = {
            "sizes": _sizes((x if i.op == "window_sum" else out).shape),
            "kernel": a["kernel"],
            "stride": a["stride"],
            "start": tuple([before for before, _ in a["borders"]]),
            "counts": a["counts"],
        }
        given, divisor = self.twin(x), a["divisor"]
        if divisor != 1 and i.op == "window_spread":
            given = self._divided(given, divisor)
        made = self.do(i.op, (given,), _flat(out.shape), **windows)
        if divisor != 1 and i.op == "window_sum":
            made = self._divided(made, divisor)
        return self._made(out, made)

    def _divided(self, x: Value, divisor: int) -> Value:
        return self.do("div", (x, Number((), x.dtype, number=divisor)), x.shape)

    def _place_of_max(self, i: Instruction) -> bool:
        x, out, a = i.inputs[0], i.output, i.attributes
        places = Value(_flat(out.shape), out.dtype)
        sizes = {"sizes": _sizes(x.shape)}
        if i.op == "place_of_max":
            sizes |= {name: a[name] for name in ("kernel", "stride")}
            sizes |= {"start": a["padding"], "counts": a["counts"], "dilation": a["dilation"]}
        else:
            sizes["counts"] = a["sizes"]
        return self._made(out, self._emit(i.op, (self.twin(x),), places, sizes))

    def _pick(self, i: Instruction) -> bool:
        """Numbers at places, and back there."""
        operands = tuple([self.twin(value) for value in i.inputs])
        batch = _sizes(i.output.shape)[3]
        name = {"pick": "pick_places", "put_back": "put_places"}[i.op]
        return self._made(i.output, self.do(name, operands, _flat(i.output.shape), batch=batch))

    def _reduction(self, i: Instruction) -> bool:
        """Over all but the channels: along the rows of the twin."""
        x, dims = i.inputs[0], i.attributes["dim"]
        if x not in self.twins or len(x.shape) != 4 or 1 in dims:
            return False
        if any(x.shape[d] > 1 for d in {0, 2, 3} - {*dims}):
            return False
        total = self.do(i.op, (self.twins[x],), (x.shape[1], 1), dim=(1,), keepdim=True)
        self.substitutes[i.output] = self.do("reshape", (total,), i.output.shape)
        return True

    def _reshape(self, i: Instruction) -> bool:
        """Between (batch, channels, 1, 1) and (batch, channels): the twin is the transpose."""
        x, out = i.inputs[0], i.output
        if out.shape == (*x.shape, 1, 1) and len(x.shape) == 2:
            return self._made(out, self._transpose(x))
        if x not in self.only_twins or x.shape != (*out.shape, 1, 1):
            return False
        self.substitutes[out] = self._transpose(self.twins[x])
        return True

    def _operand(self, value: Value, shape: Shape) -> Value:
        if value.size == 1:
            return value
        if value.shape == shape:
            return self.twin(value)
        self.turn_back(value)
        return self.do("reshape", (self.substitutes.get(value, value),), (shape[1], 1))

    def _pointwise(self, i: Instruction) -> bool:
        shape = i.output.shape
        if i.op not in EXPRESSIONS or len(shape) != 4:
            return False
        fitting = [v.size == 1 or v.shape == shape or _is_of_channels(v, shape) for v in i.inputs]
        whole = i.op == "expand" or any(v in self.twins for v in i.inputs)
        if not all(fitting) or not whole:
            return False
        operands = tuple([self._operand(v, shape) for v in i.inputs])
        output = Value(_flat(shape), i.output.dtype)
        self.instructions.append(i.instead(i.op, operands, i.attributes, output))
        return self._made(i.output, output)


def _is_of_channels(value: Value, shape: Shape) -> bool:
    """Whether a value has one number for each channel."""
    channels = shape[1]
    return value.shape in ((1, channels, 1, 1), (channels, 1, 1))


def _sizes(shape: Shape) -> tuple[int, int, int, int]:
    """Channels, height, width and batch of images; without a dimension for it, the batch is 1."""
    batch, channels, height, width = (1, *shape) if len(shape) == 3 else shape
    return channels, height, width, batch


def _flat(shape: Shape) -> Shape:
    """(batch, channels, height, width) batch last."""
    channels, height, width, batch = _sizes(shape)
    return channels, height * width * batch


def _is_plain(i: Instruction) -> bool:
    a = i.attributes
    return bool(a["groups"] == 1 and a["dilation"] == (1, 1))


def _fills_registers(images: Value, columns: int) -> bool:
    """Whether so many columns of a batch of images are what `convolve` and its kin work on."""
    enough = images.shape[0] * columns >= _LANES and not may_be_few()
    return images.dtype == np.float32 and enough


def _windows(i: Instruction, images: Shape, kernel: Shape, counts: Shape) -> dict[str, Any]:
    """What the loops over windows are told."""
    return {
        "sizes": _sizes(images),
        "kernel": tuple(kernel),
        "stride": i.attributes["stride"],
        "start": tuple([before for before, _ in i.attributes["padding"]]),
        "counts": tuple(counts),
    }
