"""Views: tensors that share the memory of another, their base, and follow its changes.

A view shares its base's version. When that has grown, the view's record no longer tells where its
numbers came from; it is made anew, from the base's record, when it is next asked for.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.core.primitive import Primitive
from tinygrad_mnist.core.record import state
from tinygrad_mnist.dtypes import FLOATS

from .modes import backward_mode
from .node import PRIMITIVES, AccumulateGrad, Record, edge, make_record, move_grad
from .tensor import Tensor, TensorBase

_AS_STRIDED = Record.named("AsStridedBackward0")
OUTDATED = -1
"""The version of a view whose record is to be made anew."""
_AMBIGUOUS = (
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your "
    "code by moving both the view and the inplace either both inside the {} block (if you "
    "don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked)."
)
UNDER_NO_GRAD, UNDER_INFERENCE = map(_AMBIGUOUS.format, ("no_grad", "inference_mode"))
ONE_OF_SEVERAL = (
    "This view is the output of a function that returns multiple views. Such functions do not "
    "allow the output views to be modified inplace. You should replace the inplace operation by "
    "an out-of-place one."
)
OF_A_FUNCTION = (
    "This view was created inside a custom Function (or because an input was returned as-is) and "
    "the autograd logic to handle view+inplace would override the custom backward associated with "
    "the custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix "
    "this by cloning the output of the custom Function."
)


def mark_view(
    view: TensorBase, parent: TensorBase, op: Primitive, attributes: dict[str, Any]
) -> None:
    """Note that `view` is what `op` made of `parent`, whose memory and version it shares."""
    counter = view._counter = parent._counter
    if parent._view is None:
        base, before, reason = parent, None, None
    else:
        base, _, before, reason = parent._view
    if reason is None and not state.grad_enabled:
        reason = UNDER_INFERENCE if backward_mode.inference else UNDER_NO_GRAD
    view._view = (base, counter[0], (before, op, attributes), reason)


def forbid_change(view: Any, reason: str) -> Any:
    """Note why a view must not be changed in place under records; the view."""
    base, version, steps, known = view._view
    view._view = (base, version, steps, known or reason)
    return view


def current_record(tensor: TensorBase) -> Record | None:
    """The tensor's record; that of a view is made anew when the memory was changed in place.

    A view that has none though its base requires a gradient, as one taken under `no_grad`, gets the
    end of a path that leads nowhere.
    """
    view = tensor._view
    old: Record | None = tensor._record  # type: ignore[assignment]
    if view is None:
        return old
    if view[1] == tensor._counter[0]:
        return AccumulateGrad(tensor) if old is None and requires_grad(tensor) else old
    base, _, steps, reason = view
    recorded = base._record is not None or (old is not None and old.primitive is not None)
    if not recorded or not state.grad_enabled:
        return old
    if reason is not None:
        raise changed_view_error(old, reason, "its base or another view of its base has been")
    newer = make_record(
        PRIMITIVES["as_strided"], (base._record,), tensor._array, (None, None),
        {"steps": steps}, _AS_STRIDED,
    )  # fmt: skip
    move_grad(old or tensor.__dict__.pop("_resting_leaf", None), newer)
    tensor._record = newer
    tensor._view = (base, tensor._counter[0], steps, reason)
    return newer


def requires_grad(tensor: TensorBase) -> bool:
    """Whether a tensor takes part in a graph: a view does if its base does."""
    if tensor._record is not None or tensor._view is None:
        return tensor._record is not None
    return tensor._view[0]._record is not None and tensor._array.dtype.kind in FLOATS


def to_be_renewed(view: Any) -> None:
    """Have a view's record made anew when it is next asked for, without the old one's hooks."""
    base, _, steps, reason = view._view
    view._view = (base, OUTDATED, steps, reason)


def changed_view_error(record: Record | None, reason: str, changed: str) -> RuntimeError:
    """The error for a view that was, or whose base was, changed though it must not be."""
    view, mode = "A view", ""
    recorded = record is not None and record.primitive is not None
    if recorded:
        node, number = edge(record)
        view = f"Output {number} of {node.name().partition('Backward')[0]} is a view"
    if reason is UNDER_INFERENCE:
        view += " of a view which" * recorded + " was created in inference mode"
        mode = " in normal mode"
    elif reason is UNDER_NO_GRAD or not recorded:
        view += " of a view which" * recorded + " was created in no_grad mode"
        mode = " with grad mode enabled"
    return RuntimeError(f"{view} and {changed} modified inplace{mode}. {reason}")


def detached_from_base(tensor: Tensor) -> Tensor:
    """Have a view of a passing result count as a result of its own; the tensor."""
    tensor._view = None
    return tensor
