"""Python's numbers and data, read: into arrays, and as elements of a tensor's type."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.types import Number
from tinygrad_mnist.ops.arguments import check_number_fits

# Numbers


def read_number(function: str, argument: str, position: int, given: Any) -> Number:
    """`given` as a Python number; TypeError, in PyTorch's words, for anything else."""
    if isinstance(given, np.generic):
        given = given.item()
    if isinstance(given, TensorBase) and not given._array.ndim and given._record is None:
        note_untraceable()
        given = given._array.item()
    if isinstance(given, complex):
        raise NotImplementedError(COMPLEX)
    if not isinstance(given, bool | int | float):
        raise TypeError(
            f"{function}(): argument '{argument}' (position {position}) must be Number, "
            f"not {type_name(given)}"
        )
    return given


def type_name(given: Any) -> str:
    """The name of the type of `given`, as PyTorch's messages have it."""
    name = type(given).__name__
    return f"numpy.{name}" if isinstance(given, np.ndarray | np.generic) else name


COMPLEX = "complex tensors are not supported: keep real and imaginary parts as two real tensors"


def element(number: Number, kind: dtypes.dtype) -> Number:
    """`number` as an element of type `kind`; RuntimeError when it does not fit."""
    check_number_fits(number, kind)
    if kind.is_floating_point:
        return number
    if kind is dtypes.bool:
        return bool(number)
    return int(number) if kind.is_signed else int(number) % 256


def counted(count: Any) -> Any:
    """A tensor that counts as a Python number; as a float64 tensor where a program follows it."""
    return count.double() if backward_mode.on_tensors else count.item()


# What torch.tensor accepts: numbers, nested sequences of them, arrays, tensors

_INVALID = "new(): invalid data type '{}'"
_PLAIN: dict[type, dtypes.dtype | None] = {bool: dtypes.bool, int: dtypes.int64, float: None}


def read_data(data: Any, kind: dtypes.dtype | None) -> Array:
    """`data` as an array of type `kind`, or of the type PyTorch infers; an array is not copied.

    Raises ValueError for ragged sequences, TypeError or RuntimeError for what is not numbers or
    does not fit the type.
    """
    if data.__class__ is float and kind is None:
        number: Array = state.quietly(np.array, data, dtypes.get_default_dtype().numpy)
        return number
    if isinstance(data, TensorBase):
        return converted(data._array, kind)
    if isinstance(data, np.ndarray):
        return converted(carried(data), kind)
    if isinstance(data, str | bytes):
        raise TypeError(_INVALID.format(type(data).__name__))
    if hasattr(data, "read_as"):  # a storage
        return np.array(data.read_as(kind))
    flat: list[Any] = []
    shape = _shape_of(data)
    if 0 in shape:
        return np.zeros(shape, (kind or dtypes.get_default_dtype()).numpy)
    _flatten(data, shape, 0, flat)
    return _array_of(flat, kind).reshape(shape)


def converted(array: Array, kind: dtypes.dtype | None) -> Array:
    """`array` as one of type `kind`: itself when it is one, or when `kind` is None."""
    if kind is None or array.dtype == kind.numpy:
        return array
    result: Array = state.quietly(array.astype, kind.numpy)
    return result


def carried(array: Array) -> Array:
    """`array`, if tensors can hold its type and layout.

    Raises TypeError for another type, ValueError for a foreign byte order or a negative stride.
    """
    if not array.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )
    array = np.asarray(array)
    kind = dtypes.from_numpy_dtype(array.dtype)
    if any(step < 0 for step in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    # The engine compares type objects: long and long long are two of NumPy's names for int64.
    return array if array.dtype is kind.numpy else array.view(kind.numpy)


def _is_sequence(data: Any) -> bool:
    """Whether `data` is nested data rather than a number; a tensor inside a list is a number."""
    if isinstance(data, TensorBase | np.generic | dict):
        return False
    return hasattr(data, "__len__") and hasattr(data, "__getitem__")


def _shape_of(data: Any) -> tuple[int, ...]:
    """The shape by the first entries, as PyTorch infers it."""
    shape: list[int] = []
    while _is_sequence(data):
        if isinstance(data, str) and data:
            raise ValueError("too many dimensions 'str'")
        if isinstance(data, str | bytes):
            raise TypeError(_INVALID.format(type(data).__name__))
        shape.append(len(data))
        if not shape[-1]:
            break
        try:
            data = data[0]
        except (TypeError, KeyError):
            kind = type(data).__name__
            raise ValueError(f"could not determine the shape of object type '{kind}'") from None
    return tuple(shape)


def _flatten(data: Any, shape: tuple[int, ...], depth: int, flat: list[Any]) -> None:
    if depth == len(shape):
        flat.append(data)
        return
    if not _is_sequence(data):
        raise TypeError("not a sequence")
    if len(data) != shape[depth]:
        raise ValueError(
            f"expected sequence of length {shape[depth]} at dim {depth} (got {len(data)})"
        )
    if depth == len(shape) - 1:
        flat.extend(data)
        for kind in set(map(type, data)) - _PLAIN.keys():
            if _is_sequence(next(value for value in data if type(value) is kind)):
                _refuse_sequence(kind, data)
        return
    for part in data:
        _flatten(part, shape, depth + 1, flat)


def _refuse_sequence(kind: type, data: Any) -> None:
    """Raise PyTorch's error for a sequence among numbers."""
    if issubclass(kind, str | bytes):
        raise TypeError(_INVALID.format(kind.__name__))
    if _has_floats(data):
        raise TypeError(f"must be real number, not {kind.__name__}")
    raise TypeError(f"'{kind.__name__}' object cannot be interpreted as an integer")


def _has_floats(data: Any) -> bool:
    """Whether PyTorch takes nested data for floating point: an empty list counts as that."""
    if _is_sequence(data):
        return not len(data) or any(_has_floats(part) for part in data)
    return isinstance(data, float)


def _array_of(flat: list[Any], kind: dtypes.dtype | None) -> Array:
    """A list of numbers as an array of type `kind`, or of their common type."""
    found = set(map(type, flat))
    if not found <= _PLAIN.keys():
        kinds = {_kind_of(value) for value in flat}
        flat = [value.item() if hasattr(value, "item") else value for value in flat]
    else:
        kinds = {_PLAIN[each] or dtypes.get_default_dtype() for each in found}
    common = dtypes.bool
    for each in kinds:
        common = dtypes.promote_types(common, each)
    try:
        if kind is not None and kind.is_floating_point:
            common = kind
        array: Array = state.quietly(np.array, flat, common.numpy)
    except OverflowError:
        raise ValueError("Overflow when unpacking long long") from None
    if kind is not None and kind is not common:
        _check_range(array, kind)
    return converted(array, kind)


def _check_range(array: Array, kind: dtypes.dtype) -> None:
    """RuntimeError unless all numbers fit the integer type `kind`."""
    if kind is dtypes.bool or not array.size or array.dtype == bool:
        return
    for extreme in (array.min().item(), array.max().item()):
        check_number_fits(extreme, kind, kind.name)


def _kind_of(value: Any) -> dtypes.dtype:
    """The type that a number alone would give a tensor."""
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        return dtypes.of_number(value)
    if isinstance(value, TensorBase):
        if value._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return dtypes.from_numpy_dtype(value._array.dtype)
    if isinstance(value, np.generic | np.ndarray):
        return dtypes.from_numpy_dtype(value.dtype)
    if isinstance(value, complex):
        raise NotImplementedError(COMPLEX)
    raise RuntimeError(f"Could not infer dtype of {type(value).__name__}")
