"""The source of a loop over the rows of a program's values."""

from __future__ import annotations

from tinygrad_mnist.compiler.choices import is_large
from tinygrad_mnist.compiler.passes.fusion import REDUCTIONS, Loop, stages_of
from tinygrad_mnist.compiler.program import IGNORES, Instruction, Shape, Value

from .sharing import marked
from .writer import Writer, array_for, beginning, expression, layout, read_one, summed, type_of

_WORK = 8
"""An instruction takes as long as so many multiplications of a product, for each number."""
_MOST = {"amax": (">", "max"), "amin": ("<", "min")}


def _extreme(i: Instruction, known: str, given: str) -> str:
    """The larger or the smaller of two numbers; for whoever asks for it, NaN is both."""
    sign, function = _MOST[i.op]
    if "nan_is_place" not in i.attributes:
        return f"{function}({known}, {given})"
    return f"{given} if {given} {sign} {known} or {given} != {given} else {known}"


def write_loop(writer: Writer, loop: Loop, position: int) -> None:
    """One loop over the rows; within a row, one pass for each stage."""
    writer.line(f"# {', '.join(dict.fromkeys(i.op for i in loop.instructions))}")
    if loop.rows * loop.columns > 1:
        LoopWriter(writer, loop, position).write()
        return
    if any(i.op == "place" for i in loop.instructions):
        writer.line("j = 0")
    for i in loop.instructions:
        operands = [read_one(writer, v) for v in i.inputs]
        text = operands[0] if i.op in ("amax", "amin") else ""
        if i.op == "pick":
            text = _unless_ignored(i, *operands)
        if i.op == "sum":
            text = f"{type_of(i.output)}(0) + {operands[0]}"
        writer.line(f"{i.output.name} = {text or expression(i, operands)}")


def _unless_ignored(i: Instruction, number: str, label: str) -> str:
    """The number at a label, or 0 for the label that is ignored."""
    if IGNORES not in i.attributes:
        return number
    return f"{number} if {label} != {i.attributes[IGNORES]} else {type_of(i.output)}(0)"


class LoopWriter:
    """Writes one loop: its buffers, its totals, its passes over each row."""

    def __init__(self, writer: Writer, loop: Loop, position: int) -> None:
        self.writer, self.loop = writer, loop
        self.now = 0
        self.stage, self.stages = stages_of(loop)
        self.flat = all(role in ("full", "one") for role in loop.roles.values())
        self.by_rows = loop.rows > 1 or "row" in loop.roles.values()
        later = {
            v
            for step in writer.steps[position + 1 :]
            for i in step.instructions
            for v in i.operands
        }
        self.escaping = {
            i.output
            for i in loop.instructions
            if i.output in later or i.output in writer.program.leaving()
        }
        self.last_use: dict[Value, int] = {}
        for i in loop.instructions:
            reduces = loop.roles[i.output] == "row" and i.op in REDUCTIONS
            at = self.stage[i.output] - int(reduces)
            for v in i.operands:
                self.last_use[v] = max(self.last_use.get(v, 0), at)

    def write(self) -> None:
        """The whole loop."""
        writer, loop = self.writer, self.loop
        self._prepare()
        if self.flat and loop.rows > 1:
            with writer.block(f"for i in {self._range(loop.rows * loop.columns)}"):
                for i in loop.instructions:
                    self._write_element(i, "i")
        else:
            rows = [f"for i in {self._range(loop.rows)}"] if self.by_rows else []
            with writer.block(*rows):
                for stage in range(self.stages):
                    self.now = stage
                    self._write_stage(stage)
        for total in [i.output for i in loop.instructions if i.output in loop.totals]:
            if loop.roles[total] == "one":
                writer.line(f"{total.name} = {type_of(total)}({total.name}_sum)")

    def _range(self, count: int) -> str:
        """How the outermost loop begins; it is shared where its turns are independent, and many."""
        loop = self.loop
        work = _WORK * len(loop.instructions) * (loop.rows * loop.columns // count)
        over_all = {i.output for i in loop.instructions if i.op in REDUCTIONS}
        over_rows = {v for v in over_all if loop.roles[v] == "row" and self.by_rows}
        if over_all != over_rows or not is_large(count * work):
            return f"range({count}):"
        return marked(str(count), work)

    def _prepare(self) -> None:
        writer, loop = self.writer, self.loop
        for i in loop.instructions:
            value, role = i.output, loop.roles[i.output]
            if value in loop.totals:
                if role == "one":
                    zero = "0.0" if value.dtype.kind == "f" else f"{type_of(value)}(0)"
                    writer.line(f"{value.name}_sum = {zero}")
                else:
                    place = array_for(writer, value)
                    flat = place if len(value.shape) == 1 else f"{place}.reshape({loop.columns})"
                    writer.line(f"{value.name}_sum = {flat}")
                    writer.line(f"{value.name}_sum[:] = 0")
            elif value in self.escaping:
                array_for(writer, value)
            elif role == "full" and self.last_use.get(value, 0) > self.stage[value]:
                writer.line(f"{value.name}_row = np.empty({loop.columns}, {type_of(value)})")
        self._flatten_arrays()

    def _flatten_arrays(self) -> None:
        """Views of the arrays that are read or written, in the shape of the loop."""
        writer, loop = self.writer, self.loop
        if self.flat and len(loop.shape) != 1:
            shape: Shape = (loop.rows * loop.columns,)
        elif self.by_rows:
            shape = (loop.rows, loop.columns)
        else:
            shape = (loop.columns,)
        self.views: dict[Value, str] = {}
        flattened: dict[str, str] = {}
        """By one name each: of two LLVM would not know whether they overlap."""
        for value, role in loop.roles.items():
            if value not in writer.buffers or value in loop.totals or role == "one":
                continue
            place = writer.buffers[value]
            if layout(writer, value) != "C":
                writer.line(f"{value.name}_c = np.ascontiguousarray({place})")
                place = f"{value.name}_c"
            want = {
                "full": shape,
                "row": (loop.rows,),
                "column": (loop.columns,),
                "block": (value.size // loop.columns, loop.columns),
            }[role]
            if value.shape != want:
                name = flattened.setdefault(f"{place}.reshape({want})", f"{value.name}_l")
                if name == f"{value.name}_l":
                    writer.line(f"{name} = {place}.reshape({want})")
                place = name
            self.views[value] = place

    def _write_stage(self, stage: int) -> None:
        writer, loop = self.writer, self.loop
        inside: list[Instruction] = []
        for i in loop.instructions:
            role = loop.roles[i.output]
            over_row = i.op in REDUCTIONS and loop.roles[i.inputs[0]] == "full"
            if role == "full" or over_row:
                if self.stage[i.output] - int(role == "row") == stage:
                    inside.append(i)
            elif self.stage[i.output] == stage:
                self._write_row_value(i)
        for i in inside:
            if loop.roles[i.output] == "row":
                start = beginning(i)
                writer.line(f"{i.output.name} = {type_of(i.output)}({start})")
        if inside:
            alone = not self.by_rows and self.stages == 1
            count = self._range(loop.columns) if alone else f"range({loop.columns}):"
            with writer.block(f"for j in {count}"):
                for i in inside:
                    self._write_element(i, "i, j" if self.by_rows else "j")
        for i in inside:
            if loop.roles[i.output] == "row":
                self._store(i.output, "i")

    def _write_row_value(self, i: Instruction) -> None:
        """One number a row, from other such numbers, or picked out of a row."""
        writer, value = self.writer, i.output
        if i.op == "sum":
            total = f"{value.name}_sum" + "[0]" * (self.loop.roles[value] == "column")
            writer.line(summed(value.dtype, total, self._read(i.inputs[0], "i")))
            return
        if i.op == "pick":
            labels = self._read(i.inputs[1], "i")
            text = _unless_ignored(i, self._read_at(i.inputs[0], labels), labels)
        else:
            if i.op == "place":  # in rows of one number
                writer.line("j = 0")
            text = expression(i, [self._read(v, "i") for v in i.inputs])
        writer.line(f"{value.name} = {text}")
        self._store(value, "i")

    def _write_element(self, i: Instruction, index: str) -> None:
        writer, loop, value = self.writer, self.loop, i.output
        role = loop.roles[value]
        if i.op in REDUCTIONS:
            given = self._read(i.inputs[0], index)
            if value in loop.totals:
                target = f"{value.name}_sum" + ("[j]" if role == "column" else "")
                each = role == "column"
                writer.line(f"{target} += {given}" if each else summed(value.dtype, target, given))
            elif i.op == "sum":
                writer.line(summed(value.dtype, value.name, given))
            else:
                writer.line(f"{value.name} = {_extreme(i, value.name, given)}")
            return
        writer.line(f"{value.name} = {expression(i, [self._read(v, index) for v in i.inputs])}")
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
        if role == "one":
            return read_one(self.writer, value)
        if value in self.stage:
            if role == "row" or self.stage[value] == self.now:
                return value.name
            return self._read_at(value, "j")
        if value not in self.views:
            return value.name
        rows = value.size // self.loop.columns
        at = {"full": index, "row": "i", "column": "j", "block": f"i % {rows}, j"}[role]
        return f"{self.views[value]}[{at}]"

    def _read_at(self, value: Value, column: str) -> str:
        """A row's number in a column, from the buffer or the array that holds the row."""
        if value in self.views:
            return f"{self.views[value]}[{'i, ' * self.by_rows}{column}]"
        if value in self.stage:
            return f"{value.name}_row[{column}]"
        return value.name
