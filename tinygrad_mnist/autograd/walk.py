"""The walk backward: from a result's record to the leaves, newest record first.

Every record was made after the records of its inputs, so descending order of birth visits each
record after all that use it, when its gradient is complete. Gradients in flight live in a
dictionary. With `create_graph` the gradients are Tensors and the same formulas leave records of
their own; otherwise they are plain arrays.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.primitive import Formula
from tinygrad_mnist.record import AccumulateGrad, Record, TensorBase, state, wrap

from .fitting import fit, fit_array_shape, restored
from .grad_mode import _GradMode
from .hooks import run_hooks
from .saved_values import release, unpack

Gradient = Any
_accumulation = threading.Lock()
_ndarray = np.ndarray
_by_birth = operator.attrgetter("birth")


def reachable(roots: Iterable[Record]) -> list[Record]:
    """All records that lead up to `roots`, newest first."""
    seen = set(roots)
    waiting = list(seen)
    while waiting:
        for edge in waiting.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                waiting.append(edge)
    return sorted(seen, key=_by_birth, reverse=True)


def _leading_to(targets: set[Record], order: list[Record]) -> set[Record]:
    """The records of `order` from which a target can be reached."""
    wanted = set(targets)
    for record in reversed(order):
        if not wanted.isdisjoint(record.edges):
            wanted.add(record)
    return wanted


def walk(
    starts: Sequence[tuple[Record, Gradient]],
    *,
    keep: bool,
    create_graph: bool,
    targets: Sequence[Record] | None = None,
) -> dict[Record, Gradient]:
    """Send gradients from `starts` to the leaves, and return those that arrive at `targets`.

    Without targets, leaves add what arrives to their `.grad`. `keep` leaves saved values for
    another walk. Raises RuntimeError where saved values are gone or were changed in place.
    """
    order = reachable([record for record, _ in starts])
    wanted = None if targets is None else _leading_to(set(targets), order)
    pending: dict[Record, Gradient] = {}
    owned: set[Record] = set()
    arrived: dict[Record, Gradient] = {}
    for record, gradient in starts:
        add(pending, owned, record, gradient, False)
    hand_on = state.sender or send
    with _GradMode(create_graph), np.errstate(all="ignore"):
        for record in order:
            gradient = pending.pop(record, None)
            if gradient is None:
                continue
            watch = record.watch
            if watch is not None and watch.hooks:
                owned.discard(record)
                gradient = run_hooks(record, watch.hooks, gradient)
            if targets is not None and record in targets:
                arrived[record] = gradient
            elif targets is None and isinstance(record, AccumulateGrad):
                _accumulate(record, gradient, record in owned)
            if watch is not None and watch.retains_grad:
                watch.grad = gradient if create_graph else wrap(gradient.copy())
            if record.primitive is not None and (wanted is None or record in wanted):
                hand_on(record, gradient, pending, owned, wanted)
                if not keep:
                    release(record)
    return arrived


def send(
    record: Record,
    gradient: Gradient,
    pending: dict[Record, Gradient],
    owned: set[Record],
    wanted: set[Record] | None,
) -> None:
    """Give each input of `record` that needs one its gradient, by the input's formula."""
    op = record.primitive
    assert op is not None
    if op.sends is not None:
        for edge, result in zip(record.edges, op.sends(record, gradient), strict=True):
            if edge is not None and result is not None and (wanted is None or edge in wanted):
                add(pending, owned, edge, result, False)
        return
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
            add(pending, owned, edge, fit(result, edge), False)
            continue
        if result.__class__ is not _ndarray:
            result = np.asarray(result)
        fresh = result is not gradient and result.base is None
        if result.shape != edge.shape:
            result = fit_array_shape(result, edge.shape)
            fresh = fresh or result.base is None
        if result.dtype is not edge.dtype and result.dtype != edge.dtype:
            result = result.astype(edge.dtype)
        add(pending, owned, edge, result, fresh)


def _keywords(formula: Formula, record: Record, position: int, edge: Record) -> dict[str, Any]:
    """What a formula asks for besides saved values."""
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


def _accumulate(leaf: AccumulateGrad, gradient: Gradient, owned: bool) -> None:
    """Add `gradient` to a leaf's `.grad`, which never shares memory with another tensor."""
    watch = leaf.watched()
    with _accumulation:
        known = watch.grad
        if isinstance(gradient, TensorBase):
            watch.grad = gradient if known is None else known + gradient
        elif known is None:
            watch.grad = wrap(gradient if owned else gradient.copy())
        elif known._record is not None:
            watch.grad = known + wrap(gradient)
        else:
            np.add(known._array, gradient, known._array)
            known._counter[0] += 1
    for hook in list(watch.post_hooks.values()):
        hook(leaf.variable)
