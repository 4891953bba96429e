"""Checks: an index or probability out of range ends a program before it has changed anything.

The function then runs as usual, and raises what it always raises.
"""

from __future__ import annotations

from typing import Any

from .passes.fusion import CHECKED, Loop, Step
from .program import Constant, Instruction, Shape, Value, shape_of_region
from .writer import Writer

_IN_RANGE = ("argmax", "argmin", "argsort", "place_of_max")
"""What gives places that exist."""


def ranges_of(i: Instruction) -> list[tuple[Value, int]]:
    """The values whose numbers an instruction wants between 0 and a limit, and the limit.

    An index stays below it; a probability may reach it.
    """
    a, given, out = i.attributes, i.inputs[0].shape if i.inputs else (), i.output.shape
    if i.op in ("pick", "place"):
        return [(i.inputs[CHECKED[i.op]], (given if i.op == "pick" else out)[-1])]
    if i.op == "binary_cross_entropy":
        return [(i.inputs[CHECKED[i.op]], 1)]
    if i.op in ("gather", "gather_backward", "scatter_add"):
        shape = given if i.op == "gather" else out
        return [(a["index"], shape[a["dim"]])]
    if i.op == "index":
        return _arrays_in(a["key"], given)
    if i.op == "index_backward":
        return _arrays_in(a["key"], out)
    if i.op == "index_put" and a["arrays"] is not None and None not in a["region"]:
        return _arrays_in(a["arrays"], shape_of_region(given, a["region"]))
    return []


def _arrays_in(key: tuple[Any, ...], shape: Shape) -> list[tuple[Value, int]]:
    pairs = zip(key, shape, strict=False)
    return [(part, n) for part, n in pairs if isinstance(part, Value) and part.dtype.kind == "i"]


def instructions_of(step: Step) -> list[Instruction]:
    """What a step computes."""
    return step.instructions if isinstance(step, Loop) else [step.instruction]


def _checked_by(writer: Writer, step: Step) -> list[tuple[Value, int]]:
    """The indices of a step that may be out of range; constants were seen not to be."""
    found = [pair for i in instructions_of(step) for pair in ranges_of(i)]
    return [pair for pair in found if not _is_in_range(writer, pair[0])]


def _is_in_range(writer: Writer, value: Value) -> bool:
    maker = writer.calls.get(value)
    return isinstance(value, Constant) or (maker is not None and maker.op in _IN_RANGE)


def checks_late(writer: Writer) -> bool:
    """Whether some check must wait until the index is computed: then writes wait for the end."""
    pairs = [pair for step in writer.steps for pair in _checked_by(writer, step)]
    return any(value in writer.computed for value, _ in pairs)


def write_checks(writer: Writer, step: Step, known: bool) -> None:
    """Write the checks that a step needs, each once, of what is `known` or of what is computed."""
    for value, size in _checked_by(writer, step):
        if (value in writer.computed) is known or (value, size) in writer.checked:
            continue
        writer.checked.add((value, size))
        _write_check(writer, value, size)


def _write_check(writer: Writer, value: Value, size: int) -> None:
    place = writer.places.get(value)
    if place is None:
        writer.line(f"if {_is_out(value, value.name, size)}:")
        writer.line("    return 0")
    elif len(value.shape) == 1:
        writer.line(f"for i in range({value.size}):")
        writer.line(f"    if {_is_out(value, f'{place}[i]', size)}:")
        writer.line("        return i")
    else:
        writer.line(f"for index in {place}.flat:")
        writer.line(f"    if {_is_out(value, 'index', size)}:")
        writer.line("        return 0")


def _is_out(value: Value, number: str, size: int) -> str:
    if value.dtype.kind == "f":
        return f"not ({number} >= 0 and {number} <= {size})"
    return f"{number} < 0 or {number} >= {size}"
