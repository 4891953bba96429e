"""The walk backward: from a result's record to the leaves, newest record first.

Every record was made after the records of its inputs, so descending order of birth visits each
record after all that use it, when its gradient is complete. Gradients in flight live in a
dictionary. With `create_graph` the gradients are Tensors and the same formulas leave records of
their own; otherwise they are plain arrays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.ops.elementwise import cast_to
from tinygrad_mnist.ops.reductions import _sum
from tinygrad_mnist.ops.shapes import expand, reshape
from tinygrad_mnist.primitive import (
    AccumulateGrad,
    Formula,
    Record,
    Saved,
    TensorBase,
    current_record,
    wrap,
)
from tinygrad_mnist.dtypes import from_numpy_dtype

from .grad_mode import _GradMode

Gradient = Any
_RELEASED: tuple[Saved | None, ...] = ()
_accumulation = threading.Lock()


def reachable(roots: Iterable[Record]) -> list[Record]:
    """All records that lead up to `roots`, newest first."""
    seen = set(roots)
    waiting = list(seen)
    while waiting:
        for edge in waiting.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                waiting.append(edge)
    return sorted(seen, key=lambda record: record.birth, reverse=True)


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
        _add(pending, owned, record, gradient, False)
    with _GradMode(create_graph), np.errstate(all="ignore"):
        for record in order:
            gradient = pending.pop(record, None)
            if gradient is None:
                continue
            watch = record.watch
            if watch is not None and watch.hooks:
                owned.discard(record)
                gradient = _run_hooks(record, watch.hooks, gradient)
            if targets is not None and record in targets:
                arrived[record] = gradient
            elif targets is None and isinstance(record, AccumulateGrad):
                _accumulate(record, gradient, record in owned)
            if watch is not None and watch.retains_grad:
                watch.grad = gradient if create_graph else wrap(gradient.copy())
            if record.primitive is not None and (wanted is None or record in wanted):
                _send(record, gradient, pending, owned, wanted)
                if not keep:
                    _release(record)
    return arrived


def _send(
    record: Record,
    gradient: Gradient,
    pending: dict[Record, Gradient],
    owned: set[Record],
    wanted: set[Record] | None,
) -> None:
    """Give each input of `record` that needs one its gradient, by the input's formula."""
    op = record.primitive
    assert op is not None
    as_tensors = isinstance(gradient, TensorBase)
    if op.reduces and not record.attributes["keepdim"]:
        gradient = _restored(gradient, record)
    for position, edge in enumerate(record.edges):
        if edge is None or (wanted is not None and edge not in wanted):
            continue
        formula = op.formula(position)
        if formula is None:
            continue
        result = _apply(formula, record, gradient, position, edge, as_tensors)
        fresh = False
        if not as_tensors:
            if result.__class__ is not np.ndarray:
                result = np.asarray(result)
            fresh = result is not gradient and result.base is None and not _is_saved(result, record)
        fitted = _fit(result, edge)
        _add(pending, owned, edge, fitted, fresh and fitted is result)


def _is_saved(array: Gradient, record: Record) -> bool:
    return any([saved is not None and saved[0] is array for saved in record.saved])


def _apply(
    formula: Formula, record: Record, gradient: Gradient, position: int, edge: Record, tensors: bool
) -> Gradient:
    """Evaluate one formula with what it asks for."""
    values = [_unpack(record, which, tensors) for which in formula.saved]
    if not (formula.attributes or formula.wants_shape or formula.wants_position):
        return formula.function(gradient, *values)
    keywords = {name: record.attributes[name] for name in formula.attributes}
    if formula.wants_shape:
        keywords["shape"] = edge.shape
    if formula.wants_position:
        keywords["position"] = position
    return formula.function(gradient, *values, **keywords)


def _unpack(record: Record, which: int, as_tensor: bool) -> Any:
    """A saved value, checked to be still there and as it was."""
    if record.saved is _RELEASED:
        raise RuntimeError(
            "Trying to backward through the graph a second time (or directly access saved tensors "
            "after they have already been freed). Saved intermediate values of the graph are freed "
            "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
            "to backward through the graph a second time or if you need to access saved tensors "
            "after calling backward."
        )
    saved = record.saved[which]
    assert saved is not None
    value, counter, version = saved
    is_output = which == len(record.edges)
    if counter[0] != version:
        kind = from_numpy_dtype(value.dtype).legacy_name
        source = record if is_output else record.edges[which]
        origin = "" if source is None else f", which is output 0 of {source.name()},"
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: [torch.{kind}Tensor {list(value.shape)}]{origin} is at version "
            f"{counter[0]}; expected version {version} instead. Hint: the backtrace further above "
            f"shows the operation that failed to compute its gradient ({record.name()}). The "
            "variable in question was changed in there or anywhere later. Good luck!"
        )
    operation = record.primitive
    if is_output and operation is not None and operation.reduces:
        value = value if record.attributes["keepdim"] else _restored(value, record)
    if not as_tensor or not isinstance(value, np.ndarray):
        return value
    tensor = wrap(value, counter)
    tensor._record = record if is_output else record.edges[which]
    return tensor


def _restored(gradient: Gradient, record: Record) -> Gradient:
    """`gradient` with the dimensions that a reduction removed put back with size 1."""
    edge = record.edges[0]
    assert edge is not None
    dims = record.attributes["dim"]
    return gradient.reshape(tuple([1 if d in dims else n for d, n in enumerate(edge.shape)]))


def _fit(gradient: Gradient, edge: Record) -> Gradient:
    """`gradient` in the shape and type of the input: what was broadcast summed, what was reduced
    stretched, what was reshaped shaped back, what was cast cast back."""
    array = gradient._array if isinstance(gradient, TensorBase) else gradient
    if array.shape != edge.shape:
        gradient = _fit_shape(gradient, array, edge.shape)
    if array.dtype is not edge.dtype and array.dtype != edge.dtype:
        if isinstance(gradient, TensorBase):
            return cast_to(gradient, from_numpy_dtype(edge.dtype))
        return gradient.astype(edge.dtype)
    return gradient


def _fit_shape(gradient: Gradient, array: Any, shape: tuple[int, ...]) -> Gradient:
    lead = array.ndim - len(shape)
    aligned = (1,) * lead + shape
    if lead <= 0 and all(have in (1, want) for have, want in zip(array.shape[::-1], shape[::-1])):
        return expand(gradient, shape)
    stretches = lead >= 0 and all(
        have == want or want == 1 for have, want in zip(array.shape, aligned, strict=True)
    )
    if stretches and np.prod(array.shape) != np.prod(shape):
        over = tuple([d for d, want in enumerate(aligned) if d < lead or want != array.shape[d]])
        if lead and all(d < lead for d in over):
            return _sum(gradient, dim=over, keepdim=False)
        gradient = _sum(gradient, dim=over, keepdim=True)
    return gradient.reshape(shape)


def _add(
    pending: dict[Record, Gradient],
    owned: set[Record],
    record: Record,
    gradient: Gradient,
    fresh: bool,
) -> None:
    """Add to what `record` has received: the first contribution is borrowed unless fresh, a sum
    is owned and added to in place."""
    known = pending.get(record)
    if known is None:
        pending[record] = gradient
        if fresh:
            owned.add(record)
    elif record in owned and not isinstance(known, TensorBase):
        known += gradient
    else:
        pending[record] = np.asarray(known + gradient) if known.__class__ is np.ndarray else known + gradient
        owned.add(record)


def _run_hooks(record: Record, hooks: dict[int, Any], gradient: Gradient) -> Gradient:
    """What the hooks of a tensor make of its gradient; each sees a Tensor."""
    tensor = gradient if isinstance(gradient, TensorBase) else wrap(gradient)
    for hook in list(hooks.values()):
        changed = hook(tensor)
        if changed is not None:
            if not isinstance(changed, TensorBase):
                raise TypeError(
                    f"hook '{getattr(hook, '__name__', hook)}' has returned "
                    f"{type(changed).__name__}; expected a Tensor or None"
                )
            tensor = changed
    if tensor._array.shape != record.shape:
        raise RuntimeError(
            f"hook has changed the size of value: the gradient had shape {list(record.shape)}, "
            f"the hook returned {list(tensor._array.shape)}"
        )
    return tensor if isinstance(gradient, TensorBase) else tensor._array


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


def _release(record: Record) -> None:
    """Let go of a record's saved arrays (numbers may stay: a second walk needs nothing else)."""
    if any([saved is not None and isinstance(saved[0], np.ndarray) for saved in record.saved]):
        record.saved = _RELEASED


def start_of(tensor: TensorBase, gradient: Any, position: int, create_graph: bool) -> tuple[Record, Gradient]:
    """Where a walk from `tensor` starts, and with what; `gradient` is checked against it."""
    record = current_record(tensor)
    if record is None:
        raise RuntimeError(
            f"element {position} of tensors does not require grad and does not have a grad_fn"
        )
    array = tensor._array
    if gradient is None:
        if array.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        gradient = wrap(np.ones(array.shape, array.dtype))
    elif not isinstance(gradient, TensorBase):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
        )
    elif gradient._array.shape != array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{position}] has a shape of "
            f"torch.Size({list(gradient._array.shape)}) and output[{position}] has a shape of "
            f"torch.Size({list(array.shape)})."
        )
    fitted = _fit(gradient if create_graph else gradient._array, record)
    return record, fitted
