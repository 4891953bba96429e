"""Views moved to where they cost nothing, so that what lies between is computed together.

A transpose or a new shape is free where a product reads or writes it: it counts the steps from row
to row. Elsewhere it is a copy, or keeps operations of other shapes out of one loop.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from tinygrad_mnist.compiler.codegen.expressions import EXPRESSIONS
from tinygrad_mnist.compiler.program import Instruction, Makers, Program, Shape, Value

_VIEWS = ("permute", "reshape", "slice")
_PRODUCTS = ("bmm", "mm")
_REDUCTIONS = ("amax", "amin", "sum")
_KEPT = ("clone", "expand", "full", "reshape", "place", "zeros")
"""Element-wise in the source, yet bound to a shape of their own."""


def move_views(program: Program) -> Program:
    """The program with views moved, and element-wise operations computed on matrices."""
    mover = _Mover(program)
    for instruction in program.instructions:
        mover.write(program.with_instructions([instruction]).replaced(mover.substitutes)
                    .instructions[0])  # fmt: skip
    return program.with_instructions(mover.instructions).replaced(mover.substitutes)


class _Mover:
    """The instructions of the new program as they are written."""

    def __init__(self, program: Program) -> None:
        self.instructions: list[Instruction] = []
        self.substitutes: dict[Value, Value] = {}
        self.makers: Makers = {}
        self.readers: dict[Value, list[str]] = {}
        for i in program.instructions:
            for value in i.operands:
                self.readers.setdefault(value, []).append(i.op)
        for value in program.leaving():
            self.readers.setdefault(value, []).append("")
        self.reads = Counter({value: len(ops) for value, ops in self.readers.items()})

    def write(self, i: Instruction) -> None:
        """Write an instruction, or what takes its place."""
        if i.op == "reshape":
            self._reshape(i)
        elif i.op == "permute":
            self._permute(i)
        elif self._sinks(i):
            self._below_view(i)
        elif not self._as_matrix(i):
            self._emit(i)

    def _emit(self, i: Instruction) -> Value:
        self.instructions.append(i)
        self.makers[i.output] = i
        return i.output

    def _view(self, i: Instruction, op: str, x: Value, shape: Shape, attributes: Any) -> Value:
        return self._emit(i.instead(op, (x,), attributes, Value(shape, x.dtype)))

    def _instead(self, i: Instruction, value: Value) -> None:
        self.substitutes[i.output] = value
        self.reads[value] += self.reads[i.output]
        self.readers.setdefault(value, []).extend(self.readers.get(i.output, []))

    def _reshaped(self, i: Instruction, x: Value, shape: Shape) -> Value:
        """The value in another shape: that which it was made of, where it had that shape."""
        while (maker := self.makers.get(x)) is not None and maker.op == "reshape":
            x = maker.inputs[0]
        return x if x.shape == shape else self._view(i, "reshape", x, shape, {})

    def _reshape(self, i: Instruction) -> None:
        """A new shape of a slice is a slice of a new shape, where the last dimension is split."""
        x, shape = i.inputs[0], i.output.shape
        maker = self.makers.get(x)
        if maker is None or maker.op not in ("reshape", "slice"):
            self._emit(i)
            return
        if maker.op == "reshape":
            self._instead(i, self._reshaped(i, x, shape))
            return
        whole, size = maker.inputs[0], shape[-1]
        last = _last_part(maker)
        split = len(shape) == len(x.shape) + 1 and shape[:-2] == x.shape[:-1]
        if last is None or not split or any(n % size for n in (*last, whole.shape[-1])):
            self._emit(i)
            return
        parts = (*whole.shape[:-1], whole.shape[-1] // size, size)
        key = (*[slice(None)] * (len(parts) - 2), slice(last[0] // size, last[1] // size), ...)
        self._instead(
            i, self._view(i, "slice", self._reshaped(i, whole, parts), shape, {"key": key})
        )

    def _permute(self, i: Instruction) -> None:
        x, dims = i.inputs[0], i.attributes["dims"]
        maker = self.makers.get(x)
        if maker is not None and maker.op == "permute":
            x, dims = maker.inputs[0], tuple([maker.attributes["dims"][d] for d in dims])
        above = self._above(i, x, dims)
        if above is not None:
            self._instead(i, above)
        elif x is i.inputs[0]:
            self._emit(i)
        else:
            self._instead(i, self._view(i, "permute", x, i.output.shape, {"dims": dims}))

    def _above(self, i: Instruction, x: Value, dims: tuple[int, ...]) -> Value | None:
        """The transpose of a value which products wrote, who write it transposed instead."""
        maker = self.makers.get(x)
        if maker is None or self.reads[x] != 1:
            return None
        output = Value(tuple([x.shape[d] for d in dims]), x.dtype)
        if maker.op == "bmm":
            before = maker.attributes.get("dims", tuple(range(len(dims))))
            dims = tuple([before[d] for d in dims])
            if dims[-1] < len(dims) - 2:
                return None
            return self._emit(maker.instead("bmm", maker.inputs, {"dims": dims}, output))
        given = _array_of(maker)
        found = None if given is None else self._above(i, given, dims)
        if given is None or found is None:
            return None
        inputs = tuple([found if v is given else v for v in maker.inputs])
        return self._emit(maker.instead(maker.op, inputs, maker.attributes, output))

    def _sinks(self, i: Instruction) -> bool:
        """Whether an operation is of a view, and its result read by views and products alone."""
        given = _array_of(i)
        if given is None or given not in self.makers or i.op in _VIEWS:
            return False
        view = self.makers[given]
        if view.op not in ("permute", "reshape") or given.dtype != i.output.dtype:
            return False
        readers = self.readers.get(i.output, [])
        return len(given.shape) > 2 and all(op in (*_VIEWS, *_PRODUCTS) for op in readers)

    def _below_view(self, i: Instruction) -> None:
        """view → operation as operation → view, as long as a view lies before it."""
        given = _array_of(i)
        views = []
        x = given
        while x in self.makers and self.makers[x].op in ("permute", "reshape"):
            views.append(self.makers[x])
            x = views[-1].inputs[0]
        assert x is not None
        inputs = tuple([x if v is given else v for v in i.inputs])
        found = self._emit(i.instead(i.op, inputs, i.attributes, Value(x.shape, i.output.dtype)))
        for view in reversed(views):
            found = self._view(i, view.op, found, view.output.shape, view.attributes)
        self._instead(i, found)

    def _as_matrix(self, i: Instruction) -> bool:
        """Compute on rows and columns what is computed on values that came of matrices."""
        reduces = i.op in _REDUCTIONS
        whole = i.inputs[0].shape if reduces and i.inputs else i.output.shape
        if len(whole) < 3 or i.op in _KEPT or not (reduces or i.op in EXPRESSIONS):
            return False
        flat = (math.prod(whole[:-1]), whole[-1])
        sources = [self._source(v) for v in i.inputs if v.shape == whole]
        if not any(x is not None and x.shape == flat for x in sources) or flat[0] == 1:
            return False
        last, attributes = len(whole) - 1, i.attributes
        shape: Shape = flat
        if reduces:
            over = {(last,): (1,), tuple(range(last)): (0,)}.get(attributes["dim"])
            if over is None or (over == (0,) and i.op != "sum") or whole[-1] == 1:
                return False
            attributes = {**attributes, "dim": over, "keepdim": over == (1,)}
            shape = (flat[0], 1) if over == (1,) else flat[1:]
        operands = []
        for v in i.inputs:
            wanted = _shape_in(v, whole, flat)
            if wanted is None:
                return False
            operands.append((v, wanted))
        inputs = tuple([v if w == v.shape else self._reshaped(i, v, w) for v, w in operands])
        made = self._emit(i.instead(i.op, inputs, attributes, Value(shape, i.output.dtype)))
        if shape == i.output.shape:
            self._instead(i, made)
        else:
            self._instead(i, self._view(i, "reshape", made, i.output.shape, {}))
        return True

    def _source(self, value: Value) -> Value | None:
        maker = self.makers.get(value)
        return maker.inputs[0] if maker is not None and maker.op == "reshape" else None


def _shape_in(value: Value, whole: Shape, flat: Shape) -> Shape | None:
    """The shape of an operand where that of the result is `flat`; None if there is none."""
    shape = value.shape
    if value.size == 1:
        return () if len(shape) > 2 else shape
    if shape == whole:
        return flat
    if shape == (*whole[:-1], 1):
        return flat[0], 1
    if math.prod(shape[:-1]) == 1 and shape[-1] == whole[-1]:
        return shape[-1:]
    return None


def _last_part(i: Instruction) -> tuple[int, int] | None:
    """From where to where a slice takes the last dimension, if it takes all of the others."""
    key, dims = i.attributes["key"], len(i.inputs[0].shape)
    key = tuple([part for part in key if part is not Ellipsis])
    if len(key) != dims or any(part != slice(None) for part in key[:-1]):
        return None
    part = key[-1]
    if not isinstance(part, slice) or part.step not in (None, 1):
        return None
    begin, end, _ = part.indices(i.inputs[0].shape[-1])
    return begin, end


def _array_of(i: Instruction) -> Value | None:
    """The one array of which, and of numbers, an element-wise operation is computed."""
    if i.op not in EXPRESSIONS or i.op in _KEPT:
        return None
    arrays = [v for v in i.inputs if v.size != 1]
    numbers = all(not v.shape for v in i.inputs if v.size == 1)
    one = numbers and len(arrays) == 1 and arrays[0].shape == i.output.shape
    return arrays[0] if one else None
