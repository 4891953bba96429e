"""From a tensor up through a backward pass, to where its gradient went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_mnist.engine.node import Record

from .findings import Finding, called
from .memory import Memory, in_layer
from .reason import Line, Link
from .walks import Amount, Visit, Walk


class Stop(NamedTuple):
    """Where a gradient became zero or not finite, or ended, and why."""

    record: Record
    finding: Finding


def trace(walk: Walk, record: Record, wrong: Callable[[Amount], bool]) -> list[Stop]:
    """The operations where a gradient went wrong on its way to `record`, nearest the loss first.

    `wrong` says of an amount whether it is: all zero, not finite, partly zero.
    """
    found: dict[Record, Stop] = {}
    seen, waiting = {record}, [record]
    while waiting:
        current = waiting.pop()
        arrived = walk.into(current)
        visit = walk.visits.get(current)
        if visit is not None and arrived and not any(wrong(given) for *_, given in arrived):
            found[current] = Stop(current, _changed(current, arrived))
            continue
        for source, position, given in arrived:
            above = source.record
            if not wrong(given):
                continue
            if position in source.findings:
                found.setdefault(above, Stop(above, source.findings[position]))
            elif wrong(source.arrived) and above is not walk.root:
                if above not in seen:
                    seen.add(above)
                    waiting.append(above)
            elif wrong(source.arrived):
                found.setdefault(above, Stop(above, _started(source)))
            else:
                found.setdefault(above, Stop(above, _by_node_hook(above)))
    return sorted(found.values(), key=lambda stop: -stop.record.sequence)


def _started(visit: Visit) -> Finding:
    count = (visit.arrived.zeros, visit.arrived.size)
    if visit.arrived.bad:
        return Finding("backward_not_finite", "backward() was started from what is not finite",
                       (visit.arrived.bad, visit.arrived.size))  # fmt: skip
    return Finding("zero_start", "backward() was started from a gradient of 0", count)


def _by_node_hook(record: Record) -> Finding:
    return Finding("hook", f"a hook on {called(record)} replaced it", None)


def hook_on(record: Record) -> Any:
    """The first hook on a tensor, or on its record, that may have replaced its gradient."""
    hooks = record.hooks
    if hooks is None:
        return None
    functions = [*hooks.tensor_hooks.values(), *hooks.pre_hooks.values()]
    return functions[0] if functions else None


def _changed(record: Record, arrived: list[tuple[Visit, int, Amount]]) -> Finding:
    """Why what arrived was right, and what went on from there is not."""
    hook = hook_on(record)
    if hook is not None:
        return Finding("hook", f"{told_hook(hook)} replaced it", None)
    parts = " and ".join(f"{given.largest:.4g} from {called(visit.record)}"
                         for visit, _, given in arrived[:3])  # fmt: skip
    return Finding("cancelled", f"contributions cancel: up to {parts} in size, 0 in sum", None)


def told_hook(hook: Any) -> str:
    """A hook by its name, and where it is written."""
    code = getattr(hook, "__code__", None)
    where = "" if code is None else f" ({Line(code.co_filename, code.co_firstlineno)})"
    return f"the hook {getattr(hook, '__name__', 'on it')}{where}"


def missing(walk: Walk, record: Record) -> Stop | None:
    """The visited operation nearest to `record` that passed nothing on towards it."""
    seen, waiting = {record}, [record]
    while waiting:
        current = waiting.pop()
        for consumer, _ in walk.consumers.get(current, ()):
            if consumer in walk.visits:
                text = f"the backward of {called(consumer)} returned None for this input"
                return Stop(consumer, Finding("function", text, None))
            if consumer not in seen:
                seen.add(consumer)
                waiting.append(consumer)
    return None


def chain(walk: Walk, record: Record, through: Record, memory: Memory | None) -> tuple[Link, ...]:
    """The records from `record` to where a walk began, by way of another, which is the cause."""
    path = _path(walk, record, through)
    path += _path(walk, through, walk.root)[1:]
    return tuple([link(each, memory, each is through) for each in path])


def _path(walk: Walk, start: Record, end: Record) -> list[Record]:
    """The shortest way from a record forwards to another; the two alone where there is none."""
    before: dict[Record, Record | None] = {start: None}
    waiting = [start]
    for current in waiting:
        if current is end:
            break
        for consumer, _ in walk.consumers.get(current, ()):
            if consumer not in before:
                before[consumer] = current
                waiting.append(consumer)
    if end not in before:
        return [start, end]
    path = [end]
    while (previous := before[path[-1]]) is not None:
        path.append(previous)
    return path[::-1]


def link(record: Record, memory: Memory | None, is_cause: bool = False) -> Link:
    """A record as a link of a chain, with its line and layer where they are remembered."""
    call = None if memory is None else memory.call_of_record(record)
    line = None if call is None else call.line
    if record.primitive is None:
        return Link(f"leaf of shape {list(record.shape)}", line, record, is_cause)
    return Link(called(record) + in_layer(memory, call), line, record, is_cause)
