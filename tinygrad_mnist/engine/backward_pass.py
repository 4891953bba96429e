"""The walk backward: from a result's record to the leaves, newest record first.

Every record was made after the records of its inputs, so descending order of sequence visits each
record after all that use it, when its gradient is complete. Gradients in flight live in a
dictionary. With `create_graph` the gradients are Tensors and the same formulas leave records of
their own; otherwise they are plain arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .accumulate_grad import accumulate_grad, run_tensor_hooks
from .hooks import Sent, send_with_hooks
from .modes import _GradMode
from .primitive import Formula
from .record import FREED, AccumulateGrad, Record, freed_error, state
from .unbroadcast import fit_array_shape, restored, unbroadcast
from .versions import release, unpack

Gradient = Any
_ndarray = np.ndarray
_by_sequence = operator.attrgetter("sequence")


def topological_order(roots: Iterable[Record]) -> list[Record]:
    """All records that lead up to `roots`, newest first."""
    seen = set(roots)
    waiting = list(seen)
    while waiting:
        for edge in waiting.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                waiting.append(edge)
    return sorted(seen, key=_by_sequence, reverse=True)


def _leading_to(targets: set[Record], order: list[Record]) -> set[Record]:
    """The records of `order` that send gradients on towards a target."""
    leading: set[Record] = set()
    for record in reversed(order):
        if not targets.isdisjoint(record.edges) or not leading.isdisjoint(record.edges):
            leading.add(record)
    return leading


def run_backward(
    starts: Sequence[tuple[Record, Gradient]],
    *,
    keep: bool,
    create_graph: bool,
    only: set[Record] | None = None,
    capture: bool = False,
) -> dict[Record, Gradient]:
    """Send gradients from `starts` to the leaves, or `only` to some records.

    Leaves add what arrives to their `.grad`; with `capture`, what arrives at the records asked for
    is returned instead. `keep` leaves saved values for another walk. Raises RuntimeError where
    saved values are gone or were changed in place.
    """
    order = topological_order([record for record, _ in starts])
    asked = only or set()
    leading = None if only is None else _leading_to(only, order)
    wanted = None if leading is None else leading | asked
    at_work = leading if capture else wanted
    pending, owned = _begin(starts, wanted)
    arrived: dict[Record, Gradient] = {}
    sender = state.sender or send
    with _GradMode(create_graph), np.errstate(all="ignore"):
        for record in order:
            gradient = pending.pop(record, None)
            if gradient is None:
                continue
            works = at_work is None or record in at_work
            if works and capture and record in asked:
                arrived[record] = gradient
                owned.discard(record)
            watch = record.watch
            if watch is not None and (watch.hooks or watch.retains_grad):
                gradient = run_tensor_hooks(record, watch, gradient, owned)
            if not works:
                if record in asked:
                    arrived[record] = gradient
                continue
            if isinstance(record, AccumulateGrad):
                accumulate_grad(record, gradient, record in owned)
                continue
            if watch is None:
                sent = sender(record, gradient, wanted)
            else:
                sent = send_with_hooks(sender, record, gradient, wanted)
            for position, result, fresh in sent:
                add(pending, owned, record.edges[position], result, fresh)  # type: ignore[arg-type]
            if not keep:
                release(record)
    return arrived


def _begin(
    starts: Sequence[tuple[Record, Gradient]], wanted: set[Record] | None
) -> tuple[dict[Record, Gradient], set[Record]]:
    """The gradients in flight, and of which records they may be added to in place."""
    pending: dict[Record, Gradient] = {}
    owned: set[Record] = set()
    for record, gradient in starts:
        if wanted is None or record in wanted or len(starts) == 1:
            add(pending, owned, record, gradient, False)
    return pending, owned


def send(record: Record, gradient: Gradient, wanted: set[Record] | None) -> Sent:
    """The gradient for each input of `record` that needs one, by the input's formula."""
    op = record.primitive
    assert op is not None
    if record.saved is FREED:
        raise freed_error()
    if wanted is not None:  # what the formulas that are left out have saved is checked, too
        for which, saved in enumerate(record.saved):
            if saved is not None:
                unpack(record, which, False)
    sent: Sent = []
    if op.vjp is not None:
        for position, result in enumerate(op.vjp(record, gradient)):
            edge = record.edges[position]
            if edge is not None and result is not None and (wanted is None or edge in wanted):
                sent.append((position, result, False))
        return sent
    as_tensors = gradient.__class__ is not _ndarray
    if op.reduces and not record.attributes["keepdim"]:
        gradient = restored(gradient, record)
    for position, edge in enumerate(record.edges):
        if edge is None or (wanted is not None and edge not in wanted):
            continue
        formula = op.formula(position)
        if formula is None:
            continue
        values = [unpack(record, which, as_tensors) for which in formula.saved]
        if formula.plain:
            result = formula.function(gradient, *values)
        else:
            keywords = _keywords(formula, record, position, edge)
            result = formula.function(gradient, *values, **keywords)
        if as_tensors:
            sent.append((position, unbroadcast(result, edge), False))
            continue
        if result.__class__ is not _ndarray:
            result = np.asarray(result)
        fresh = result is not gradient and result.base is None
        if result.shape != edge.shape:
            result = fit_array_shape(result, edge.shape)
            fresh = fresh or result.base is None
        if result.dtype is not edge.dtype and result.dtype != edge.dtype:
            result = result.astype(edge.dtype)
        sent.append((position, result, fresh))
    return sent


def _keywords(formula: Formula, record: Record, position: int, edge: Record) -> dict[str, Any]:
    """What a formula asks for besides saved values; attributes may rely on some being unchanged."""
    for which in range(len(record.edges) + 1, len(record.saved)):
        unpack(record, which, False)
    keywords = {name: record.attributes[name] for name in formula.attributes}
    if formula.wants_shape:
        keywords["shape"] = edge.shape
    if formula.wants_position:
        keywords["position"] = position
    return keywords


def add(
    pending: dict[Record, Gradient],
    owned: set[Record],
    record: Record,
    gradient: Gradient,
    fresh: bool,
) -> None:
    """Add to what `record` has received: the first gift is borrowed unless fresh, a sum owned."""
    known = pending.get(record)
    if known is None:
        pending[record] = gradient
        if fresh:
            owned.add(record)
    elif known.__class__ is not _ndarray:
        pending[record] = known + gradient
    elif record in owned:
        np.add(known, gradient, known)
    else:
        pending[record] = np.asarray(known + gradient)
        owned.add(record)
