"""Why there is a gradient, but zero, NaN or infinite."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tinygrad_mnist.engine.node import Record
from tinygrad_mnist.engine.views import current_record

from .findings import SUMS, Finding, bad_count, called, for_how_many, not_finite, numbers, of
from .memory import Call, Memory, in_layer
from .reason import Reason, at
from .search import ancestors, links, way
from .traces import Stop, chain, hook_on, link, told_hook, trace
from .walks import Amount, Walk, amount, walk_again
from .words import answer


def _walk_for(record: Record, loss: Any, memory: Memory | None, wrong: Any) -> Walk | None:
    """The pass to look at: a remembered one that brought what is wrong, or one made anew.

    Of several that brought NaN it is the first, since that makes all NaN that comes after.
    """
    walks = [] if memory is None else [walk for walk in memory.passes if walk.into(record)]
    root = None if loss is None else current_record(loss)
    if root is not None and wrong is not _is_bad:
        walks = [walk for walk in walks if root in walk.visits]
    for walk in walks if wrong is _is_bad else reversed(walks):
        if any(wrong(given) for *_, given in walk.into(record)):
            return walk
    if walks:
        return walks[-1]
    return None if root is None else walk_again(root)


def zero(tensor: Any, grad: Any, loss: Any, memory: Memory | None) -> Reason:
    """Why the gradient is zero everywhere."""
    record: Any = current_record(tensor)
    this = f"The `.grad` of this tensor of shape {list(tensor._array.shape)} is 0 everywhere"
    walk = _walk_for(record, loss, memory, _all_zero)
    if walk is None or not walk.into(record):
        return answer("unknown", f"{this}. Which operation made it so is not known: nothing was "
                      "remembered of the backward pass, and its graph is gone.")  # fmt: skip
    if not all(given.all_zero for *_, given in walk.into(record)):
        return _zero_after_all(this, record, grad, walk, memory)
    return _told(this, record, walk, trace(walk, record, _all_zero), memory)


def _all_zero(given: Amount) -> bool:
    return given.all_zero


def _zero_after_all(
    this: str, record: Record, grad: Any, walk: Walk, memory: Memory | None
) -> Reason:
    """What arrived was not zero, and yet the gradient is."""
    call = None if memory is None else memory.call_of(grad)
    if call is not None:
        text = (
            f"{this}: after backward() it was set to 0{at(call.line)}, by zero_grad() or by hand."
        )
        return answer("cleared", text, line=call.line)
    hook = hook_on(record)
    if hook is not None:
        return answer("hook", f"{this}: {told_hook(hook)} replaced it.")
    if walk.running is None:
        above = [each for each in walk.order if hook_on(each) is not None]
        if above:
            return answer("hook", f"{this}, and without hooks it would not be: look at "
                          f"{told_hook(hook_on(above[0]))} on {called(above[0])}.")  # fmt: skip
    parts = walk.into(record)
    if len(parts) < 2:
        return answer("cleared", f"{this}, though what backward() brought was not: it was set to 0 "
                      "since, by zero_grad(set_to_none=False) or by hand.")  # fmt: skip
    told = " and ".join(f"{given.largest:.4g} from {link(visit.record, memory).name}"
                        for visit, _, given in parts[:3])  # fmt: skip
    stop = Stop(parts[0][0].record, Finding("cancelled", "", None))
    return answer("cancelled", f"{this}: {len(parts)} contributions cancel, in size up to {told}.",
                  chain=chain(walk, record, stop.record, memory),
                  line=link(stop.record, memory).line)  # fmt: skip


def _told(
    this: str, record: Record, walk: Walk, stops: list[Stop], memory: Memory | None
) -> Reason:
    """The reason that the first stop gives; the others would be next."""
    if not stops:
        return answer("unknown", f"{this}, and no single operation made it so.")
    reasons = []
    for number, stop in enumerate(stops[:3]):
        line = link(stop.record, memory).line
        where = at(line, quoted=True) or " on the way"
        where += in_layer(memory, None if memory is None else memory.call_of_record(stop.record))
        opening = f"{this}. I{where[2:]}" if number == 0 else where.strip()
        found = chain(walk, record, stop.record, memory)
        text = f"{opening}, {stop.finding.says}."
        reasons.append(answer(stop.finding.cause, text, chain=found, line=line,
                              elements=stop.finding.elements))  # fmt: skip
    first, *others = reasons
    return dataclasses.replace(first, also=tuple(others))


def partly_zero(tensor: Any, grad: Any, loss: Any, memory: Memory | None) -> Reason | None:
    """Why some of the gradient is zero; None where no operation is known to have made it so."""
    record: Any = current_record(tensor)
    walk = _walk_for(record, loss, memory, lambda given: given.zeros > 0)
    if walk is None or not walk.into(record):
        return None
    stops = trace(walk, record, lambda given: given.zeros > 0)
    stops = [stop for stop in stops if stop.finding.cause not in ("cancelled", "hook")]
    partly = [stop for stop in stops if not _whole(stop.finding)]
    stops = partly or stops
    if not stops:
        return None
    count = amount(grad)
    this = (
        f"The `.grad` of this tensor is 0 for {of((count.zeros, count.size))} numbers, and not for "
        "the others"
    )
    told = _told(this, record, walk, stops, memory)
    return dataclasses.replace(told, learns=True)


def nearly_zero(tensor: Any, grad: Any, loss: Any, memory: Memory | None) -> Reason | None:
    """Why no more than rounding is left of a gradient: what came in was far larger."""
    record: Any = current_record(tensor)
    walk = None if memory is None else _walk_for(record, loss, memory, _is_bad)
    parts = [] if walk is None else walk.into(record)
    if walk is None or not parts:
        return None
    came = max(given.largest for *_, given in parts)
    if len(parts) == 1 and parts[0][0].record.primitive.name in SUMS:
        came = parts[0][0].arrived.largest
    rounding = 64 * float(np.finfo(grad._array.dtype).eps)
    if not amount(grad).largest < rounding * came:
        return None
    last = link(parts[0][0].record, memory)
    text = (
        f"The `.grad` of this tensor of shape {list(tensor._array.shape)} is rounding error, up to "
        f"{amount(grad).largest:.2g} in size: contributions of up to {came:.4g} cancel"
        f"{at(last.line, quoted=True)}. The loss does not depend on it, as on a bias before a "
        "batch norm."
    )
    found = chain(walk, record, parts[0][0].record, memory)
    return answer("cancelled", text, chain=found, line=last.line, learns=True)


def _whole(finding: Finding) -> bool:
    return finding.elements is not None and finding.elements[0] == finding.elements[1]


# NaN and infinity


def not_finite_gradient(tensor: Any, grad: Any, loss: Any, memory: Memory | None) -> Reason:
    """Why the gradient is NaN or infinite."""
    record: Any = current_record(tensor)
    count = amount(grad)
    kind = "NaN" if np.isnan(grad._array).any() else "infinite"
    this = (
        f"The `.grad` of this tensor of shape {list(tensor._array.shape)} is {kind}"
        f"{for_how_many((count.bad, count.size))}"
    )
    walk = _walk_for(record, loss, memory, _is_bad)
    forward = _forward(this, tensor, loss, walk, memory)
    if forward is not None:
        return forward
    if not_finite(tensor._array):
        own = bad_count(tensor._array)
        told = "is its own number" if own == (1, 1) else f"are {of(own)} of its own numbers"
        text = f"{this}, and so {told}: an earlier"
        return answer("bad_numbers", f"{text} step made them so, or whatever wrote them.")
    if walk is None or not walk.into(record):
        return answer("unknown", f"{this}. Which operation made it so is not known: nothing was "
                      "remembered of the backward pass, and its graph is gone.")  # fmt: skip
    saved = _first_saved(walk) if memory is None else None
    if saved is not None:
        return _told(this, record, walk, [saved], memory)
    return _told(this, record, walk, trace(walk, record, _is_bad), memory)


def _is_bad(given: Amount) -> bool:
    return given.bad > 0


def _forward(
    this: str, tensor: Any, loss: Any, walk: Walk | None, memory: Memory | None
) -> Reason | None:
    """The first call on the way to the loss whose result was not finite, if one is remembered."""
    if memory is None:
        return None
    goal = None if walk is None else memory.call_of_record(walk.root)
    goal = goal if goal is not None or loss is None else memory.call_of(loss)
    return None if goal is None else forward_reason(this, memory, memory.call_of(tensor), goal)


def forward_reason(this: str, memory: Memory, start: Call | None, goal: Call) -> Reason | None:
    """The first call before `goal` whose result was not finite, though what went in was."""
    troubled = [n for n in ancestors(memory, goal) if memory.calls[n].trouble is not None]
    if not troubled:
        return None
    call = memory.calls[min(troubled)]
    trouble: Any = call.trouble
    steps = way(memory, call, lambda each: each is start) or way(memory, goal, lambda e: e is call)
    first = "The first numbers that are not finite come from the forward pass"
    text = f"{this}. {first}{at(call.line, quoted=True)}: {trouble.says}."
    return answer(trouble.cause, text, chain=links(memory, steps, call), line=call.line,
                  elements=trouble.elements)  # fmt: skip


def _first_saved(walk: Walk) -> Stop | None:
    """The oldest record that keeps what is not finite: the forward pass made it."""
    for record in reversed(walk.order):
        for which, saved in enumerate(record.saved):
            if saved is None or not isinstance(saved[0], np.ndarray) or not not_finite(saved[0]):
                continue
            is_output = which == len(record.inputs)
            source = record if is_output else (*record.inputs, None)[min(which, len(record.inputs))]
            array = saved[0]
            count = (array.size - int(np.isfinite(array).sum()), array.size)
            made = "what was given to" if source is None or source.primitive is None else ""
            place = record if source is None or source.primitive is None else source
            says = f"{made or 'the result of'} {called(place)} is not finite in the forward pass: "
            return Stop(place, Finding("forward_not_finite", f"{says}{numbers(count)}", count))
    return None


def of_result(tensor: Any, memory: Memory | None) -> Reason | None:
    """Why a result, such as a loss, is itself NaN or infinite, where that is remembered."""
    goal = None if memory is None else memory.call_of(tensor)
    if memory is None or goal is None:
        return None
    return forward_reason("This tensor is itself not finite", memory, goal, goal)
