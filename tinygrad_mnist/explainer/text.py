"""A pass in words and numbers, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from . import passes
from .writing import called, numbers, plain, shape, sized

__all__ = ["walk"]


def walk(found: passes.Pass) -> str:
    """Forward, then backward, then what `.grad` holds: a line or a few for each step."""
    lines = [plain(found.title), *_given(found)]
    headings = {
        "forward": "forward",
        "backward": "backward: g is the gradient that arrives, ∂ what it gives to an input",
        "accumulate": "what .grad holds",
    }
    for phase, heading in headings.items():
        steps = [step for step in found.steps if step.phase == phase]
        if steps:
            lines += ["", heading]
        for step in steps:
            lines += _LINES[phase](found, step)
    if found.notes:
        lines += ["", "notes", *[f"  {plain(note)}" for note in found.notes]]
    return "\n".join(lines) + "\n"


def _given(found: passes.Pass) -> Iterator[str]:
    for node in found.nodes:
        if node.kind in ("parameter", "input"):
            needs = "" if node.requires_grad else " (needs no gradient)"
            yield f"  {called(node)}: {shape(node)} = {numbers(node.value)}{needs}"


def _short(found: passes.Pass, at: int) -> str:
    """What an operand is called: its name, a number itself, else the step that made it."""
    node = found.nodes[at]
    if node.name:
        return plain(node.name)
    if node.kind == "constant" and node.value is not None and node.value.size == 1:
        return numbers(node.value.reshape(()))
    return f"#{at}"


def _forward(found: passes.Pass, step: passes.Step) -> Iterator[str]:
    node = found.nodes[step.node]
    operands = ", ".join(_short(found, edge.node) for edge in node.inputs)
    settings = "".join(f", {name}={value}" for name, value in node.attributes.items())
    where = ""
    if node.source is not None:
        where = f"    {plain(found.sources[node.source.file].name)}:{node.source.line}"
    name = f"{plain(node.name)} = " if node.name else ""
    yield f"  #{node.id} {name}{node.op}({operands}{plain(settings)}): {shape(node)}{where}"
    says = f"{node.says.splitlines()[0]} = " if node.says else "= "
    yield f"      {says}{numbers(node.value)}"


def _backward(found: passes.Pass, step: passes.Step) -> Iterator[str]:
    node = found.nodes[step.node]
    name = f" ({plain(node.name)})" if node.name else ""
    yield f"  #{node.id} {node.grad_fn}{name}: g = {numbers(step.gradient)}"
    for part in step.contributions:
        undone = ""
        if part.summed:
            undone = f", summed over dim {', '.join(map(str, part.summed))} of "
            undone += sized(part.raw_shape)
        elif part.stretched:
            undone = f", stretched along dim {', '.join(map(str, part.stretched))}"
        yield f"      ∂{part.argument} → {_short(found, part.to)}: {numbers(part.array)}{undone}"
    if step.frees:
        yield f"      lets go of {', '.join(step.frees)}"


def _accumulate(found: passes.Pass, step: passes.Step) -> Iterator[str]:
    node = found.nodes[step.node]
    before = "" if step.before is None else f" (before: {numbers(step.before)})"
    yield f"  {_short(found, node.id)}.grad = {numbers(step.array)}{before}"


_LINES = {"forward": _forward, "backward": _backward, "accumulate": _accumulate}
