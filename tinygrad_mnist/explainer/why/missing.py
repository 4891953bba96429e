"""Why there is no gradient at all: no record, no way, no backward pass, or it was cleared."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.node import FREED, AccumulateGrad, OutputRecord, Record
from tinygrad_mnist.engine.views import current_record

from .memory import Call, Memory
from .reason import Link, Reason, at
from .search import Step, ancestors, links, way
from .traces import chain, link, missing
from .walks import Walk, changed_in_place, is_freed
from .words import CUTS, FIXES, MEMORY, OF_LOSS, answer


def _shape(tensor: Any) -> str:
    return f"of shape {list(tensor._array.shape)}"


def _asks(memory: Memory | None) -> str:
    return f" {MEMORY}" if memory is None else ""


# No record: the tensor takes no part in any graph


def no_record(tensor: Any, memory: Memory | None) -> Reason:
    """Why a tensor requires no gradient."""
    cut = _cut_before(tensor, memory)
    if cut is not None:
        return cut
    this = f"This tensor {_shape(tensor)}"
    if tensor._array.dtype.kind != "f":
        text = f"{this} holds {tensor.dtype}: only floating-point numbers have gradients."
        return answer("integer", text)
    if tensor.__dict__.get("_resting_leaf") is not None:
        text = f"{this} is frozen: it required a gradient, and that was switched off"
        return answer("frozen", f"{text} (`requires_grad_(False)` or `detach_()`).")
    call = None if memory is None else memory.call_of(tensor)
    this += " has requires_grad=False, so no gradient is computed for it"
    if call is not None and call.parents and memory is not None:
        text = f"{this}: nothing that it was computed from requires one."
        return answer("requires_grad", text, line=call.line, chain=_sources(memory, call))
    if not state.grad_enabled:
        text = f"{this}. Gradients are off now (`torch.is_grad_enabled()` is False): what is "
        return answer("no_grad", f"{text}computed leaves no record.{_asks(memory)}")
    if memory is not None:
        return answer("requires_grad", f"{this}: it was made without asking for one.")
    text = f"{this}: it was made without asking for one, or computed where nothing is recorded"
    return answer("requires_grad", f"{text} (`no_grad`), or from what was detached. {MEMORY}")


def _sources(memory: Memory, call: Call) -> tuple[Link, ...]:
    first = memory.calls[min(ancestors(memory, call))]
    return links(memory, way(memory, call, lambda each: each is first))


def _cut_before(tensor: Any, memory: Memory | None) -> Reason | None:
    """The cut between a tensor without record and what it was computed from, if there is one."""
    call = None if memory is None else memory.call_of(tensor)
    if memory is None or call is None or call.graded:
        return None
    steps = way(memory, call, lambda each: each.graded)
    says = f"This tensor {_shape(tensor)} has no record"
    return cut_reason(memory, steps, says) if steps else None


def cut_reason(memory: Memory, steps: list[Step], says: str) -> Reason:
    """The first cut on a way is the reason; those after it would be next."""
    cuts = [each for each in enumerate(steps) if each[1].cut is not None]
    reasons: list[Reason] = []
    likely = " most likely" if any(step.cut == "perhaps" for _, step in cuts) else ""
    for number, (place, step) in enumerate(cuts):
        cut: Any = step.cut
        call = steps[place - 1].call if cut == "perhaps" else step.call
        opening = f"{says}: the way to it is{likely} cut" if number == 0 else "further on it is cut"
        key = "item" if cut == "perhaps" else cut
        text = f"{opening}{at(call.line, quoted=True)}. {CUTS[cut]}."
        if (key, call.line) in [(each.cause, each.line) for each in reasons]:
            continue
        reasons.append(Reason(key, text, FIXES[cut], links(memory, steps), call.line))
    first, *others = reasons
    return dataclasses.replace(first, also=tuple(others))


# A record, but no leaf: its gradient passes and is not kept


def _begins(tensor: Any, loss: Any, memory: Memory | None) -> bool:
    """Whether a tensor is the loss: it is said to be, or a backward pass began there."""
    roots: list[Any] = [] if memory is None else [walk.root for walk in memory.passes]
    roots += [] if loss is None else [current_record(loss)]
    return any(current_record(tensor) is root for root in roots)


def not_a_leaf(tensor: Any, loss: Any, memory: Memory | None) -> Reason:
    """A tensor that was computed keeps no gradient."""
    record: Any = current_record(tensor)
    path = [record]
    while len(sources := [each for each in path[-1].inputs if each is not None]) == 1:
        path.append(sources[0])
    made = link(record, memory)
    if _begins(tensor, loss, memory):
        text = f"This tensor {_shape(tensor)} was computed{at(made.line)} (by {made.name}), and"
        text += (
            " backward() starts here: its own gradient is what that starts from, and is not kept."
        )
        return dataclasses.replace(answer("not_a_leaf", text, line=made.line), fix=OF_LOSS)
    text = (
        f"This tensor {_shape(tensor)} is not a leaf: it was computed{at(made.line)} (by "
        f"{made.name}), and backward() keeps gradients for leaves only."
    )
    if loss is None and not tensor._array.ndim:
        text += " If it is the loss: its own gradient is 1, so ask of what it was computed from."
    if isinstance(path[-1], AccumulateGrad) and path[-1].variable is None:
        text += (
            " The leaf that asked for a gradient (requires_grad=True) is the tensor before that "
            "operation, which no variable holds any more."
        )
        if record.primitive.name in ("sub", "add"):
            text += (
                " If this was meant as a step of gradient descent, change the leaf in place: `with "
                "torch.no_grad(): w -= lr * w.grad`."
            )
    found = tuple([link(each, memory, each is record) for each in reversed(path)])
    return answer("not_a_leaf", text, chain=found, line=made.line)


# A leaf that requires a gradient, and has none


def no_gradient(tensor: Any, loss: Any, memory: Memory | None) -> Reason:
    """Why the `.grad` of a leaf is None."""
    record: Any = current_record(tensor)
    walks = [] if memory is None else list(memory.passes)
    root = None if loss is None else current_record(loss)
    if loss is not None and root is None:
        return _unreachable(tensor, None, loss, memory)
    if root is not None:
        walks = [walk for walk in walks if root in walk.visits]
    walks.sort(key=lambda walk: not walk.by_grad)
    for walk in reversed(walks):
        if record in walk.consumers:
            return _passed_by(tensor, record, walk, memory)
    if loss is None and not walks:
        return _never(tensor, memory)
    root = walks[-1].root if root is None else root
    order = walks[-1].order if walks else topological_order([root])
    if record not in order:
        return _unreachable(tensor, order, loss, memory)
    return _not_walked(tensor, root, order, memory)


def _passed_by(tensor: Any, record: Record, walk: Walk, memory: Memory | None) -> Reason:
    """A pass reached the tensor's record, and yet there is no gradient."""
    when = at(walk.line)
    this = f"The `.grad` of this tensor {_shape(tensor)} is None"
    if walk.failure is not None:
        return _failed(f"{this}: the backward pass{when} ended with an error", record, walk, memory)
    if walk.into(record):
        cause, text = "cleared", "which was cleared since, by zero_grad() or `.grad = None`"
        if record.primitive is not None:
            cause, text = "retained_late", "which was not kept: `.retain_grad()` came later"
        if walk.by_grad:
            cause, text = "by_grad", "which `autograd.grad` returns: it leaves `.grad` as it is"
        text = f"{this}. The backward pass{when} computed its gradient, {text}."
        found = chain(walk, record, walk.root, memory)
        return answer(cause, text, line=walk.line, chain=found)
    needed = None if walk.running is None else walk.running.needed
    if needed is not None and record not in needed and walk.by_grad:
        text = (
            f"{this}: `autograd.grad`{when} was asked for the gradient of other tensors only, and"
        )
        return answer("by_grad", f"{text} leaves every `.grad` as it is.", line=walk.line)
    if needed is not None and record not in needed:
        return answer("not_asked", f"{this}: the backward pass{when} was asked for other tensors "
                      "only.", line=walk.line)  # fmt: skip
    stop = missing(walk, record)
    if stop is None:
        return answer("not_walked", f"{this}: the backward pass{when} ended before it.",
                      line=walk.line)  # fmt: skip
    found = chain(walk, record, stop.record, memory)
    line = link(stop.record, memory).line
    text = f"{this}:{at(line, quoted=True)} {stop.finding.says}."
    return answer(stop.finding.cause, text, chain=found, line=line)


def failed_since(tensor: Any, loss: Any, memory: Memory | None) -> Reason | None:
    """The error that ended the latest backward pass, where `.grad` is of one before."""
    record: Any = current_record(tensor)
    walk = memory.passes[-1] if memory is not None and memory.passes else None
    if walk is None or walk.failure is None or record not in walk.consumers:
        return None
    if loss is not None and current_record(loss) not in walk.order:
        return None
    text = f"The `.grad` of this tensor {_shape(tensor)} is not the latest backward pass's: that"
    return _failed(f"{text}{at(walk.line)} ended with an error", record, walk, memory)


def _failed(text: str, record: Record, walk: Walk, memory: Memory | None) -> Reason:
    """An error ended the pass before it came to the tensor."""
    assert walk.failure is not None
    failed, error, changed = walk.failure
    made = link(failed, memory)
    found = chain(walk, record, failed, memory)
    text += f" at {made.name}{at(made.line)}"
    if changed is not None:
        text += f": numbers that it needs were overwritten{at(changed, quoted=True)}."
        return answer("changed", text, chain=found, line=changed)
    cause = "freed" if failed.saved is FREED else "failed"
    return answer(cause, f"{text}: {error.partition('. ')[0]}.", chain=found, line=made.line)


def _never(tensor: Any, memory: Memory | None) -> Reason:
    text = f"The `.grad` of this tensor {_shape(tensor)} is None: "
    if memory is None:
        return answer("not_walked", f"{text}no backward() has reached it, or zero_grad() cleared "
                      "it since. With the loss, `torch.why(tensor, loss)`, more can be said."
                      f"{_asks(memory)}")  # fmt: skip
    return answer("not_walked", f"{text}backward() was never called, on anything.")


def _not_walked(tensor: Any, root: Any, order: Any, memory: Memory | None) -> Reason:
    record: Any = current_record(tensor)
    text = f"The `.grad` of this tensor {_shape(tensor)} is None. The loss was computed from it"
    changed = next((each for each in order if changed_in_place(each) is not None), None)
    if changed is not None:
        text += f", but numbers that the backward of {link(changed, memory).name} needs were"
        found = chain(Walk(order), record, changed, memory)
        return answer("changed", f"{text} overwritten in place.", chain=found)
    if is_freed(order):
        return answer("cleared", f"{text}, and backward() has run and freed the graph: `.grad` was "
                      "cleared since (zero_grad), or the gradient was asked for by `autograd.grad` "
                      f"or for other `inputs`.{_asks(memory)}")  # fmt: skip
    found = chain(Walk(order), record, root, memory)
    return answer("not_walked", f"{text}, but backward() was not called on the loss.", chain=found)


# No way from the loss to the tensor


def _unreachable(tensor: Any, order: Any, loss: Any, memory: Memory | None) -> Reason:
    """The loss does not lead to the tensor: which cut is it, or was the tensor not used?"""
    text = f"No gradient reaches this tensor {_shape(tensor)}"
    found = _unused_output(tensor, order or ()) or _twin(tensor, order or ())
    if found is not None:
        return found
    if memory is not None:
        start = memory.call_of(tensor) or memory.before_asked(tensor)
        goal = memory.source_of(loss) if loss is not None else memory.call_of_record(order[0])
        if goal is not None:
            steps = [] if start is None else way(memory, goal, lambda each: each is start)
            if any(step.cut is not None for step in steps):
                return cut_reason(memory, steps, text)
            if steps:
                text += ": it required none yet when the loss was computed from it."
                return answer("asked_late", text, chain=links(memory, steps))
            return answer("unused", f"{text}: it was not used in computing the loss."
                          f"{_where_it_ends(memory, start)}")  # fmt: skip
    if order is None:
        return answer("unreachable", f"{text}: the loss has no record at all (its requires_grad is "
                      "False). It was computed where gradients are off (`no_grad`), from detached "
                      "or whole numbers, or from numbers that Python read (`.item()`)."
                      f"{_asks(memory)}")  # fmt: skip
    return answer("unreachable", f"{text}: the records of the loss do not lead to it. It was not "
                  "used for this loss, or the way is cut (`detach`, `no_grad`, `.data`, `.item()`, "
                  f"whole numbers).{_asks(memory)}")  # fmt: skip


def _where_it_ends(memory: Memory, start: Call | None) -> str:
    """The last that was made of a tensor."""
    if start is None:
        return " It was not used in any operation since memory is on."
    last = start
    made = {start.number}
    for number, call in memory.calls.items():
        if number > start.number and any(parent in made for parent, _ in call.parents):
            made.add(number)
            last = call
    if last is start:
        return " It was not used in any operation."
    return f" The last computed from it is {last.name}{at(last.line)}, which the loss does not use."


def _unused_output(tensor: Any, order: Any) -> Reason | None:
    record = tensor._record
    if not isinstance(record, OutputRecord) or record.inputs[0] not in order:
        return None
    position, outputs = record.attributes["position"], record.attributes["outputs"]
    text = f"No gradient reaches this tensor {_shape(tensor)}: it is output {position} of {outputs}"
    return answer("unused_output", f"{text} of its operation, and the loss uses others only.")


def _twin(tensor: Any, order: Any) -> Reason | None:
    """Another leaf with the very same numbers, which the loss does lead to."""
    array = tensor._array
    if array.size < 2 or array.min() == array.max():
        return None
    for record in order:
        other = record.variable if isinstance(record, AccumulateGrad) else None
        if other is None or other is tensor or np.may_share_memory(other._array, array):
            continue
        if np.array_equal(other._array, array):
            text = f"No gradient reaches this tensor {_shape(tensor)}, but one reaches another leaf"
            text += " with the very same numbers: this one is a copy of what was used (deepcopy, a"
            return answer("copy", f"{text} parameter replaced, a model loaded twice).")
    return None
