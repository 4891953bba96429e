"""The loops of a compiled step: which operations of a pass each computes, and its source."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_mnist.compiler.cache_entry import CacheEntry
from tinygrad_mnist.compiler.compiled import Compiled, OptimizedModule
from tinygrad_mnist.compiler.graph_capture import captured
from tinygrad_mnist.compiler.passes.fusion import Loop as FusedLoop
from tinygrad_mnist.compiler.program import Instruction

from .passes import Loop, Node, Pass

__all__ = ["Fused", "add_loops", "compiled_functions", "fused", "is_compiled"]


@dataclass(frozen=True)
class Fused:
    """A loop (or one call of a kernel) of a compiled program."""

    name: str
    operations: tuple[tuple[str, int], ...]
    """The traced operations computed here, with their sequence numbers in the trace."""
    derivatives_of: tuple[tuple[str, int], ...]
    """The traced operations whose derivatives are."""
    source: str


def is_compiled(function: Any) -> bool:
    """Whether `compile` made it."""
    return isinstance(function, Compiled | OptimizedModule)


def compiled_functions() -> list[Any]:
    """Every compiled function that has a program."""
    return [each for each in Compiled.all if each._newest is not None]


def add_loops(found: Pass, function: Any, arguments: tuple[Any, ...] = ()) -> None:
    """Add to a pass the loops of the compiled function that it is a pass of.

    A function that was not called compiled yet is traced with `arguments`, and what that changes is
    put back. The pass is that of the function uncompiled: its operations are found in the
    program by their order.
    """
    compiled = function._compiled if isinstance(function, OptimizedModule) else function
    entry = compiled._newest or captured(compiled.function, compiled.constants, arguments)
    if entry is None or entry.built is None:
        why = "no program can do what it does" if entry is None else entry.notice
        found.notes.append(f"The function runs uncompiled: {why}.")
        return
    traced = _traced(entry)
    nodes = [node for node in found.nodes if node.kind == "operation"]
    node_of = _matched(nodes, [i for i in traced if i.phase == "forward"])
    for loop in fused(entry):
        own = [node_of[number] for _, number in loop.operations if number in node_of]
        after = [node_of[number] for _, number in loop.derivatives_of if number in node_of]
        for node in own:
            node.loop = len(found.loops)
        ids = sorted({node.id for node in own + after})
        found.loops.append(Loop(loop.name, ids, loop.source))


def fused(entry: CacheEntry) -> list[Fused]:
    """The loops and calls of a compiled program in order, those that go backward last."""
    names = {i.origin: i.op for i in _traced(entry)}
    return [
        each
        for half, kind in ((entry, ""), (entry.back, "backward "))
        if half is not None and half.built is not None
        for each in _parts(half, kind, names)
    ]


def _parts(entry: CacheEntry, kind: str, names: dict[int, str]) -> Iterator[Fused]:
    assert entry.built is not None
    loops = 0
    for step, lines in entry.built.source.parts:
        ahead = {i.origin for i in step.instructions if i.phase == "forward"}
        behind = {i.under for i in step.instructions if i.phase == "backward"}
        ops = ", ".join(dict.fromkeys(i.op for i in step.instructions))
        loops += isinstance(step, FusedLoop)
        title = (
            f"{kind}loop {loops}: {ops}" if isinstance(step, FusedLoop) else f"{kind}call: {ops}"
        )
        yield Fused(
            title,
            tuple([(names[n], n) for n in sorted(ahead) if n in names]),
            tuple([(names[n], n) for n in sorted(behind) if n in names]),
            textwrap.dedent("\n".join(lines)),
        )


def _traced(entry: CacheEntry) -> list[Instruction]:
    """What was traced, in order, both ways."""
    back = [] if entry.back is None else entry.back.traced.instructions
    return sorted([*entry.traced.instructions, *back], key=lambda i: i.origin)


def _matched(nodes: list[Node], traced: list[Instruction]) -> dict[int, Node]:
    """By the numbers of traced instructions, the nodes: both came in one order."""
    ours = [(node.primitive.name, node.shape) for node in nodes]
    theirs = [(i.op, i.output.shape) for i in traced]
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    return {
        traced[block.b + n].origin: nodes[block.a + n]
        for block in matcher.get_matching_blocks()
        for n in range(block.size)
    }
