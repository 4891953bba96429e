"""Calling a primitive: the general way, and hot paths written out for one to three inputs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array, next_sequence, state
from tinygrad_mnist.dtypes import FLOATS, NARROW

from .node import CONSTANT, NO_ATTRIBUTES, Record, Saved, make_record
from .observer import OBSERVERS, report
from .tensor import INFERENCE, TENSOR_TYPE, Tensor, TensorBase, new_counter, wrap
from .views import current_record, mark_view

_PLAIN = frozenset((np.ndarray, float, int, bool))
_new = object.__new__
_ndarray = np.ndarray
_NOTHING_SAVED = (None, None)
_FLOAT32, _FLOAT64, _INT64 = map(np.dtype, (np.float32, np.float64, np.int64))


def read_arguments(
    op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs and attributes told apart, where inputs were given by name."""
    if op.variadic:
        return inputs, attributes
    if len(inputs) > len(op.inputs):
        raise TypeError(
            f"{op.name}() takes {len(op.inputs)} positional "
            f"argument{'s' * (len(op.inputs) > 1)} but {len(inputs)} were given"
        )
    named = op.inputs[len(inputs) :]
    missing = [f'"{name}"' for name in named if name not in attributes]
    if missing:
        raise TypeError(
            f"{op.name}() missing {len(missing)} required positional arguments: "
            f"{', '.join(missing)}"
        )
    inputs += tuple([attributes.pop(name) for name in named])
    for name in attributes.keys() - op.attributes:
        raise TypeError(f"{op.name}() got an unexpected keyword argument '{name}'")
    return inputs, attributes


def explain_shapes(values: tuple[Any, ...]) -> None:
    """Raise PyTorch's error if `values` do not broadcast."""
    shapes = [value.shape for value in values if isinstance(value, _ndarray)]
    for a, b in itertools.combinations(shapes, 2):
        for back in range(1, min(len(a), len(b)) + 1):
            if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
                raise RuntimeError(
                    f"The size of tensor a ({a[-back]}) must match the size of tensor b "
                    f"({b[-back]}) at non-singleton dimension {max(len(a), len(b)) - back}"
                ) from None


def refuse_size(op: Any, error: Exception) -> None:
    """Raise RuntimeError, as PyTorch does, where NumPy refused a result for its size."""
    if isinstance(error, MemoryError) or "too big" in str(error) or "too large" in str(error):
        raise RuntimeError(f"{op.name}(): cannot allocate memory for the result: {error}") from None


def not_a_tensor(op: Any, position: int, given: Any) -> TypeError:
    """PyTorch's error for an input that must be a Tensor."""
    return TypeError(
        f"{op.name}(): argument '{op.inputs[position]}' (position {position + 1}) "
        f"must be Tensor, not {type(given).__name__}"
    )


def _arrays(op: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the body gets for `inputs`: the arrays of Tensors, Python numbers, one common type."""
    values: list[Any] = []
    for position, given in enumerate(inputs):
        if isinstance(given, TensorBase):
            values.append(given._array)
        elif given.__class__ in _PLAIN and len(inputs) > 1:
            values.append(given)
        elif isinstance(given, np.generic) and len(inputs) > 1:
            values.append(given.item())
        elif isinstance(given, bool | int | float | _ndarray) and len(inputs) > 1:
            values.append(given)
        elif given is None and op.promotion is None and len(inputs) > 1:
            values.append(None)
        else:
            raise not_a_tensor(op, position, given)
    return tuple(values) if op.promotion is None else op.promoted(tuple(values))


def _output(op: Any, out: Array, first: Any, attributes: dict[str, Any]) -> Tensor:
    """The Tensor for a result; a view shares the version of the tensor it was taken from."""
    tensor = wrap(out)
    if shares_memory(out, first._array):
        mark_view(tensor, first, op, attributes)
    return tensor


def shares_memory(out: Array, base: Array) -> bool:
    """Whether a result of a view operation is a view of its input, and not a copy."""
    memory = out.base
    return memory is base or (memory is not None and memory is base.base) or out is base


def record_call(
    op: Any,
    inputs: tuple[Any, ...],
    values: tuple[Any, ...],
    output: TensorBase,
    attributes: dict[str, Any],
) -> None:
    """Leave a record of this call in `output` if an input requires a gradient."""
    records, needs = [], []
    for each in inputs:
        record = None
        if isinstance(each, TensorBase):
            record = each._record if each._view is None else current_record(each)
        records.append(record)
        needs.append(record is not None)
    if True not in needs or not op.formulas or output._array.dtype.kind not in FLOATS:
        return
    plan = op.saves[*needs,]
    saved: list[Saved | None] = [None] * len(plan)
    for place, keep in enumerate(plan) if True in plan else ():
        if not keep:
            continue
        last = place == len(inputs)
        given, value = (output, output._array) if last else (inputs[place], values[place])
        if isinstance(given, TensorBase):
            saved[place] = (value, given._counter, given._counter[0])
        elif given is inputs[-1] and given.__class__ in (float, int) and len(inputs) == 2:
            saved[place] = (given, CONSTANT, 0)  # as call_binary keeps it
        else:
            saved[place] = (value, CONSTANT, 0)
    output._record = make_record(op, tuple(records), output._array, tuple(saved), attributes)


def _some_narrow(*values: Any) -> bool:
    """Whether one is an array of float16 or bfloat16, which the general way computes in float32."""
    return any(value.__class__ is _ndarray and value.dtype in NARROW for value in values)


def call(op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Tensor:
    """Call `op` on any number of inputs: the general way, which the next ones write out."""
    values = _arrays(op, inputs)
    thread = state.__dict__
    try:
        general = OBSERVERS or (NARROW and _some_narrow(*values))
        out = None if general else thread["quietly"](op.body, *values, **attributes)
    except (MemoryError, ValueError):
        out = None
    if out.__class__ is not _ndarray:
        out = op.compute(values, attributes) if out is None else np.asarray(out)
    tensor = _output(op, out, inputs[0], attributes) if op.view else wrap(out)
    if thread["grad_enabled"]:
        record_call(op, inputs, values, tensor, attributes)
    if OBSERVERS:
        report(op, inputs, attributes, tensor)
    return tensor


def call_unary(op: Any, x: Any, attributes: dict[str, Any] = NO_ATTRIBUTES) -> Tensor:
    """`call` for one Tensor, written out: a hot path."""
    if not isinstance(x, TensorBase) or OBSERVERS:
        return call(op, (x,), attributes)
    value = x._array
    if NARROW and value.dtype in NARROW:
        return call(op, (x,), attributes)
    if op.promotion is not None and value.dtype.kind != "f":
        (value,) = op.promoted((value,))
    thread = state.__dict__
    try:
        if attributes:
            out = thread["quietly"](op.run, value, **attributes)
        else:
            out = thread["quietly"](op.run, value)
    except (MemoryError, ValueError) as error:
        refuse_size(op, error)
        raise
    if out.__class__ is not _ndarray:
        out = np.asarray(out)
    tensor = _new(TENSOR_TYPE[0])
    tensor._array = out
    tensor._record = None
    tensor._counter = counter = new_counter() if INFERENCE else [0]
    tensor._view = None
    if op.view and shares_memory(out, value):
        mark_view(tensor, x, op, attributes)
        counter = tensor._counter
    known = x._record if x._view is None else current_record(x)
    if (
        known is None
        or not op.formulas
        or not thread["grad_enabled"]
        or out.dtype.kind not in FLOATS
    ):
        return tensor
    keep_x, keep_out = op.saves_for_one
    tensor._record = record = _new(op.record_type)
    record.primitive = op
    record.inputs = (known,)
    record.shape = out.shape
    record.dtype = out.dtype
    record.saved = (
        (value, x._counter, x._counter[0]) if keep_x else None,
        (out, counter, counter[0]) if keep_out else None,
    )
    record.attributes = attributes
    record.sequence = next_sequence()
    record.hooks = None
    return tensor


def call_view(
    op: Any, x: Any, view: Array, attributes: dict[str, Any], record_type: type[Record]
) -> Tensor:
    """`call_unary` where the result is known to be `view`, of x's memory: a hot path."""
    if OBSERVERS:
        tensor = call_unary(op, x, attributes)
        if tensor._record is not None:
            tensor._record.__class__ = record_type
        return tensor
    known = x._record if x._view is None else current_record(x)
    recording = state.__dict__["grad_enabled"]
    tensor = _new(TENSOR_TYPE[0])
    tensor._array = view
    counter = tensor._counter = x._counter
    if x._view is None and recording:
        tensor._view = (x, counter[0], (None, op, attributes), None)
    else:
        mark_view(tensor, x, op, attributes)
    if known is None or not recording:
        tensor._record = None
        return tensor
    tensor._record = record = _new(record_type)
    record.primitive = op
    record.inputs = (known,)
    record.shape = view.shape
    record.dtype = view.dtype
    record.saved = _NOTHING_SAVED
    record.attributes = attributes
    record.sequence = next_sequence()
    record.hooks = None
    return tensor


_MOST = 2**63


def fits(number: Any, kind: np.dtype[Any], op: Any) -> bool:
    """Whether `op` computes a Python number and an array of a type in that type."""
    if kind.kind == "f":
        return number.__class__ is float or number.__class__ is int
    small = kind is _INT64 and number.__class__ is int and -_MOST <= number < _MOST
    return small and bool(op.as_they_are[kind])


def call_number_first(op: Any, x: Any, y: Any, attributes: dict[str, Any]) -> Tensor:
    """`call` for a Python number and a Tensor, where NumPy's function takes both as they are."""
    if op.ufunc is None or attributes or not isinstance(y, TensorBase) or OBSERVERS:
        return call(op, (x, y), attributes)
    value = y._array
    kind = value.dtype
    usual = fits(x, kind, op) and op.as_they_are[x.__class__, kind]
    if not usual or (NARROW and kind in NARROW):
        return call(op, (x, y), attributes)
    thread = state.__dict__
    try:
        out = np.asarray(thread["quietly"](op.run, x, value))
    except (TypeError, ValueError, OverflowError, MemoryError):
        return call(op, (x, y), attributes)
    tensor = wrap(out)
    known = y._record if y._view is None else current_record(y)
    if known is not None and thread["grad_enabled"] and op.formulas and out.dtype.kind == "f":
        keep_x, keep_y, keep_out = op.saves[False, True]
        saved = (
            (np.asarray(x, out.dtype), CONSTANT, 0) if keep_x else None,
            (value, y._counter, y._counter[0]) if keep_y else None,
            (out, tensor._counter, 0) if keep_out else None,
        )
        tensor._record = make_record(op, (None, known), out, saved, attributes)
    return tensor


def call_binary(op: Any, x: Any, y: Any, attributes: dict[str, Any] = NO_ATTRIBUTES) -> Tensor:
    """`call` for two Tensors of one type, or one and a Python number: a hot path."""
    if not isinstance(x, TensorBase) or OBSERVERS:
        return call_number_first(op, x, y, attributes)
    x_value, x_counter = x._array, x._counter
    x_record = x._record if x._view is None else current_record(x)
    kind = x_value.dtype
    if isinstance(y, TensorBase):
        y_value, y_counter = y._array, y._counter
        y_record = y._record if y._view is None else current_record(y)
        usual = kind is y_value.dtype and (kind is _FLOAT32 or op.as_they_are[kind])
    else:
        y_value, y_counter, y_record = y, CONSTANT, None
        usual = fits(y, kind, op)
    if (not usual and op.promotion is not None) or (NARROW and _some_narrow(x_value, y_value)):
        return call(op, (x, y), attributes)
    thread = state.__dict__
    try:
        if attributes:
            out = thread["quietly"](op.run, x_value, y_value, **attributes)
        else:
            out = thread["quietly"](op.run, x_value, y_value)
    except (TypeError, ValueError, OverflowError, MemoryError):
        return call(op, (x, y), attributes)
    if out.__class__ is not _ndarray:
        out = np.asarray(out)
    tensor = _new(TENSOR_TYPE[0])
    tensor._array = out
    tensor._record = None
    tensor._counter = counter = new_counter() if INFERENCE else [0]
    tensor._view = None
    if (x_record is None and y_record is None) or not op.formulas or not thread["grad_enabled"]:
        return tensor
    both = x_record is not None and y_record is not None
    keeps = op.saves_for_both if both else op.saves[x_record is not None, y_record is not None]
    keep_x, keep_y, keep_out = keeps
    tensor._record = record = _new(op.record_type)
    record.primitive = op
    record.inputs = (x_record, y_record)
    record.shape = out.shape
    record.dtype = out.dtype
    record.saved = (
        (x_value, x_counter, x_counter[0]) if keep_x else None,
        (y_value, y_counter, y_counter[0]) if keep_y else None,
        (out, counter, 0) if keep_out else None,
    )
    record.attributes = attributes
    record.sequence = next_sequence()
    record.hooks = None
    return tensor


def call_ternary(
    op: Any, x: Any, y: Any, z: Any, attributes: dict[str, Any] = NO_ATTRIBUTES
) -> Tensor:
    """`call` for Tensors, arrays or None of which each has the type it needs: a hot path."""
    x_value, x_counter, x_record = x, CONSTANT, None
    y_value, y_counter, y_record = y, CONSTANT, None
    z_value, z_counter, z_record = z, CONSTANT, None
    if isinstance(x, TensorBase):
        x_value, x_counter = x._array, x._counter
        x_record = x._record if x._view is None else current_record(x)
    if isinstance(y, TensorBase):
        y_value, y_counter = y._array, y._counter
        y_record = y._record if y._view is None else current_record(y)
    if isinstance(z, TensorBase):
        z_value, z_counter = z._array, z._counter
        z_record = z._record if z._view is None else current_record(z)
    if OBSERVERS or (NARROW and _some_narrow(x_value, y_value, z_value)):
        return call(op, (x, y, z), attributes)
    thread = state.__dict__
    try:
        out = thread["quietly"](op.run, x_value, y_value, z_value, **attributes)
    except (ValueError, MemoryError):
        return call(op, (x, y, z), attributes)
    if out.__class__ is not _ndarray:
        out = np.asarray(out)
    tensor = wrap(out)
    needs = x_record is not None, y_record is not None, z_record is not None
    if True not in needs or not thread["grad_enabled"] or out.dtype.kind not in FLOATS:
        return tensor
    keep_x, keep_y, keep_z, keep_out = op.saves[needs]
    tensor._record = record = _new(op.record_type)
    record.primitive = op
    record.inputs = (x_record, y_record, z_record)
    record.shape = out.shape
    record.dtype = out.dtype
    record.saved = (
        (x_value, x_counter, x_counter[0]) if keep_x else None,
        (y_value, y_counter, y_counter[0]) if keep_y else None,
        (z_value, z_counter, z_counter[0]) if keep_z else None,
        (out, tensor._counter, 0) if keep_out else None,
    )
    record.attributes = attributes
    record.sequence = next_sequence()
    record.hooks = None
    return tensor
