"""Fusion: element-wise operations and those along rows become loop nests that pass memory once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tinygrad_mnist.compiler.choices import Product
from tinygrad_mnist.compiler.codegen.expressions import DIVISIONS, EXPRESSIONS
from tinygrad_mnist.compiler.program import (
    Constant,
    Input,
    Instruction,
    Makers,
    Number,
    Program,
    Shape,
    Value,
    transposed,
)

Role = Literal["full", "row", "column", "one", "block"]
"""What a value is to a loop over rows and columns: one number a place, a row, a column, or one; or
a block of rows, which are read again and again."""

_SHORT = 16
"""Rows of fewer numbers do not fill a large register; symbols are never so small."""
_FUNCTIONS = ("erf", "exp", "expm1", "sigmoid", "tanh")
"""What takes long for a number, and is computed for several at once."""

REDUCTIONS = ("sum", "amax", "amin")
"""What loops reduce rows by."""

CHECKED = {"binary_cross_entropy": 0, "pick": 1, "place": 1, **dict.fromkeys(DIVISIONS, 1)}
"""Which input of an operation must be looked at first: numbers out of range end the program."""


def divides_whole_numbers(instruction: Instruction) -> bool:
    """Whether an instruction divides by whole numbers, none of which may be 0."""
    return instruction.op in DIVISIONS and instruction.output.dtype.kind in "iu"


@dataclass(eq=False)
class Loop:
    """Instructions computed together, row by row, over `shape`: rows × its last dimension."""

    shape: Shape
    instructions: list[Instruction] = field(default_factory=list)
    roles: dict[Value, Role] = field(default_factory=dict)
    totals: set[Value] = field(default_factory=set)
    """What is summed over the rows, and so is known only after the loop."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return math.prod(self.shape[:-1])

    @property
    def columns(self) -> int:
        """How long a row is."""
        return self.shape[-1] if self.shape else 1

    def role_as_operand(self, value: Value, of: Shape, by_rows: bool = False) -> Role | None:
        """What an operand of an instruction with the output shape `of` is here; None: it cannot.

        Without its last dimension a shape is aligned with the others' last ones, so that it stands
        for rows only where the output has no more dimensions, or the instruction goes `by_rows`.
        """
        if value in self.totals:
            return None
        stretched = of == self.shape and value.shape == self.shape[:-1] and not by_rows
        if value in self.roles and self.roles[value] != "full":
            known = self.roles[value]
            elsewhere = known == "block" and (of != self.shape or by_rows)
            return (
                None if elsewhere or (known == "row" and stretched and value.size != 1) else known
            )
        if value.size == 1 or isinstance(value, Number):
            return "one"
        if value.shape == self.shape:
            return "full"
        by_columns = of == self.shape and not by_rows
        if by_columns and value.shape[-1:] == self.shape[-1:] and value.size == self.columns:
            return "column"
        if of == self.shape and not by_rows and _is_block_of(value.shape, self.shape):
            return "block"
        return "row" if value.shape in self._row_shapes and not stretched else None

    @property
    def _row_shapes(self) -> tuple[Shape, Shape]:
        return (*self.shape[:-1], 1), self.shape[:-1]

    @property
    def _is_one_row(self) -> bool:
        """Whether the shape has rows, and one of them: a batch of one."""
        return len(self.shape) > 1 and self.rows == 1 and self.columns > 1

    def admit(self, instruction: Instruction) -> bool:
        """Take the instruction in if it can be computed here; whether it was."""
        output = instruction.output
        role = self._role_of(instruction)
        if role is None:
            return False
        operands = {}
        for value in instruction.operands:
            found = self.role_as_operand(value, output.shape, instruction.op in ("pick", "place"))
            if found is None:
                return False
            operands[value] = found
        if (
            role == "row"
            and instruction.op not in (*REDUCTIONS, "pick")
            and not _ROWS.issuperset(operands.values())
        ):
            return False  # as many rows as columns, or one column: a row's number is not a column's
        self.roles.update(operands)
        self.instructions.append(instruction)
        if instruction.op == "sum" and role in ("column", "one"):
            self.totals.add(output)
        self.roles[output] = role
        return True

    def _role_of(self, instruction: Instruction) -> Role | None:
        output, op = instruction.output, instruction.op
        checked = op in CHECKED and (op not in DIVISIONS or divides_whole_numbers(instruction))
        if checked and self._computes(instruction.inputs[CHECKED[op]]):
            return None  # it is checked before a loop that reads it
        if op in REDUCTIONS:
            return self._role_of_reduction(instruction)
        if op == "pick":
            return "row" if instruction.inputs[0].shape == self.shape else None
        if output.shape == self.shape and output.size != 1:
            return "full"
        if output.size == 1 and all(v.size == 1 for v in instruction.operands):
            if self.rows * self.columns == 1:
                return "one"
            return "row" if self._is_one_row and output.shape in self._row_shapes else None
        if output.shape in self._row_shapes and op != "place":
            return "row"
        return None

    def _computes(self, value: Value) -> bool:
        return any(i.output is value for i in self.instructions)

    def _role_of_reduction(self, instruction: Instruction) -> Role | None:
        given, dims = instruction.inputs[0], instruction.attributes["dim"]
        last = len(self.shape) - 1
        if given.shape == self.shape and dims == (last,) and (self.rows > 1 or self._is_one_row):
            return "row"
        if instruction.op != "sum":
            return None
        if given.shape == self.shape and dims == tuple(range(last)) and last > 0:
            return "column"
        everything = dims == tuple(range(len(given.shape)))
        is_here = self.role_as_operand(given, given.shape) in ("full", "row")
        return "one" if everything and is_here else None


@dataclass(eq=False)
class Call:
    """One instruction that is not part of a loop."""

    instruction: Instruction

    @property
    def instructions(self) -> list[Instruction]:
        """It alone."""
        return [self.instruction]


def _is_block_of(shape: Shape, whole: Shape) -> bool:
    """Whether a shape is that of the last dimensions of another, of several rows."""
    while shape[:1] == (1,):
        shape = shape[1:]
    return 1 < len(shape) < len(whole) and whole[-len(shape) :] == shape and shape[-1] > 1


Step = Loop | Call
_ROWS: frozenset[Role] = frozenset(("row", "one"))


def _can_loop(instruction: Instruction) -> bool:
    if instruction.op == "reshape":
        given, made = instruction.inputs[0].shape, instruction.output.shape
        return [n for n in given if n != 1] == [n for n in made if n != 1] and len(given) < 3
    return instruction.op in EXPRESSIONS or instruction.op in (*REDUCTIONS, "pick", "place")


def fuse(program: Program) -> list[Step]:
    """The program as calls and loops, each loop as large as the order of things allows.

    What cannot be part of a loop goes first where it can, so that what is left is ready together.
    """
    waiting = list(program.instructions)
    made_here = {i.output for i in waiting}
    done: set[Value] = set()
    steps: list[Step] = []

    def ready(instruction: Instruction, also: set[Value]) -> bool:
        return all(v not in made_here or v in done or v in also for v in instruction.operands)

    while waiting:
        calls = [i for i in waiting if not _can_loop(i) and ready(i, set())]
        if calls:
            steps.append(Call(calls[0]))
            taken = {calls[0].output}
        else:
            loop = _grow(waiting, ready)
            apart = _apart(loop) if loop.instructions else []
            steps += [each for part in apart for each in _with_functions_alone(part)]
            steps += [] if apart else [Call(waiting[0])]
            taken = {i.output for i in loop.instructions} or {waiting[0].output}
        done |= taken
        waiting = [i for i in waiting if i.output not in taken]
    return steps


def _grow(waiting: list[Instruction], ready: Callable[[Instruction, set[Value]], bool]) -> Loop:
    """A loop over the shape of the first instruction that is ready, with all that fits into it."""
    first = next(i for i in waiting if _can_loop(i) and ready(i, set()))
    reduces = first.op in (*REDUCTIONS, "pick")
    loop = Loop(first.inputs[0].shape if reduces else first.output.shape)
    inside: set[Value] = set()
    refused: set[Value] = set()
    for instruction in waiting:
        fits = _can_loop(instruction) and ready(instruction, inside - loop.totals)
        if fits and refused.isdisjoint(instruction.operands) and loop.admit(instruction):
            inside.add(instruction.output)
        else:
            refused.add(instruction.output)
    return loop


def _apart(loop: Loop) -> list[Loop]:
    """A loop as several, where some of its instructions have no array in common with the others.

    They gain nothing together, and LLVM does not work on several numbers at once where a loop goes
    over many arrays. The updates of parameters of one size are such, and alike, too.
    """
    if loop.rows * loop.columns == 1:
        return [loop]
    groups: list[tuple[set[Value], list[int]]] = []
    for n, i in enumerate(loop.instructions):
        values = {v for v in (*i.operands, i.output) if loop.roles[v] != "one"}
        joined = [group for group in groups if not values.isdisjoint(group[0])]
        groups = [group for group in groups if values.isdisjoint(group[0])]
        places = [place for _, group in joined for place in group]
        groups.append((values.union(*[group for group, _ in joined]), [*places, n]))
    found = []
    for places in sorted(sorted(places) for _, places in groups):
        found.append(_part(loop, [loop.instructions[n] for n in places]))
    return found


def _part(loop: Loop, inside: list[Instruction]) -> Loop:
    """A loop over some of the instructions of another."""
    read = {v for i in inside for v in (*i.operands, i.output)}
    roles = {v: role for v, role in loop.roles.items() if v in read}
    return Loop(loop.shape, inside, roles, loop.totals & {i.output for i in inside})


def _with_functions_alone(loop: Loop) -> list[Loop]:
    """A loop over many short rows as three, the middle one of functions such as eˣ.

    A register holds more numbers than such a row, so that they are computed row after row.
    """
    _, passes = stages_of(loop)
    if passes == 1 or loop.columns >= _SHORT or loop.rows < _SHORT:
        return [loop]
    makers = {i.output: i for i in loop.instructions}
    functions: list[Instruction] = []
    above: set[Value] = set()
    """What is computed of what the functions give."""
    for i in loop.instructions:
        if not above.isdisjoint(i.operands):
            above.add(i.output)
        elif i.op in _FUNCTIONS and loop.roles[i.output] == "full":
            functions.append(i)
            above.add(i.output)
    below: set[Value] = set()
    waiting = [v for i in functions for v in i.operands if v in makers]
    while waiting:
        value = waiting.pop()
        if value not in below:
            below.add(value)
            waiting += [v for v in makers[value].operands if v in makers]
    before = [i for i in loop.instructions if i.output in below]
    after = [i for i in loop.instructions if i.output not in below and i not in functions]
    parts = [before, functions, after]
    return [_part(loop, part) for part in parts if part] if functions else [loop]


def stages_of(loop: Loop) -> tuple[dict[Value, int], int]:
    """In which pass over a row each value is computed, and how many passes there are.

    A row's sum is known when the pass that sums is over.
    """
    stage: dict[Value, int] = {}
    for i in loop.instructions:
        here = max([stage.get(v, 0) for v in i.operands], default=0)
        reduces = i.op in REDUCTIONS and loop.roles[i.output] == "row"
        stage[i.output] = here + 1 if reduces else here
        if i.op == "pick":
            stage[i.output] = here + 1
    return stage, max(stage.values(), default=0) + 1


# Updates: a multiple of a product is added to a parameter while the product is made.

_FUSED = {"add": "add_product", "sub": "sub_product"}


def fuse_updates(program: Program) -> Program:
    """The program with w ± n · (a @ b), written to w, as one instruction where that is faster."""
    makers = {i.output: i for i in program.instructions}
    reads = Counter(v for i in program.instructions for v in i.operands)
    reads.update(list(program.leaving()))
    fused: dict[Instruction, Instruction] = {}
    gone: set[Instruction] = set()
    for target, value in program.writes:
        found = _update_of(target, value, makers)
        if found is None or any(reads[i.output] > 1 for i in found):
            continue
        product, scaled = found
        number = next(v for v in scaled.inputs if v is not product.output)
        change = makers[value]
        inputs = (target, *product.inputs, number)
        fused[change] = change.instead(_FUSED[change.op], inputs, {}, value)
        gone |= {product, scaled}
    kept = [fused.get(i, i) for i in program.instructions if i not in gone]
    return program.with_instructions(kept)


def _update_of(
    target: Input, value: Value, makers: Makers
) -> tuple[Instruction, Instruction] | None:
    """The product and its multiple by a number, where `value` is that added to `target`."""
    change = makers.get(value)
    if change is None or change.op not in _FUSED or value.dtype != target.dtype:
        return None
    scaled = makers.get(change.inputs[1])
    if change.inputs[0] is not target or scaled is None or scaled.op != "mul":
        return None
    for made, number in (scaled.inputs, scaled.inputs[::-1]):
        product = makers.get(made)
        if product is None or product.op != "mm" or not _is_number(number):
            continue
        if product.output.shape == target.shape and _is_faster(product, makers):
            return product, scaled
    return None


def _is_number(value: Value) -> bool:
    return isinstance(value, Number | Constant) and value.size == 1


def _is_faster(product: Instruction, makers: Makers) -> bool:
    a, b = product.inputs
    first, second = (transposed(v, makers) is not None for v in (a, b))
    m, k, n = *a.shape, b.shape[1]
    return Product(first, second, m, k, n, product.output.dtype, added=True).best() != "add_blas"
