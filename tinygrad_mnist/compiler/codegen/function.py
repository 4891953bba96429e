"""The Numba source of a program: one function, its loops written out, to be read and compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygrad_mnist.compiler.passes.buffers import VIEWS, reuse_buffers
from tinygrad_mnist.compiler.passes.fusion import (
    CHECKED,
    Call,
    Loop,
    Step,
    divides_whole_numbers,
    stages_of,
)
from tinygrad_mnist.compiler.program import (
    IGNORES,
    Constant,
    Draw,
    Input,
    Instruction,
    Number,
    Program,
    Shape,
    Value,
    is_uniform,
    shape_of_region,
)

from .calls import UPDATES, write_call
from .loops import write_loop
from .writer import Writer, number_read, type_of, write_copy


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
    parts: list[tuple[Step, list[str]]]
    """The lines of each step."""
    lanes: list[int]
    """How many numbers each convolution works on side by side."""


def generate(program: Program, steps: list[Step]) -> Source:
    """The source of a program whose instructions are gathered in `steps`."""
    program.named()
    writer = Writer(program, steps, reuses=reuse_buffers(program, steps))
    others: list[Constant | Draw] = []
    for value in (*program.read(Constant), *program.read(Draw)):
        if is_uniform(value) or (value.size == 1 and isinstance(value, Constant)):
            writer.numbers.append(value)
        else:
            others.append(value)
    writer.numbers += program.read(Number)
    arrays = [*program.inputs, *others]
    for value in arrays:
        writer.buffers[value] = value.name
    early = _views_to_check(writer)
    for view in early:
        write_call(writer, view)
        writer.computed.discard(view.output)
    late = checks_late(writer)
    _place_outputs(writer, late)
    outs = [f"out{n}" for n in range(len(program.results))]
    for step in steps:
        write_checks(writer, step, known=True)
    for number, value in enumerate(writer.numbers):
        writer.line(f"{value.name} = {number_read(value, number, literal(value))}")
    parts: list[tuple[Step, list[str]]] = []
    for position, step in enumerate(steps):
        write_checks(writer, step, known=False)
        begin = len(writer.lines)
        if isinstance(step, Call):
            if step.instruction not in early:
                write_call(writer, step.instruction)
        else:
            write_loop(writer, step, position)
        parts.append((step, writer.lines[begin:]))
    _write_leaving(writer)
    writer.line("return -1")
    names = [value.name for value in arrays] + ["numbers", *outs]
    head = f"def step({', '.join(names)}):"
    text = "\n".join([head, *writer.lines])
    sizes = [value.size * value.dtype.itemsize for value in writer.temporaries]
    return Source(text, others, writer.numbers, len(sizes), sum(sizes), parts,
                  writer.lanes)  # fmt: skip


def _place_outputs(writer: Writer, late: bool) -> None:
    """Decide which computed values live in arrays from outside: results, and what is written.

    With `late`, nothing from outside is written before the end.
    """
    for n, value in enumerate(writer.program.results):
        if value.size != 1 and value not in writer.buffers and _computed(writer, value):
            writer.buffers[value] = f"out{n}"
    for target, value in [] if late else writer.program.writes:
        if value.size == 1 or value in writer.buffers or not _computed(writer, value):
            continue
        if _may_overwrite(writer, target, value):
            writer.buffers[value] = target.name


def _computed(writer: Writer, value: Value) -> bool:
    """Whether a step computes it into an array of its own, rather than as a view of another."""
    for step in writer.steps:
        if any(i.output is value for i in step.instructions):
            return isinstance(step, Loop) or step.instruction.op not in VIEWS
    return False


def _may_overwrite(writer: Writer, target: Input, value: Value) -> bool:
    """Whether `value` may be computed straight into `target`: nobody reads what was there later."""
    reached = False
    for step in writer.steps:
        reads = [
            i for i in step.instructions if any(_reaches(writer, v, target) for v in i.operands)
        ]
        if reached and reads:
            return False
        if any(i.output is value for i in step.instructions):
            reached = True
            if reads and not _reads_before_writing(writer, step, target, value):
                return False
    return not any(_reaches(writer, v, target) for v in writer.program.leaving())


def _reads_before_writing(writer: Writer, step: Step, target: Input, value: Value) -> bool:
    """Whether a step reads each number of `target` before it writes that of `value`."""
    if isinstance(step, Call):
        return _adds_in_place(writer, step, target)
    made = [i.output for i in step.instructions].index(value)
    if any(_reaches(writer, v, target) for i in step.instructions[made + 1 :] for v in i.operands):
        return False
    return step.roles.get(target) == step.roles[value] == "full" and stages_of(step)[1] == 1


def _adds_in_place(writer: Writer, step: Call, target: Input) -> bool:
    """Whether a call adds to `target` what it makes of other arrays."""
    first, *others = step.instruction.inputs
    adds = step.instruction.op in UPDATES and first is target
    return adds and not any(_reaches(writer, v, target) for v in others)


def _reaches(writer: Writer, value: Value, target: Input) -> bool:
    """Whether reading `value` reads the memory of `target`: it is that, or a view of it."""
    maker = writer.calls.get(value)
    if maker is not None and maker.op in VIEWS:
        return _reaches(writer, maker.inputs[0], target)
    return value is target


def _write_leaving(writer: Writer) -> None:
    """Copy out what leaves and does not lie there yet."""
    for n, value in enumerate(writer.program.results):
        place = writer.buffers.get(value)
        if place is None:
            writer.line(f"out{n}[...] = {value.name}")
        elif place != f"out{n}":
            write_copy(writer, f"out{n}", place, value.shape)
    targets = [target for target, _ in writer.program.writes]
    late: list[tuple[str, str, Shape]] = []
    for target, value in writer.program.writes:
        place = writer.buffers.get(value)
        if place is None:
            writer.line(f"{target.name}[...] = {value.name}")
            continue
        if place == target.name:
            continue
        if any(_reaches(writer, value, other) for other in targets):  # which may be written first
            writer.line(f"{target.name}_row = {place}.copy()")
            place = f"{target.name}_row"
        late.append((target.name, place, target.shape))
    for target_name, place, shape in late:
        write_copy(writer, target_name, place, shape)


def literal(value: Value) -> Any:
    """The number to hand over for a number or a uniform constant."""
    if isinstance(value, Constant):
        return value.array.flat[0].item()
    assert isinstance(value, Number)
    return value.number


# Checks: an index or probability out of range ends a program before it has changed anything.

_IN_RANGE = ("argmax", "argmin", "argsort", "place_of_max")
"""What gives places that exist."""

_Check = tuple[Value, int, bool, int | None]
"""Values whose numbers must lie between 0 and a limit; whether negative ones count from behind;
the one that may lie elsewhere."""
_NOT_ZERO = -1
"""In place of a limit, that of divisors."""


def ranges_of(i: Instruction) -> list[_Check]:
    """What an instruction wants of the values that it reads.

    An index stays below its limit; a probability may reach it; a divisor is no 0.
    """
    a, given, out = i.attributes, i.inputs[0].shape if i.inputs else (), i.output.shape
    if i.op in ("pick", "place"):
        limit = (given if i.op == "pick" else out)[-1]
        return [(i.inputs[CHECKED[i.op]], limit, False, a.get(IGNORES))]
    if divides_whole_numbers(i) and not isinstance(i.inputs[1], Number):
        return [(i.inputs[1], _NOT_ZERO, False, None)]
    if i.op == "binary_cross_entropy":
        return [(i.inputs[CHECKED[i.op]], 1, False, None)]
    if i.op in ("gather", "gather_backward", "scatter_add"):
        shape = given if i.op == "gather" else out
        return [(a["index"], shape[a["dim"]], False, None)]
    if i.op == "index":
        return _arrays_in(a["key"], given)
    if i.op == "index_backward":
        return _arrays_in(a["key"], out)
    if i.op == "index_put" and a["arrays"] is not None and None not in a["region"]:
        return _arrays_in(a["arrays"], shape_of_region(given, a["region"]))
    return []


def _arrays_in(key: tuple[Any, ...], shape: Shape) -> list[_Check]:
    pairs = zip(key, shape, strict=False)
    values = [(part, n) for part, n in pairs if isinstance(part, Value)]
    return [(value, n, True, None) for value, n in values if _is_index(value)]


def _is_index(value: Value) -> bool:
    return value.dtype.kind == "i"


def _checked_by(writer: Writer, step: Step) -> list[_Check]:
    """The indices of a step that may be out of range; constants were seen not to be."""
    found = [check for i in step.instructions for check in ranges_of(i)]
    return [check for check in found if not _is_in_range(writer, *check[:2])]


def _is_in_range(writer: Writer, value: Value, size: int) -> bool:
    maker = writer.calls.get(value)
    if isinstance(value, Constant):
        return size == _NOT_ZERO or bool((value.array >= 0).all())
    return size != _NOT_ZERO and maker is not None and maker.op in _IN_RANGE


def _views_to_check(writer: Writer) -> list[Instruction]:
    """Views of what is given whose numbers are checked: they are looked at before anything."""
    checked = {value for step in writer.steps for value, *_ in _checked_by(writer, step)}
    views = [i for i in writer.calls.values() if i.op in VIEWS and i.output in checked]
    return [i for i in views if isinstance(i.inputs[0], Input)]


def checks_late(writer: Writer) -> bool:
    """Whether some check must wait until the index is computed: then writes wait for the end."""
    checks = [check for step in writer.steps for check in _checked_by(writer, step)]
    return any(value in writer.computed for value, *_ in checks)


def write_checks(writer: Writer, step: Step, known: bool) -> None:
    """Write the checks that a step needs, each once, of what is `known` or of what is computed."""
    for check in _checked_by(writer, step):
        value, size, from_behind, ignored = check
        late = value in writer.computed or isinstance(value, Constant)
        if late is known or check in writer.checked:
            continue
        if size == _NOT_ZERO:
            writer.checked[check] = value.name
            _write_check(writer, value, "{0} == 0")
        elif not _is_index(value):
            writer.checked[check] = value.name
            _write_check(writer, value, f"not ({{0}} >= 0 and {{0}} <= {size})")
        elif from_behind or _is_from_outside(writer, value):
            _write_own_copy(writer, check)
        else:
            writer.checked[check] = writer.buffers.get(value, "")
            _write_check(writer, value, _wrong("{0}", size, ignored))


def _is_from_outside(writer: Writer, value: Value) -> bool:
    """Whether other threads may change the numbers between the check and their use."""
    return any(_reaches(writer, value, given) for given in writer.program.inputs)


def _write_own_copy(writer: Writer, check: _Check) -> None:
    """A copy of indices that only this call knows, each looked at as it is copied."""
    value, size, from_behind, ignored = check
    own = f"{value.name}_{size}_own"
    writer.line(f"{own} = np.empty({value.shape}, {type_of(value)})")
    place = writer.buffers.get(value)
    with writer.block():
        index = ", ".join(writer.loops(value.shape)) or "()"
        writer.line(f"place = {value.name if place is None else f'{place}[{index}]'}")
        if from_behind:
            writer.line("if place < 0:")
            writer.line(f"    place += {size}")
        writer.line(f"if {_wrong('place', size, ignored)}:")
        writer.line("    return 0")
        writer.line(f"{own}[{index}] = place")
    writer.checked[check] = own
    if not from_behind:
        writer.buffers[value] = own


def _wrong(place: str, size: int, ignored: int | None) -> str:
    """What is true of an index out of range that is not ignored."""
    wrong = f"{place} < 0 or {place} >= {size}"
    return wrong if ignored is None else f"({wrong}) and {place} != {ignored}"


def _write_check(writer: Writer, value: Value, wrong: str) -> None:
    place = writer.buffers.get(value)
    loop = [] if place is None else [f"for index in {place}.flat:"]
    number = value.name if place is None else "index"
    with writer.block(*loop, f"if {wrong.format(number)}:"):
        writer.line("return 0")
