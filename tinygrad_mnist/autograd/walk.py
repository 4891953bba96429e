"""The walk backward: from a result's record to the leaves, newest record first.

Every record was made after the records of its inputs, so descending order of birth visits each
record after all that use it, when its gradient is complete. Gradients in flight live in a
dictionary. With `create_graph` the gradients are Tensors and the same formulas leave records of
their own; otherwise they are plain arrays.
"""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.dtypes import from_numpy_dtype
from tinygrad_mnist.ops.elementwise import cast_to
from tinygrad_mnist.ops.reductions import _sum
from tinygrad_mnist.ops.shapes import expand
from tinygrad_mnist.primitive import Formula
from tinygrad_mnist.record import (
    AccumulateGrad,
    Record,
    Saved,
    TensorBase,
    current_record,
    state,
    wrap,
)

from .grad_mode import _GradMode

Gradient = Any
_RELEASED: tuple[Saved | None, ...] = ()
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
                gradient = _run_hooks(record, watch.hooks, gradient)
            if targets is not None and record in targets:
                arrived[record] = gradient
            elif targets is None and isinstance(record, AccumulateGrad):
                _accumulate(record, gradient, record in owned)
            if watch is not None and watch.retains_grad:
                watch.grad = gradient if create_graph else wrap(gradient.copy())
            if record.primitive is not None and (wanted is None or record in wanted):
                hand_on(record, gradient, pending, owned, wanted)
                if not keep:
                    _release(record)
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
        gradient = _restored(gradient, record)
    for position, edge in enumerate(record.edges):
        if edge is None or (wanted is not None and edge not in wanted):
            continue
        formula = op.formula(position)
        if formula is None:
            continue
        values = [_unpack(record, which, as_tensors) for which in formula.saved]
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
        fresh = result is not gradient and result.base is None and not _is_saved(result, record)
        if result.shape != edge.shape:
            result = _fit_array_shape(result, edge.shape)
            fresh = fresh or result.base is None
        if result.dtype is not edge.dtype and result.dtype != edge.dtype:
            result = result.astype(edge.dtype)
        add(pending, owned, edge, result, fresh)


def _is_saved(array: Gradient, record: Record) -> bool:
    for saved in record.saved:
        if saved is not None and saved[0] is array:
            return True
    return False


def _keywords(formula: Formula, record: Record, position: int, edge: Record) -> dict[str, Any]:
    """What a formula asks for besides saved values."""
    keywords = {name: record.attributes[name] for name in formula.attributes}
    if formula.wants_shape:
        keywords["shape"] = edge.shape
    if formula.wants_position:
        keywords["position"] = position
    return keywords


def _unpack(record: Record, which: int, as_tensor: bool) -> Any:
    """A saved value, checked to be still there and as it was."""
    if record.saved is _RELEASED:
        raise released_error()
    saved = record.saved[which]
    assert saved is not None
    value, counter, version = saved
    is_output = which == len(record.edges)
    if counter[0] != version:
        source = record if is_output else record.edges[which]
        raise version_error(value, counter[0], version, source, record.name())
    operation = record.primitive
    if is_output and operation is not None and operation.reduces:
        value = value if record.attributes["keepdim"] else _restored(value, record)
    if not as_tensor or not isinstance(value, np.ndarray):
        return value
    tensor = wrap(value, counter)
    tensor._record = record if is_output else record.edges[which]
    return tensor


def released_error() -> RuntimeError:
    """The error for values that an earlier walk released."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
        "to backward through the graph a second time or if you need to access saved tensors "
        "after calling backward."
    )


def version_error(
    value: Any, version: int, expected: int, source: Record | None, user: str
) -> RuntimeError:
    """The error for a saved value that was changed in place before `user` could use it."""
    kind = from_numpy_dtype(value.dtype).legacy_name
    origin = "" if source is None else f", which is output 0 of {source.name()},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(value.shape)}]{origin} is at version {version}; "
        f"expected version {expected} instead: {user} needs it as it was. Hint: enable anomaly "
        "detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True)."
    )


def _restored(gradient: Gradient, record: Record) -> Gradient:
    """`gradient` with the dimensions that a reduction removed put back with size 1."""
    edge = record.edges[0]
    assert edge is not None
    dims = record.attributes["dim"]
    return gradient.reshape(tuple([1 if d in dims else n for d, n in enumerate(edge.shape)]))


def fit(gradient: Gradient, edge: Record) -> Gradient:
    """A Tensor in the shape and type of the input: what was broadcast summed, what was reduced
    stretched, what was reshaped shaped back, what was cast cast back."""
    have, shape = gradient._array.shape, edge.shape
    if have != shape:
        stretched = _broadcasts(have, shape)
        over = None if stretched else _summed_over(have, shape)
        if stretched:
            gradient = expand(gradient, shape)
        elif over:
            gradient = _sum(gradient, dim=over, keepdim=True)
        gradient = gradient.reshape(shape)
    return cast_to(gradient, from_numpy_dtype(edge.dtype))


def _fit_array_shape(array: Any, shape: tuple[int, ...]) -> Any:
    """The same for an array, without records: a hot path. What is stretched owns its memory."""
    have = array.shape
    if array.size == math.prod(shape):
        return array.reshape(shape)
    if _broadcasts(have, shape):
        stretched = np.empty(shape, array.dtype)
        stretched[...] = array
        return stretched
    over = _summed_over(have, shape)
    if over == tuple(range(len(have) - len(shape))):
        return _sum(array, dim=over, keepdim=False)
    return _sum(array, dim=over, keepdim=True).reshape(shape)


def _broadcasts(have: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether sizes of 1 in `have` stretch to give `shape`."""
    lead = len(shape) - len(have)
    return lead >= 0 and all([n in (1, want) for n, want in zip(have, shape[lead:], strict=True)])


def _summed_over(have: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions that broadcasting added to or stretched in `shape` to give `have`; none where
    the sizes are those of a reshape."""
    lead = len(have) - len(shape)
    if math.prod(have) == math.prod(shape) or lead < 0:
        return ()
    added = tuple(range(lead))
    return added + tuple(
        [lead + d for d, want in enumerate(shape) if want == 1 and have[lead + d] != 1]
    )


def add(
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
    elif known.__class__ is not _ndarray:
        pending[record] = known + gradient
    elif record in owned:
        np.add(known, gradient, known)
    else:
        pending[record] = np.asarray(known + gradient)
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
    context = record.attributes.get("ctx")
    if context is not None and context._saved:
        context._saved = None
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
    fitted = fit(gradient, record)
    return record, fitted if create_graph else fitted._array
