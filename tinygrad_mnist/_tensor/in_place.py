"""Operations that write their result into their first tensor, as `add_` and `x[i] = v` do."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.ops import arithmetic, casting
from tinygrad_mnist.ops.indexing import index_put, one_key, read_key
from tinygrad_mnist.primitive import Primitive
from tinygrad_mnist.record import current_record, Record, state, TensorBase, wrap

Tensor = Any


def check_inplace(target: TensorBase, *others: Any) -> bool:
    """Whether a change of `target` must be recorded; raises PyTorch's error where it may not be
    made: on a leaf that requires a gradient, or through a view that autograd follows."""
    if not state.grad_enabled:
        return False
    record = current_record(target)
    if record is not None and record.primitive is None:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    concerned = record is not None or any(
        [isinstance(other, TensorBase) and current_record(other) is not None for other in others]
    )
    if not concerned or target._array.dtype.kind != "f":
        return False
    if target._view is not None:
        base = _root(target)
        base_record = current_record(base)
        if base_record is not None and base_record.primitive is None:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
        raise NotImplementedError(
            "an in-place operation through a differentiable view is not supported: change the "
            "tensor it was taken from, as in base[index] = value, or work on view.clone()"
        )
    return True


def _root(tensor: TensorBase) -> TensorBase:
    while tensor._view is not None:
        tensor = tensor._view[0]
    return tensor


def _check_memory(target: TensorBase) -> None:
    if not target._array.flags.writeable:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )


def in_place(op: Primitive, target: Tensor, *others: Any, **attributes: Any) -> Tensor:
    """Write `op(target, *others)` into `target`; a non-leaf is rebound to a newer record."""
    if check_inplace(target, *others):
        return _recorded(op, target, others, attributes)
    array = target._array
    _check_memory(target)
    if op.ufunc is not None and array.dtype.kind == "f":
        values = [other._array if isinstance(other, TensorBase) else other for other in others]
        if all([_fits(value, array) for value in values]):
            state.quietly(op.ufunc, array, *values, array)
            target._counter[0] += 1
            return target
    with_no_record = wrap(array)
    plain = [other.detach() if isinstance(other, TensorBase) else other for other in others]
    store(target, op(with_no_record, *plain, **attributes)._array)
    return target


def _fits(value: Any, array: Any) -> bool:
    """Whether NumPy may compute with `value` straight into `array`."""
    if value.__class__ is float or value.__class__ is int:
        return True
    if not isinstance(value, np.ndarray):
        return False
    return value.dtype == array.dtype and value.shape == array.shape


def store(target: TensorBase, result: Any) -> None:
    """Write an array into a tensor's memory; RuntimeError where shape or type do not allow it."""
    array = target._array
    _check_memory(target)
    have, want = dtypes.from_numpy_dtype(result.dtype), dtypes.from_numpy_dtype(array.dtype)
    if not dtypes.can_cast(have, want):
        raise RuntimeError(
            f"result type {have.legacy_name} can't be cast to the desired output type "
            f"{want.legacy_name}"
        )
    if result.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(array.shape)} doesn't match the broadcast shape "
            f"{list(result.shape)}"
        )
    array[...] = result
    target._counter[0] += 1


def _recorded(op: Primitive, target: Tensor, others: Any, attributes: dict[str, Any]) -> Tensor:
    """The way for a non-leaf: compute beside it, write the result, take over the record."""
    source = wrap(target._array.copy())
    source._record = current_record(target)
    others = tuple([source if other is target else other for other in others])
    result = op(source, *others, **attributes)
    store(target, result._array)
    adopt(target, result)
    return target


def adopt(target: Tensor, result: Tensor) -> None:
    """Make `result`'s record that of `target`, which now holds the same numbers."""
    record: Record | None = result._record
    if record is not None:
        record.saved = tuple(
            [
                (target._array, target._counter, target._counter[0])
                if saved is not None and saved[0] is result._array
                else saved
                for saved in record.saved
            ]
        )
        record.dtype = target._array.dtype
    target._record = record


def fill(target: Tensor, value: Any) -> Tensor:
    """Write one number everywhere; the gradient of what was there is zero."""
    number = value.item() if isinstance(value, TensorBase) else value
    recorded = check_inplace(target)
    _check_memory(target)
    target._array.fill(dtypes.cast(number, target.dtype))
    target._counter[0] += 1
    if recorded:
        target._record = None
    return target


def copy(target: Tensor, source: Tensor) -> Tensor:
    """Write `source`, broadcast and converted to the type of `target`."""
    if not isinstance(source, TensorBase):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {type(source).__name__}"
        )
    recorded = check_inplace(target, source)
    _check_memory(target)
    shape = target._array.shape
    if recorded:
        result = casting.clone(casting.cast_to(source, target.dtype).expand(shape))
        target._array[...] = result._array
        target._counter[0] += 1
        adopt(target, result)
        return target
    _write(target, (Ellipsis,), source)
    return target


def _write(target: Tensor, key: Any, value: Any) -> None:
    """target[key] = value on arrays, under PyTorch's rules for shapes."""
    array = value._array if isinstance(value, TensorBase) else np.asarray(value)
    region = target._array[key]
    if isinstance(value, TensorBase) and array.ndim > region.ndim:
        lead = array.shape[: array.ndim - region.ndim]
        if any(size != 1 for size in lead):
            _refuse_write(array.shape, region.shape)
        array = array.reshape(array.shape[len(lead) :])
    try:
        broadcast = np.broadcast_to(array, region.shape)
    except ValueError:
        _refuse_write(array.shape, region.shape)
    state.quietly(_assign, target._array, key, broadcast)
    target._counter[0] += 1


def _assign(array: Any, key: Any, values: Any) -> None:
    array[key] = values.astype(array.dtype, copy=False)


def _refuse_write(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    raise RuntimeError(
        f"shape mismatch: value tensor of shape {list(have)} cannot be broadcast to indexing "
        f"result of shape {list(want)}"
    )


def setitem(target: Tensor, index: Any, value: Any) -> None:
    """`target[index] = value` for a tensor or a number."""
    if not isinstance(value, TensorBase | bool | int | float | np.ndarray | np.generic):
        raise TypeError(f"can't assign a {type(value).__name__} to a {target.type()}")
    if check_inplace(target, value):
        key = one_key(index, target._array)
        source = wrap(target._array.copy())
        source._record = current_record(target)
        given = value if isinstance(value, TensorBase) else wrap(np.asarray(value))
        region = target._array[key].shape
        values = casting.cast_to(given, target.dtype).expand(region)
        result = index_put(source, values, key=key)
        target._array[...] = result._array
        target._counter[0] += 1
        adopt(target, result)
        return
    _check_memory(target)
    key, arrays = read_key(index, target._array.shape)
    if arrays is None:
        _write(target, key, value)
        return
    region = wrap(target._array[key], target._counter)
    _write(region, arrays, value)


def scaled_update(target: Tensor, other: Any, alpha: float, sign: int) -> Tensor:
    """target += sign · alpha · other: what an optimiser does to a parameter, in one pass."""
    if alpha == 1:
        return in_place(arithmetic._add if sign > 0 else arithmetic._sub, target, other)
    if not check_inplace(target, other) and isinstance(other, TensorBase):
        array, change = target._array, other._array
        if array.dtype.kind == "f" and _fits(change, array):
            _check_memory(target)
            kernels.sgd_update(array, change, -sign * alpha)
            target._counter[0] += 1
            return target
    return in_place(arithmetic._add if sign > 0 else arithmetic._sub, target, other * alpha)


__all__ = [
    "adopt", "check_inplace", "copy", "fill", "in_place", "scaled_update",
    "setitem", "store",
]  # fmt: skip
