"""Operations that write their result into their first tensor, as `add_` and `x[i] = v` do.

Without records the array is overwritten and its version raised. A tensor that was computed is
rebound to a newer record as well: who saved the old numbers finds that the version has changed.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.calling import explain_shapes, record_call
from tinygrad_mnist.ops import arithmetic, shapes
from tinygrad_mnist.ops.index_keys import ALL, WHOLE, Key, read_index
from tinygrad_mnist.ops.indexing import index_put, put
from tinygrad_mnist.primitive import Primitive
from tinygrad_mnist.record import (
    OBSERVERS,
    Record,
    TensorBase,
    current_record,
    label,
    state,
    wrap,
)

from .memory import check_no_overlap, check_no_partial_overlap, writeable
from .scalars import element, read_number, type_name

Tensor = Any
_OF_LEAF = " leaf Variable that requires grad is being used in an in-place operation."


def check_inplace(target: TensorBase, *others: Any, through_view: bool = False) -> bool:
    """Whether a change of `target` must be recorded.

    Raises PyTorch's RuntimeError for a leaf that requires a gradient, and for a view of one;
    NotImplementedError for another view that autograd follows.
    """
    if not state.grad_enabled:
        return False
    record = target._record if target._view is None else current_record(target)
    if record is not None and record.primitive is None:
        is_view = through_view or target._view is not None
        raise RuntimeError(("a view of a" if is_view else "a") + _OF_LEAF)
    if target._view is not None:
        _check_view(target, record)
    if target._array.dtype.kind != "f" or (record is None and not _any_recorded(others)):
        return False
    if target._view is not None:
        raise NotImplementedError(
            "an in-place operation through a differentiable view is not supported: change the "
            "tensor it was taken from, as in base[index] = value, or work on view.clone()"
        )
    return True


def _any_recorded(others: tuple[Any, ...]) -> bool:
    for other in others:
        if isinstance(other, TensorBase) and current_record(other) is not None:
            return True
    return False


def _check_view(view: TensorBase, record: Record | None) -> None:
    """Raise PyTorch's error for a change through a view of a leaf, or one made under no_grad."""
    base = view
    while base._view is not None:
        base = base._view[0]
    base_record = base._record
    if base_record is None:
        return
    if record is None:
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode "
            "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You "
            "can clarify your code by moving both the view and the inplace either both inside the "
            "no_grad block (if you don't want the inplace to be tracked) or both outside (if you "
            "want the inplace to be tracked)."
        )
    if base_record.primitive is None:
        raise RuntimeError("a view of a" + _OF_LEAF)


def in_place(op: Any, target: Tensor, *others: Any, **attributes: Any) -> Tensor:
    """Write `op(target, *others)` into `target`; a non-leaf is rebound to a newer record."""
    recorded = state.grad_enabled and check_inplace(target, *others)
    if not recorded and not attributes and not OBSERVERS and _at_once(op, target, others):
        return target
    for other in others:
        if isinstance(other, TensorBase):
            check_no_partial_overlap(target._array, other._array)
    source = target
    if recorded and not isinstance(op, Primitive):
        # What the steps of a composed operation save of the target must stay as it is.
        source = wrap(target._array.copy())
        source._record = target._record
    result = op(source, *others, **attributes)
    if recorded:
        _rebind(target, result)
    else:
        _store(target, result)
    return target


def _at_once(op: Any, target: Tensor, others: tuple[Any, ...]) -> bool:
    """Let NumPy compute straight into the array, where shapes and types need no care."""
    ufunc = getattr(op, "ufunc", None)
    array = target._array
    if ufunc is None or array.dtype.kind != "f":
        return False
    values: list[Any] = []
    for other in others:
        if isinstance(other, TensorBase):
            value = other._array
            if value.dtype is not array.dtype:
                return False
            check_no_partial_overlap(array, value)
            values.append(value)
        elif other.__class__ is float or other.__class__ is int:
            values.append(other)
        else:
            return False
    try:
        state.quietly(ufunc, array, *values, array)
    except (TypeError, ValueError):
        return False
    target._counter[0] += 1
    return True


def _store(target: Tensor, result: Tensor) -> None:
    """Write a result into a tensor; RuntimeError where shape or type do not allow it."""
    array, found = target._array, result._array
    have, want = dtypes.from_numpy_dtype(found.dtype), dtypes.from_numpy_dtype(array.dtype)
    if not dtypes.can_cast(have, want):
        raise RuntimeError(
            f"result type {have.legacy_name} can't be cast to the desired output type "
            f"{want.legacy_name}"
        )
    if found.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(array.shape)} doesn't match the broadcast shape "
            f"{list(found.shape)}"
        )
    state.quietly(put, writeable(array), None, found)
    target._counter[0] += 1
    if OBSERVERS:
        _report(target, result, WHOLE, None)


def _rebind(target: Tensor, result: Tensor) -> None:
    """Write a result into a non-leaf, which takes over the result's record."""
    record: Record | None = result._record
    if record is None:
        write(target, result, WHOLE, None, "CopyBackwards")
        return
    saved = list(record.saved)
    if saved and saved[0] is not None and saved[0][0] is target._array:
        saved[0] = (target._array.copy(), [0], 0)
    _store(target, result)
    if saved and saved[-1] is not None and saved[-1][0] is result._array:
        saved[-1] = (target._array, target._counter, target._counter[0])
    record.saved = tuple(saved)
    record.dtype = target._array.dtype
    _take(target, record)


def _take(target: Tensor, record: Record) -> None:
    """Make `record` the tensor's; who asked for the tensor's gradient gets it there."""
    old: Record | None = target._record
    target._record = record
    if old is not None and old.watch is not None and old.watch.retains_grad:
        watch = record.watched()
        watch.retains_grad, watch.grad = True, old.watch.grad
        old.watch.retains_grad = False


def _report(target: Tensor, value: Any, region: Key, arrays: Key | None) -> None:
    """Tell this thread's observer of a change: an `index_put` whose result is its first input."""
    observer = OBSERVERS.get(threading.get_ident())
    if observer is not None:
        observer(index_put, (target, value), {"region": region, "arrays": arrays}, target)


def write(
    target: Tensor,
    value: Any,
    region: Key,
    arrays: Key | None,
    name: str,
    overlapping: bool = False,
) -> None:
    """Write a tensor's or a number's value into places of `target`, recorded as `name`."""
    whole = region is WHOLE
    recorded = check_inplace(target, value, through_view=not whole)
    array = target._array
    found = value._array if isinstance(value, TensorBase) else value
    part = writeable(array if whole else array[region], overlapping=overlapping)
    if isinstance(value, TensorBase) and found.ndim:
        (check_no_partial_overlap if arrays is None else check_no_overlap)(part, found)
    if isinstance(value, TensorBase) and found.dtype is not array.dtype:
        state.quietly(put, part, arrays, found)
    else:
        put(part, arrays, found)
    target._counter[0] += 1
    if recorded:
        before, after = wrap(array), wrap(array)
        before._record = target._record
        attributes = {"region": region, "arrays": arrays}
        record_call(index_put, (before, value), (array, found), after, attributes)
        _take(target, label(after, name)._record)
    if OBSERVERS:
        _report(target, value, region, arrays)


def fill(target: Tensor, value: Any) -> Tensor:
    """Write one number everywhere: a Python number or a 0-d tensor."""
    name = "FillBackward3"
    if isinstance(value, TensorBase):
        if value._array.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
    else:
        value = element(read_number("fill_", "value", 1, value), target.dtype)
        name = "FillBackward2"
    write(target, value, WHOLE, None, name, overlapping=True)
    return target


def zero(target: Tensor) -> Tensor:
    """Write 0 everywhere."""
    write(target, 0, WHOLE, None, "ZeroBackward0", overlapping=True)
    return target


def copy(target: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Write `other`, broadcast and converted to the type of `target`."""
    if isinstance(other, bool | int | float | np.generic):
        other = wrap(np.asarray(other))
    if not isinstance(other, TensorBase):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}"
        )
    check_no_partial_overlap(target._array, other._array)
    have, want = other._array.shape, target._array.shape
    if have != want:
        explain_shapes((target._array, other._array))
        together = np.broadcast_shapes(have, want)
        if together != want:
            raise RuntimeError(
                f"output with shape {list(want)} doesn't match the broadcast shape {list(together)}"
            )
    write(target, other, WHOLE, None, "CopyBackwards")
    return target


def setitem(target: Tensor, index: Any, value: Any) -> None:
    """`target[index] = value` for a tensor or a number."""
    region, arrays = read_index(index, target._array.shape)
    if isinstance(value, TensorBase):
        value = _values_for(target, value, region, arrays)
    elif isinstance(value, bool | int | float | np.generic):
        value = element(read_number("__setitem__", "value", 2, value), target.dtype)
    else:
        raise TypeError(f"can't assign a {type_name(value)} to a {target.type()}")
    if index is False:
        return
    if region[0] is ALL and len(region) == 2:
        region = WHOLE
    name = "CopySlices"
    if region is WHOLE and arrays is not None:
        name = "IndexPutBackward0"
    elif region is WHOLE:
        one = not isinstance(value, TensorBase) or value._array.ndim == 0
        name = "FillBackward3" if one else "CopyBackwards"
    write(target, value, region, arrays, name)


def _values_for(target: Tensor, value: Tensor, region: Key, arrays: Key | None) -> Tensor:
    """The values to assign, without leading dimensions of size 1.

    Raises RuntimeError where PyTorch refuses their shape, or their type beside index arrays.
    """
    shape = value._array.shape
    if arrays is not None:
        is_mask = value._array.size == 1 and len(arrays) == 1 and arrays[0].dtype == bool
        if value._array.dtype != target._array.dtype and not is_mask:
            raise RuntimeError(
                "Index put requires the source and destination dtypes match, got "
                f"{target.dtype.legacy_name} for the destination and "
                f"{value.dtype.legacy_name} for the source."
            )
    elif shape == target._array[region].shape:
        return value
    lead = next((d for d, size in enumerate(shape) if size != 1), len(shape))
    value = shapes.reshape(value, shape[lead:]) if lead else value
    return value if arrays is not None else shapes.expand(value, target._array[region].shape)


def scaled_update(target: Tensor, other: Any, alpha: Any, sign: int) -> Tensor:
    """target += sign · alpha · other: what an optimiser does to a parameter, in one pass."""
    if alpha.__class__ is int and alpha == 1:
        return in_place(arithmetic._add if sign > 0 else arithmetic._sub, target, other)
    if alpha.__class__ is float and isinstance(other, TensorBase) and not OBSERVERS:
        array, change = target._array, other._array
        alike = array.dtype is change.dtype and array.shape == change.shape
        if alike and array.dtype.kind == "f" and not check_inplace(target, other):
            check_no_partial_overlap(array, change)
            kernels.sgd_update(writeable(array), change, -sign * alpha)
            target._counter[0] += 1
            return target
    return in_place(arithmetic.add if sign > 0 else arithmetic.sub, target, other, alpha=alpha)


def become(target: Tensor, view: Tensor) -> Tensor:
    """Give a tensor the shape of a view of it, as `t_` does: the memory stays the same."""
    if check_inplace(target):
        _take(target, view._record)
    target._array = view._array
    target._counter[0] += 1
    return target
