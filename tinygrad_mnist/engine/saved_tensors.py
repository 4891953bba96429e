"""Version counters: saved tensors are checked when used, tensors before they change in place.

Saved values are freed after use.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import restore_reduced_dims
from tinygrad_mnist.core.record import state
from tinygrad_mnist.dtypes import FLOATS, from_numpy_dtype

from .modes import backward_mode
from .node import FREED, KEPT, PACKED, Packed, Record, edge
from .tensor import InferenceCounter, Tensor, TensorBase, wrap
from .views import changed_view_error, current_record, to_be_renewed

_ndarray = np.ndarray
_HINT = (
    "enable anomaly detection to find the operation that failed to compute its gradient, with "
    "torch.autograd.set_detect_anomaly(True, check_nan=False)."
)
_HINT_OF_ANOMALY = (
    "the backtrace further above shows the operation that failed to compute its gradient. The "
    "variable in question was changed in there or anywhere later. Good luck!"
)
_OF_LEAF = " leaf Variable that requires grad is being used in an in-place operation."


DETACHED: set[weakref.ref[Record]] = set()
"""The records that tensors had before `detach_`."""


def _check_not_detached(record: Record | None) -> None:
    """RuntimeError for the record of a saved input which has been detached since."""
    if record is not None and weakref.ref(record) in DETACHED:
        raise RuntimeError(
            "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()."
            "This is not supported, please use out-of-place `.detach()` instead"
        )


def unpack(record: Record, which: int, as_tensor: bool) -> Any:
    """A saved value, checked to be as it was."""
    saved = record.saved[which]
    assert saved is not None
    value, counter, version = saved
    is_output = which == len(record.inputs)
    if DETACHED and not is_output and which < len(record.inputs):
        _check_not_detached(record.inputs[which])
    if counter[0] != version:
        if counter is not PACKED:
            source = (*record.inputs, record, None)[min(which, len(record.inputs) + 1)]
            source = source if is_output else changed_by(value, counter) or source
            raise version_error(value, counter[0], version, source)
        opened = _opened(record, which, value)
        value, counter = opened._array, opened._counter
    if as_tensor and value.__class__ is _ndarray:
        value = wrap(value, counter)
        value._record = record if is_output else record.inputs[which]
    if is_output and record.primitive.reduces:
        return value if record.attributes["keepdim"] else restore_reduced_dims(value, record)
    return value


def _opened(record: Record, which: int, kept: Packed) -> Tensor:
    """What the hook makes of a saved value, called once a backward pass for all formulas."""
    running = backward_mode.running
    if running is None:
        return kept.open()
    if running.opened is None or running.opened[0] is not record:
        running.opened = record, {}
    known = running.opened[1]
    if which not in known:
        known[which] = kept.open()
    opened: Tensor = known[which]
    return opened


def refuse_other_shapes(record: Record, opened: dict[int, Tensor], error: Exception) -> None:
    """RuntimeError in place of `error` where a hook gave saved tensors of another shape."""
    for which, tensor in opened.items():
        kept: Any = record.saved[which]
        have, want = list(tensor.shape), list(kept[0].shape)
        if have != want:
            raise RuntimeError(
                f"{record.name()}: a saved tensor of shape {want} was unpacked by its hook with "
                f"shape {have}, which the backward formula cannot use ({error}): unpack_hook must "
                "give a tensor of the shape that pack_hook was given"
            ) from error


def changed_by(value: Any, counter: Any) -> Record | None:
    """The record which the tensor of these numbers has now, if anyone holds it still."""
    holders = [each for each in gc.get_referrers(value) if isinstance(each, TensorBase)]
    records = [current_record(each) for each in holders if each._counter is counter]
    known = [each for each in records if each is not None]
    return max(known, key=lambda each: each.sequence, default=None)


def free(record: Record) -> None:
    """Free the saved tensors of a record; one that saved nothing can be visited again."""
    for saved in record.saved:
        if saved is not None and saved[1] is not KEPT:
            record.saved = FREED
            return
    attributes = record.attributes
    for value in attributes.values():
        if value.__class__ is _ndarray:
            record.saved = FREED
        elif value.__class__ is tuple:
            for each in value:
                if each.__class__ is _ndarray:
                    record.saved = FREED
    context = attributes.get("ctx") if attributes else None
    if context is not None and context._saved:
        context._saved = None


def version_error(value: Any, version: int, expected: int, source: Record | None) -> RuntimeError:
    """The error for a saved value that was changed in place before it could be used."""
    kind = from_numpy_dtype(value.dtype).legacy_name
    origin = ""
    if source is not None and source.primitive is not None:
        node, number = edge(source)
        origin = f", which is output {number} of {node.name().partition('Backward')[0]},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(value.shape)}]{origin} is at version {version}; "
        f"expected version {expected} instead. Hint: "
        + (_HINT_OF_ANOMALY if backward_mode.anomaly else _HINT)
    )


def check_inplace(target: TensorBase, *others: Any, through_view: bool = False) -> bool:
    """Whether a change of `target` must be recorded.

    Raises PyTorch's RuntimeError for a leaf that requires a gradient, for a view of one, and for a
    view that was made where its changes could not be followed.
    """
    if target._counter.__class__ is InferenceCounter:
        target._counter.check()
    if not state.grad_enabled:
        return False
    view = target._view
    record: Any = target._record
    if view is None:
        required = record is not None
    else:
        base, _, _, reason = view
        record = record if reason is not None else current_record(target)
        required = record is not None or base._record is not None
    if not required and not _any_recorded(others):
        return False
    if view is not None and reason is not None:
        raise changed_view_error(record, reason, "is being")
    of_leaf = record is not None and record.primitive is None
    if view is not None and required and (base._record is None or base._record.primitive is None):
        of_leaf = through_view = True
    if of_leaf:
        raise RuntimeError(("a view of a" if through_view else "a") + _OF_LEAF)
    if view is not None and record is not None and record.hooks is not None:
        to_be_renewed(target)
    return bool(target._array.dtype.kind in FLOATS)


def _any_recorded(others: tuple[Any, ...]) -> bool:
    for other in others:
        if isinstance(other, TensorBase) and current_record(other) is not None:
            return True
    return False
