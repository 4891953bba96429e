"""A pass in words and numbers, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tinygrad_mnist.explainer import passes
from tinygrad_mnist.explainer.formulas import derivative_formula

from .writing import called, numbers, plain, shape, sized

__all__ = ["walk"]


def walk(found: passes.Pass) -> str:
    """Forward, then backward, then what `.grad` holds: a line or a few for each step."""
    lines = [plain(found.title), *_given(found)]
    headings = {
        "forward": "forward",
        "backward": "backward: g is the gradient that arrives, → what it gives to an input",
        "accumulate": "what .grad holds",
    }
    for phase, heading in headings.items():
        steps = [step for step in found.steps if step.phase == phase]
        if steps:
            lines += ["", heading]
        for step in steps:
            lines += _LINES[phase](found, step)
    if found.why:
        lines += ["", "why", *[line for why in found.why for line in _why(why)]]
    if found.notes:
        lines += ["", "notes", *[f"  {plain(note)}" for note in found.notes]]
    return "\n".join(lines) + "\n"


def _why(why: passes.Why) -> Iterator[str]:
    """A paragraph, and what to do."""
    told = [why.paragraph, *([f"To mend it: {why.fix}"] if why.fix else [])]
    for text in told:
        yield from textwrap.wrap(
            plain(text), 96, initial_indent="  ", subsequent_indent="    ", break_long_words=False
        )


def _given(found: passes.Pass) -> Iterator[str]:
    for node in found.nodes:
        if node.kind in ("parameter", "leaf", "input"):
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
        given = f"{_short(found, part.to)}: {numbers(part.array)}{undone}"
        yield f"      {_formula(node, part)} → {given}"
    if step.frees:
        yield f"      lets go of {', '.join(step.frees)}"


def _formula(node: passes.Node, part: passes.Contribution) -> str:
    """The derivative for an input: "∂L/∂x = g · y"."""
    op = node.primitive
    formula = derivative_formula(op, part.position) if "function" not in node.settings else None
    return f"∂L/∂{plain(part.argument)}" if formula is None else formula.text


def _accumulate(found: passes.Pass, step: passes.Step) -> Iterator[str]:
    node = found.nodes[step.node]
    before = "" if step.before is None else f" (before: {numbers(step.before)})"
    yield f"  {_short(found, node.id)}.grad = {numbers(step.array)}{before}"


_LINES = {"forward": _forward, "backward": _backward, "accumulate": _accumulate}
