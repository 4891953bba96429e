"""The Numba source of a program: one function, its loops written out, to be read and compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .choice import best
from .expressions import EXPRESSIONS
from .passes.fusion import Call, Loop, Step, is_uniform
from .program import Constant, Draw, Input, Instruction, Number, Program, Shape, Value

_MOST = {"amax": "max", "amin": "min"}


class Unsupported(Exception):
    """An operation that the source cannot spell; the message names it."""


@dataclass
class Source:
    """The text, and what its function takes, in order."""

    text: str
    others: list[Constant | Draw]
    """Constants and draws: arrays to read, after the inputs."""
    numbers: list[Value]
    temporaries: int
    """How many arrays the function allocates for itself."""
    temporary_bytes: int


@dataclass
class Writer:
    """Lines of source as they are written, and where each value is to be found."""

    program: Program
    steps: list[Step]
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    places: dict[Value, str] = field(default_factory=dict)
    """The name of the array that holds a value."""
    numbers: list[Value] = field(default_factory=list)
    checked: set[tuple[Value, int]] = field(default_factory=set)
    temporaries: list[Value] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Write one line."""
        self.lines.append("    " * self.depth + text if text else "")


def generate(program: Program, steps: list[Step]) -> Source:
    """The source of a program whose instructions are gathered in `steps`."""
    program.named()
    writer = Writer(program, steps)
    others: list[Constant | Draw] = []
    for value in (*program.read(Constant), *program.read(Draw)):
        if is_uniform(value) or (value.size == 1 and isinstance(value, Constant)):
            writer.numbers.append(value)
        else:
            others.append(value)
    writer.numbers += program.read(Number)
    arrays = [*program.inputs, *others]
    for value in arrays:
        writer.places[value] = value.name
    _place_outputs(writer)
    outs = [f"out{n}" for n in range(len(program.results))]
    _write_checks(writer)
    for number, value in enumerate(writer.numbers):
        writer.line(f"{value.name} = {_type(value)}(numbers[{number}])")
    for position, step in enumerate(steps):
        if isinstance(step, Call):
            _write_call(writer, step.instruction)
        else:
            _write_loop(writer, step, position)
    _write_leaving(writer)
    writer.line("return -1")
    names = [value.name for value in arrays] + ["numbers", *outs]
    head = f"def step({', '.join(names)}):"
    text = "\n".join([head, *writer.lines])
    sizes = [value.size * value.dtype.itemsize for value in writer.temporaries]
    return Source(text, others, writer.numbers, len(sizes), sum(sizes))


def _type(value: Value) -> str:
    return "np.bool_" if value.dtype.kind == "b" else f"np.{value.dtype.name}"


def _place_outputs(writer: Writer) -> None:
    """Decide which computed values live in arrays from outside: results, and what is written."""
    for n, value in enumerate(writer.program.results):
        if value.size != 1 and value not in writer.places and _computed(writer, value):
            writer.places[value] = f"out{n}"
    for target, value in writer.program.writes:
        if value in writer.places or not _computed(writer, value):
            continue
        if _may_overwrite(writer, target, value):
            writer.places[value] = target.name


def _computed(writer: Writer, value: Value) -> bool:
    """Whether a step computes it into an array of its own, rather than as a view of another."""
    for step in writer.steps:
        if isinstance(step, Loop) and any(i.output is value for i in step.instructions):
            return True
        if isinstance(step, Call) and step.instruction.output is value:
            return step.instruction.op not in _VIEWS
    return False


def _may_overwrite(writer: Writer, target: Input, value: Value) -> bool:
    """Whether `value` may be computed straight into `target`: nobody reads what was there later."""
    reached = False
    for step in writer.steps:
        inside = step.instructions if isinstance(step, Loop) else [step.instruction]
        reads = [i for i in inside if any(_reaches(writer, v, target) for v in i.operands)]
        if reached and reads:
            return False
        if any(i.output is value for i in inside):
            reached = True
            if reads and isinstance(step, Call):
                return False
            if isinstance(step, Loop) and reads and step.roles.get(target) != "full":
                return False
            if isinstance(step, Loop) and step.roles[value] != "full" and reads:
                return False
            if isinstance(step, Loop) and reads and _stages(step)[1] > 1:
                return False
    return all(v is not target for v in writer.program.results) and all(
        v is not target for t, v in writer.program.writes
    )


def _reaches(writer: Writer, value: Value, target: Input) -> bool:
    """Whether reading `value` reads the memory of `target`: it is that, or a view of it."""
    if value is target:
        return True
    for step in writer.steps:
        if isinstance(step, Call) and step.instruction.output is value:
            i = step.instruction
            return i.op in _VIEWS and _reaches(writer, i.inputs[0], target)
    return False


def _write_checks(writer: Writer) -> None:
    """Labels out of range end the program before it has changed anything."""
    for step in writer.steps:
        for i in step.instructions if isinstance(step, Loop) else []:
            if i.op in ("pick", "place"):
                labels = i.inputs[1]
                columns = (i.inputs[0] if i.op == "pick" else i.output).shape[-1]
                if (labels, columns) in writer.checked:
                    continue
                writer.checked.add((labels, columns))
                writer.line(f"for i in range({labels.size}):")
                writer.line(f"    if {labels.name}[i] < 0 or {labels.name}[i] >= {columns}:")
                writer.line("        return i")


_IMAGE_LOOPS = ("gather_columns", "scatter_columns", "window_sum", "window_spread")
_WINDOWS = ("sizes", "kernel", "stride", "start", "counts")
_VIEWS = ("reshape", "permute", "slice")


def _write_call(writer: Writer, i: Instruction) -> None:
    out = i.output
    for value in i.inputs:
        if value in writer.numbers and value.shape:
            place = _array_for(writer, value)
            writer.line(f"{place}[...] = {value.name}")
    if i.op in _VIEWS and i.inputs[0] in writer.places:
        given = writer.places[i.inputs[0]]
        if i.op == "permute":
            dims = i.attributes["dims"]
            text = f"{given}.T" if dims == (1, 0) else f"np.transpose({given}, {dims})"
        elif i.op == "slice":
            text = f"{given}[{_key(i.attributes['key'])}]"
        elif _is_scattered(writer, i.inputs[0]):
            text = f"np.ascontiguousarray({given}).reshape({out.shape})"
        else:
            text = f"{given}.reshape({out.shape})"
        writer.line(f"{out.name} = {text}")
        writer.places[out] = out.name
        return
    if i.op in _IMAGE_LOOPS and i.inputs[0] in writer.places:
        windows = ", ".join(str(i.attributes[name]) for name in _WINDOWS)
        given = writer.places[i.inputs[0]]
        writer.line(f"images.{i.op}({given}, {_array_for(writer, out)}, {windows})")
        return
    if i.op != "mm" or any(v not in writer.places for v in i.inputs):
        raise Unsupported(i.op)
    place = _array_for(writer, out)
    a, b = (_operand(writer, v) for v in i.inputs)
    writer.line(f"products.{_product(writer, i)}({a}, {b}, {place})")


def _operand(writer: Writer, value: Value) -> str:
    """An operand of a product: rows or columns that lie one after the other."""
    place = writer.places[value]
    if _is_scattered(writer, value) and not _is_turned(writer, value):
        return f"np.ascontiguousarray({place})"
    return place


def _key(key: tuple[Any, ...]) -> str:
    """What stands between the brackets; the … that ends a region may be left out."""
    parts = [part for part in key if part is not Ellipsis]
    return ", ".join(_part(part) for part in parts) or ":"


def _part(part: Any) -> str:
    if not isinstance(part, slice):
        return str(part)
    start, stop = ("" if n is None else str(n) for n in (part.start, part.stop))
    return f"{start}:{stop}" if part.step is None else f"{start}:{stop}:{part.step}"


def _is_scattered(writer: Writer, value: Value) -> bool:
    """Whether a value's numbers do not lie one after the other."""
    for step in writer.steps:
        if isinstance(step, Call) and step.instruction.output is value:
            return step.instruction.op in ("permute", "slice")
    return False


def _product(writer: Writer, i: Instruction) -> str:
    a, b = i.inputs
    a_turned, b_turned = _is_turned(writer, a), _is_turned(writer, b)
    return best(a_turned, b_turned, a.shape[0], a.shape[1], b.shape[1], i.output.dtype)


def _is_turned(writer: Writer, value: Value) -> bool:
    for step in writer.steps:
        if isinstance(step, Call) and step.instruction.output is value:
            return step.instruction.op == "permute"
    return False


def _array_for(writer: Writer, value: Value) -> str:
    if value not in writer.places:
        writer.places[value] = f"{value.name}_all"
        writer.temporaries.append(value)
        writer.line(f"{value.name}_all = np.empty({value.shape}, {_type(value)})")
    return writer.places[value]


def _stages(loop: Loop) -> tuple[dict[Value, int], int]:
    """In which pass over a row each value is computed, and how many passes there are.

    A row's sum is known when the pass that sums is over.
    """
    stage: dict[Value, int] = {}
    for i in loop.instructions:
        here = max([stage.get(v, 0) for v in i.operands], default=0)
        reduces = i.op in ("sum", "amax", "amin") and loop.roles[i.output] == "row"
        stage[i.output] = here + 1 if reduces else here
        if i.op == "pick":
            stage[i.output] = here + 1
    return stage, max(stage.values(), default=0) + 1


def _write_loop(writer: Writer, loop: Loop, position: int) -> None:
    """One loop over the rows; within a row, one pass for each stage."""
    writer.line(f"# {', '.join(dict.fromkeys(i.op for i in loop.instructions))}")
    if loop.rows * loop.columns == 1 and not loop.totals:
        _write_scalars(writer, loop)
        return
    LoopWriter(writer, loop, position).write()


def _write_scalars(writer: Writer, loop: Loop) -> None:
    for i in loop.instructions:
        operands = [_scalar(writer, v) for v in i.inputs]
        writer.line(f"{i.output.name} = {_expression(i, operands)}")


def _scalar(writer: Writer, value: Value) -> str:
    """How a value of one element is read."""
    place = writer.places.get(value)
    if place is None:
        return value.name
    return f"{place}[{', '.join('0' * len(value.shape)) or '()'}]"


def _expression(i: Instruction, operands: list[str]) -> str:
    if i.op not in EXPRESSIONS:
        raise Unsupported(i.op)
    kind = _type(i.output)
    return EXPRESSIONS[i.op].format(*operands, type=kind, zero=f"{kind}(0)", one=f"{kind}(1)")


class LoopWriter:
    """Writes one loop: its buffers, its totals, its passes over each row."""

    def __init__(self, writer: Writer, loop: Loop, position: int) -> None:
        self.writer, self.loop = writer, loop
        self.now = 0
        self.stage, self.stages = _stages(loop)
        self.flat = all(role in ("full", "one") for role in loop.roles.values())
        later = {
            v
            for step in writer.steps[position + 1 :]
            for i in (step.instructions if isinstance(step, Loop) else [step.instruction])
            for v in i.operands
        }
        self.escaping = {
            i.output
            for i in loop.instructions
            if i.output in later or i.output in writer.program.leaving()
        }
        self.last_use: dict[Value, int] = {}
        for i in loop.instructions:
            reduces = loop.roles[i.output] == "row" and i.op in ("sum", "amax", "amin")
            at = self.stage[i.output] - int(reduces)
            for v in i.operands:
                self.last_use[v] = max(self.last_use.get(v, 0), at)

    def write(self) -> None:
        """The whole loop."""
        writer, loop = self.writer, self.loop
        self._prepare()
        if self.flat and loop.rows > 1:
            self._write_flat()
        else:
            if loop.rows > 1:
                writer.line(f"for i in range({loop.rows}):")
                writer.depth += 1
            for stage in range(self.stages):
                self.now = stage
                self._write_stage(stage)
            if loop.rows > 1:
                writer.depth -= 1
        for total in loop.totals:
            if loop.roles[total] == "one":
                writer.line(f"{total.name} = {_type(total)}({total.name}_sum)")

    def _prepare(self) -> None:
        writer, loop = self.writer, self.loop
        for i in loop.instructions:
            value, role = i.output, loop.roles[i.output]
            if value in loop.totals:
                if role == "one":
                    writer.line(f"{value.name}_sum = 0.0")
                else:
                    place = _array_for(writer, value)
                    flat = place if len(value.shape) == 1 else f"{place}.reshape({loop.columns})"
                    writer.line(f"{value.name}_sum = {flat}")
                    writer.line(f"{value.name}_sum[:] = 0")
            elif value in self.escaping:
                _array_for(writer, value)
            elif role == "full" and self.last_use.get(value, 0) > self.stage[value]:
                writer.line(f"{value.name}_row = np.empty({loop.columns}, {_type(value)})")
        self._flatten_arrays()

    def _flatten_arrays(self) -> None:
        """Views of the arrays that are read or written, in the shape of the loop."""
        writer, loop = self.writer, self.loop
        if self.flat and len(loop.shape) != 1:
            shape: Shape = (loop.rows * loop.columns,)
        elif loop.rows > 1:
            shape = (loop.rows, loop.columns)
        else:
            shape = (loop.columns,)
        self.views: dict[Value, str] = {}
        for value, role in loop.roles.items():
            if value not in writer.places or value in loop.totals or role == "one":
                continue
            if _is_scattered(writer, value):
                writer.line(f"{value.name}_c = np.ascontiguousarray({writer.places[value]})")
                place = f"{value.name}_c"
            else:
                place = writer.places[value]
            want = {"full": shape, "row": (loop.rows,), "column": (loop.columns,)}[role]
            if value.shape != want:
                writer.line(f"{value.name}_l = {place}.reshape({want})")
                place = f"{value.name}_l"
            self.views[value] = place

    def _write_flat(self) -> None:
        writer, loop = self.writer, self.loop
        writer.line(f"for i in range({loop.rows * loop.columns}):")
        writer.depth += 1
        for i in loop.instructions:
            self._write_element(i, "i")
        writer.depth -= 1

    def _write_stage(self, stage: int) -> None:
        writer, loop = self.writer, self.loop
        inside: list[Instruction] = []
        for i in loop.instructions:
            role = loop.roles[i.output]
            over_row = i.op in ("sum", "amax", "amin") and loop.roles[i.inputs[0]] == "full"
            if role == "full" or over_row:
                if self.stage[i.output] - int(role == "row") == stage:
                    inside.append(i)
            elif self.stage[i.output] == stage:
                self._write_row_value(i)
        for i in inside:
            if loop.roles[i.output] == "row":
                start = {"sum": "0", "amax": "-np.inf", "amin": "np.inf"}[i.op]
                writer.line(f"{i.output.name} = {_type(i.output)}({start})")
        if inside:
            writer.line(f"for j in range({loop.columns}):")
            writer.depth += 1
            index = "i, j" if loop.rows > 1 else "j"
            for i in inside:
                self._write_element(i, index)
            writer.depth -= 1
        for i in inside:
            if loop.roles[i.output] == "row":
                self._store(i.output, "i")

    def _write_row_value(self, i: Instruction) -> None:
        """One number a row, from other such numbers, or picked out of a row."""
        writer, value = self.writer, i.output
        if i.op == "sum":
            writer.line(f"{value.name}_sum += {self._read(i.inputs[0], 'i')}")
            return
        if i.op == "pick":
            labels = self._read(i.inputs[1], "i")
            text = self._read_at(i.inputs[0], labels)
        else:
            text = _expression(i, [self._read(v, "i") for v in i.inputs])
        writer.line(f"{value.name} = {text}")
        self._store(value, "i")

    def _write_element(self, i: Instruction, index: str) -> None:
        writer, loop, value = self.writer, self.loop, i.output
        role = loop.roles[value]
        if i.op in ("sum", "amax", "amin"):
            given = self._read(i.inputs[0], index)
            if value in loop.totals:
                target = f"{value.name}_sum" + ("[j]" if role == "column" else "")
                writer.line(f"{target} += {given}")
            elif i.op == "sum":
                writer.line(f"{value.name} += {given}")
            else:
                writer.line(f"{value.name} = {_MOST[i.op]}({value.name}, {given})")
            return
        writer.line(f"{value.name} = {_expression(i, [self._read(v, index) for v in i.inputs])}")
        self._store(value, index)

    def _store(self, value: Value, index: str) -> None:
        if value in self.escaping:
            at = "i" if self.loop.roles[value] == "row" else index
            self.writer.line(f"{self.views[value]}[{at}] = {value.name}")
        elif self.last_use.get(value, 0) > self.stage[value] and self.loop.roles[value] == "full":
            self.writer.line(f"{value.name}_row[j] = {value.name}")

    def _read(self, value: Value, index: str) -> str:
        """How an operand is read in the pass at hand."""
        role = self.loop.roles[value]
        here = {i.output for i in self.loop.instructions}
        if role == "one":
            return _scalar(self.writer, value)
        if value in here:
            if role == "row" or self.stage[value] == self.now:
                return value.name
            return self._read_at(value, "j")
        if value not in self.views:
            return value.name
        at = {"full": index, "row": "i", "column": "j"}[role]
        return f"{self.views[value]}[{at}]"

    def _read_at(self, value: Value, column: str) -> str:
        """A row's number in a column, from the buffer or the array that holds the row."""
        if value in self.views:
            return (
                f"{self.views[value]}[i, {column}]"
                if self.loop.rows > 1
                else (f"{self.views[value]}[{column}]")
            )
        return f"{value.name}_row[{column}]"


def _write_leaving(writer: Writer) -> None:
    """Copy out what leaves and does not lie there yet."""
    for n, value in enumerate(writer.program.results):
        place = writer.places.get(value)
        if place != f"out{n}":
            writer.line(f"out{n}[...] = {place or value.name}")
    for target, value in writer.program.writes:
        if writer.places.get(value) != target.name:
            writer.line(f"{target.name}[...] = {writer.places.get(value, value.name)}")


def literal(value: Value) -> Any:
    """The number to hand over for a number or a uniform constant."""
    if isinstance(value, Constant):
        return value.array.flat[0].item()
    assert isinstance(value, Number)
    return value.number


NUMBERS = np.float64
