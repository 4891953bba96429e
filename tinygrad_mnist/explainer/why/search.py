"""Ways through what was remembered: from a loss back to a tensor, past every cut."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

from .memory import Call, Memory, in_layer
from .reason import Link

_WEIGHTS = {"perhaps": 5, "integer": 2, "no_derivative": 2}
"""How unlikely a cut is to be the one that was not meant; of others 1."""


class Step(NamedTuple):
    """A call on a way forwards, and how gradients are cut off before it."""

    call: Call
    cut: str | None


def way(memory: Memory, goal: Call, is_start: Callable[[Call], bool]) -> list[Step]:
    """The calls from a start to the goal, by the fewest cuts and then the fewest calls.

    Empty where no way leads there.
    """
    best: dict[int, tuple[int, int]] = {goal.number: (0, 0)}
    towards: dict[int, tuple[int, str | None]] = {}
    waiting = [(0, 0, goal.number)]
    while waiting:
        cuts, length, number = heapq.heappop(waiting)
        if (cuts, length) > best[number]:
            continue
        call = memory.calls[number]
        if is_start(call):
            return _forwards(memory, number, towards)
        for parent, cut in call.parents:
            cost = (cuts + (0 if cut is None else _WEIGHTS.get(cut, 1)), length + 1)
            if parent in memory.calls and cost < best.get(parent, (cost[0] + 1, 0)):
                best[parent] = cost
                towards[parent] = (number, cut)
                heapq.heappush(waiting, (*cost, parent))
    return []


def _forwards(
    memory: Memory, number: int, towards: dict[int, tuple[int, str | None]]
) -> list[Step]:
    steps = [Step(memory.calls[number], None)]
    while number in towards:
        number, cut = towards[number]
        steps.append(Step(memory.calls[number], cut))
    return steps


def ancestors(memory: Memory, goal: Call) -> set[int]:
    """The numbers of the calls that lead up to one, itself among them."""
    seen = {goal.number}
    waiting = [goal]
    while waiting:
        for parent, _ in waiting.pop().parents:
            if parent not in seen and parent in memory.calls:
                seen.add(parent)
                waiting.append(memory.calls[parent])
    return seen


def links(memory: Memory, steps: list[Step], cause: Call | None = None) -> tuple[Link, ...]:
    """The chain of a way, marked where it is cut, or at the call that is the cause."""
    return tuple([
        Link(named(memory, call), call.line, None, cut is not None or call is cause)
        for call, cut in steps
    ])  # fmt: skip


def named(memory: Memory, call: Call) -> str:
    """What a call is in a chain: with its layer, where a layer made it."""
    if call.name in ("leaf", "tensor", "numbers"):
        return f"{call.name} of shape {list(call.shape)}"
    return f"{call.name}{in_layer(memory, call)}"
