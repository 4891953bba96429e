"""The backward pass with all that PyTorch adds to `core.backward_pass`: the fast way.

It stops at inputs that were asked for, calls hooks, checks and frees saved tensors, and accumulates
in memory of its own. Gradients in flight live in a dictionary. With `create_graph` they are Tensors
and the formulas leave records of their own; otherwise they are plain arrays.
"""

from __future__ import annotations

import contextvars
import functools
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import restore_reduced_dims, topological_order
from tinygrad_mnist.core.primitive import Formula
from tinygrad_mnist.core.record import state
from tinygrad_mnist.dtypes import NARROW, widened
from tinygrad_mnist.kernels.locks import held_through_fork

from .calls import explain_shapes
from .hooks import (
    Bundle,
    Gradient,
    Gradients,
    Hooks,
    as_tensor,
    run_hooks,
    run_post_accumulate_hooks,
    run_post_hooks,
    run_pre_hooks,
)
from .memory import SHARED
from .modes import Pass, backward_mode, in_new_thread
from .node import (
    CALL,
    FREED,
    HOOKED,
    PACKED,
    AccumulateGrad,
    Record,
    count_outputs,
    freed_error,
    hooks_of,
)
from .saved_tensors import DETACHED, free, refuse_other_shapes, unpack
from .tensor import TensorBase, wrap
from .unbroadcast import unbroadcast, unbroadcast_array

_ndarray = np.ndarray
_accumulation = held_through_fork(threading.Lock())
_ERRORS, _IGNORED = next(iter(state.quietly(contextvars.copy_context).items()))
"""NumPy's setting for floating-point errors, and its value while a pass runs: they are ignored."""
NESTED = 20
"""So many backward passes inside each other share a thread; deeper ones get one of their own."""


def run_backward(
    starts: Sequence[tuple[Record, Gradient]],
    *,
    keep_graph: bool,
    create_graph: bool,
    inputs: set[Record] | None = None,
    accumulate: bool = True,
) -> dict[Record, Gradient]:
    """Propagate gradients from `starts` to the leaves, or only to some records, `inputs`.

    Leaves accumulate what arrives in their `.grad`; without `accumulate`, what arrives at the
    inputs is returned instead. `keep_graph` leaves saved tensors for another pass. Raises
    RuntimeError where saved tensors were freed or changed in place.
    """
    mode = backward_mode.__dict__
    outer: Pass | None = mode["running"]
    depth = 1 if outer is None else outer.depth + 1
    if depth > NESTED:
        return in_new_thread(
            functools.partial(
                run_backward, starts, keep_graph=keep_graph, create_graph=create_graph,
                inputs=inputs, accumulate=accumulate,
            )
        )  # fmt: skip
    mode["running"] = running = Pass(depth)
    packing = mode["packing"]
    before = packing[:]
    try:
        walk = mode["walk"]
        if walk is None:
            arrived = _walk(running, starts, keep_graph, create_graph, inputs, accumulate)
        else:
            arrived = walk(_walk, running, starts, keep_graph, create_graph, inputs, accumulate)
        for callback in running.callbacks or ():
            callback()
        return arrived
    except (IndexError, ValueError) as error:
        if running.opened is not None:
            refuse_other_shapes(*running.opened, error)
        raise
    finally:
        mode["running"] = outer
        packing[:] = before


def _walk(
    running: Pass,
    starts: Sequence[tuple[Record, Gradient]],
    keep_graph: bool,
    create_graph: bool,
    inputs: set[Record] | None,
    accumulate: bool,
) -> dict[Record, Gradient]:
    """`run_backward` in this thread."""
    order = topological_order([record for record, _ in starts])
    if HOOKED:
        order = leaves_when_complete(order)
    leading = None if inputs is None else _leading_to(inputs, order)
    wanted = None if leading is None or inputs is None else leading | inputs
    running.order, running.needed = order, wanted
    thread = state.__dict__
    recorded, thread["grad_enabled"] = thread["grad_enabled"], create_graph
    outside = _ERRORS.set(_IGNORED)
    try:
        needed = wanted if accumulate else leading
        return _visit(running, starts, keep_graph, inputs, needed, accumulate)
    finally:
        _ERRORS.reset(outside)
        thread["grad_enabled"] = recorded


def _visit(
    running: Pass,
    starts: Sequence[tuple[Record, Gradient]],
    keep_graph: bool,
    inputs: set[Record] | None,
    needed: set[Record] | None,
    accumulate: bool,
) -> dict[Record, Gradient]:
    """Pass gradients on from each record in its turn; only from those `needed`, if some are not."""
    arrived: dict[Record, Gradient] = {}
    wanted = running.needed
    pending, owned = _begin(starts, wanted)
    compute = backward_mode.vjp or vjp
    for record in running.order:
        gradient = pending.pop(record, None)
        if gradient is None:
            continue
        goes_on = needed is None or record in needed
        asked = inputs is not None and record in inputs
        if asked and goes_on and not accumulate:
            arrived[record] = gradient
            owned.discard(record)
        hooks = record.hooks
        if hooks is not None and (hooks.tensor_hooks or hooks.retains_grad):
            gradient = run_tensor_hooks(record, hooks, gradient, owned)
        if not goes_on:
            if asked:
                arrived[record] = gradient
            continue
        if isinstance(record, AccumulateGrad):
            accumulate_grad(record, gradient, record in owned)
            continue
        if hooks is None:
            found = compute(record, gradient, wanted)
        else:
            found = vjp_with_hooks(compute, record, hooks, gradient, wanted)
        sources = record.inputs
        for position, result, fresh in found:
            source: Any = sources[position]
            if source in pending:
                add(pending, owned, source, result, fresh)
            else:
                pending[source] = result
                if fresh:
                    owned.add(source)
        found, result = [], None  # so that the last one to hold a gradient can take it over
        if not keep_graph:
            free(record)
    return arrived


def leaves_when_complete(order: list[Record]) -> list[Record]:
    """`order` with each leaf right after the last record that passes a gradient to it.

    Hooks of leaves are called as soon as in PyTorch.
    """
    last: dict[Record, Record] = {}
    for record in order:
        for source in record.inputs:
            if isinstance(source, AccumulateGrad):
                last.pop(source, None)
                last[source] = record
    leaves: dict[Record, list[Record]] = {}
    for leaf, record in last.items():
        leaves.setdefault(record, []).append(leaf)
    others = [record for record in order if record not in last]
    return [each for record in others for each in (record, *leaves.get(record, ()))]


def _leading_to(targets: set[Record], order: list[Record]) -> set[Record]:
    """The records of `order` that pass gradients on towards a target."""
    leading: set[Record] = set()
    for record in reversed(order):
        if not targets.isdisjoint(record.inputs) or not leading.isdisjoint(record.inputs):
            leading.add(record)
    return leading


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


def add(
    pending: dict[Record, Gradient],
    owned: set[Record],
    record: Record,
    gradient: Gradient,
    fresh: bool,
) -> None:
    """Add to what `record` has received: the first one is borrowed unless fresh, a sum owned."""
    known = pending.get(record)
    if known is None:
        pending[record] = gradient
        if fresh:
            owned.add(record)
    elif known.__class__ is not _ndarray:
        pending[record] = known + gradient
    elif record in owned:
        np.add(known, gradient, known)
    elif fresh:
        pending[record] = np.add(known, gradient, gradient)
        owned.add(record)
    else:
        pending[record] = np.asarray(known + gradient)
        owned.add(record)


def vjp(record: Record, gradient: Gradient, wanted: set[Record] | None) -> Gradients:
    """The vector-Jacobian product for each input of `record` that needs a gradient."""
    op = record.primitive
    if record.saved is FREED:
        raise freed_error()
    if wanted is not None:  # what the formulas that are left out have saved is checked, too
        for which, saved in enumerate(record.saved):
            if saved is not None and saved[1] is not PACKED:
                unpack(record, which, False)
    if op.vjp is not None:
        return _all_at_once(op.vjp, record, gradient, wanted)
    found: Gradients = []
    as_tensors = gradient.__class__ is not _ndarray
    if op.reduces and not record.attributes["keepdim"]:
        gradient = restore_reduced_dims(gradient, record)
    careful = as_tensors or op.reduces or DETACHED
    kept: Any = record.saved
    formulas, variadic = op.by_position, op.variadic
    for position, source in enumerate(record.inputs):
        if source is None or (wanted is not None and source not in wanted):
            continue
        formula = formulas[0 if variadic else position]
        if formula is None:
            continue
        values = [gradient]
        for which in formula.saved:
            value, counter, version = kept[which]
            if careful or counter[0] != version:
                value = unpack(record, which, as_tensors)
            values.append(value)
        if NARROW and not as_tensors:
            values, _ = widened(tuple(values))  # type: ignore[assignment]
        if formula.keywords:
            keywords = _keywords(formula, record, position, source)
            result = formula.function(*values, **keywords)
        else:
            result = formula.function(*values)
        if as_tensors:
            found.append((position, unbroadcast(result, source), False))
            continue
        if result.__class__ is not _ndarray:
            result = np.asarray(result)
        fresh = result is not gradient and result.base is None
        if result.shape != source.shape:
            result = unbroadcast_array(result, source.shape)
            fresh = fresh or result.base is None
        if result.dtype is not source.dtype and result.dtype != source.dtype:
            result = result.astype(source.dtype)
        found.append((position, result, fresh))
    return found


def _all_at_once(
    of: Callable[[Any, Any], list[Any]],
    record: Record,
    gradient: Gradient,
    wanted: set[Record] | None,
) -> Gradients:
    """`vjp` where one function computes the gradients of all inputs."""
    return [
        (position, result, False)
        for position, result in enumerate(of(record, gradient))
        if (source := record.inputs[position]) is not None
        and result is not None
        and (wanted is None or source in wanted)
    ]


def _keywords(formula: Formula, record: Record, position: int, source: Record) -> dict[str, Any]:
    """What a formula asks for besides saved values; `must_not_change` is seen to first."""
    if len(record.saved) > len(record.inputs) + 1:
        for which in range(len(record.inputs) + 1, len(record.saved)):
            unpack(record, which, False)
    keywords: dict[str, Any] = {}
    for name in formula.keywords:
        if name == "shape":
            keywords[name] = source.shape
        else:
            keywords[name] = position if name == "position" else record.attributes[name]
    return keywords


def vjp_with_hooks(
    compute: Callable[..., Gradients],
    record: Record,
    hooks: Hooks,
    gradient: Gradient,
    wanted: set[Record] | None,
) -> Gradients:
    """A record's gradients, with its own hooks called before and after.

    Hooks of outputs for which no gradient came are called first, with None.
    """
    for position, functions in hooks.outputs.items():
        if position not in gradient:
            run_hooks(functions, None)
    if hooks.pre_hooks:
        gradient = run_pre_hooks(hooks.pre_hooks, gradient)
        if gradient is None:
            return []
    found = compute(record, gradient, wanted)
    if not hooks.node_hooks:
        return found
    return run_post_hooks(hooks.node_hooks, len(record.inputs), found, gradient)


def run_tensor_hooks(
    record: Record, hooks: Hooks, gradient: Gradient, owned: set[Record]
) -> Gradient:
    """Do with a tensor's gradient what was asked: call hooks, keep it in `.grad`."""
    if hooks.tensor_hooks:
        owned.discard(record)
        gradient = run_hooks(hooks.tensor_hooks, gradient)
    if hooks.retains_grad and record.primitive is not None:
        kept = as_tensor(gradient)
        hooks.grad = kept.clone() if hooks.grad is None else hooks.grad + kept
    return gradient


def _references(gradient: Gradient) -> int:
    return sys.getrefcount(gradient)


def _references_to_a_new_one() -> int:
    """How many references a function counts to what only its caller and itself hold."""
    gradient = np.empty(0)
    return _references(gradient)


_ALONE = _references_to_a_new_one()


def held_once_more(gradient: Gradient) -> bool:
    """Whether only the caller's variable and one thing more, a dictionary, hold this array."""
    alone = _references(gradient) == _ALONE + 2  # the name in this function, too
    return alone and gradient.__class__ is _ndarray and gradient.base is None


def accumulate_grad(leaf: AccumulateGrad, gradient: Gradient, owned: bool) -> None:
    """Add `gradient` to a leaf's `.grad`, which never shares memory with another tensor.

    A leaf that requires no gradient any more, or is gone, keeps none.
    """
    hooks = leaf.hooks or hooks_of(leaf)
    tensor: Any = leaf._variable()
    if hooks.pre_hooks:
        gradient = run_pre_hooks(hooks.pre_hooks, gradient)
        if gradient is None:
            return
    end = None if tensor is None else tensor._record
    if end is leaf or (end is not None and end.hooks is hooks):  # a newer end, after `set_`
        with _accumulation:
            known = hooks.grad
            if gradient.__class__ is not _ndarray:
                hooks.grad = _accumulated(known, gradient)
            elif known is None:
                taken = owned or (
                    gradient.base is None
                    and not hooks.pre_hooks
                    and sys.getrefcount(gradient) == _ALONE
                )
                gradient = gradient if taken else gradient.copy()
                hooks.grad = wrap(gradient)
            else:
                array = known._array
                try:
                    np.add(array, gradient, array)
                except ValueError:
                    if not array.flags.writeable:
                        raise RuntimeError(SHARED) from None
                    explain_shapes((array, gradient))
                    raise
                known._counter[0] += 1
        if hooks.post_hooks:
            run_post_accumulate_hooks(hooks.post_hooks, tensor)
    elif tensor is not None and tensor._record is not None and tensor._record.primitive is not None:
        raise RuntimeError("leaf variable has been moved into the graph interior")
    if hooks.node_hooks:
        run_post_hooks(hooks.node_hooks, 0, [], gradient)


def _called(record: Record, gradients: tuple[Any, ...]) -> Any:
    """A record called as a function: its inputs' gradients for those of its outputs."""
    expected = count_outputs(record)
    if len(gradients) != expected:
        raise TypeError(f"expected {expected} arguments, got {len(gradients)} instead")
    for position, gradient in enumerate(gradients):
        if gradient is not None and not isinstance(gradient, TensorBase):
            raise TypeError(f"argument {position} is not a Variable")
    given = {at: gradient for at, gradient in enumerate(gradients) if gradient is not None}
    results: list[Any] = [None] * len(record.inputs)
    if isinstance(record, AccumulateGrad) and given:
        accumulate_grad(record, given[0], False)
    elif given:
        above = given[0] if expected == 1 else Bundle(given, expected)
        for position, gradient, _ in vjp(record, above, None):
            results[position] = gradient
    return results[0] if len(results) == 1 else tuple(results)


CALL[0] = _called


def _accumulated(known: Any, gradient: Any) -> Any:
    """What a leaf's `.grad` is after a Tensor came: `known` itself unless records are kept."""
    if known is None:
        return wrap(np.empty_like(gradient._array)).copy_(gradient)
    total = known + gradient
    return total if state.grad_enabled else known.copy_(total)
