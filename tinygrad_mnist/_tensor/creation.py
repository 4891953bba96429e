"""Making tensors: from data, from arrays, and filled by a rule."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.ops.arguments import read_shape
from tinygrad_mnist.record import TensorBase, wrap

from .places import check_device

Tensor = Any
Array = np.ndarray[Any, Any]


def _finish(array: Array, requires_grad: bool) -> Tensor:
    made = wrap(array)
    return made.requires_grad_() if requires_grad else made


def _check_dtype(dtype: Any) -> dtypes.dtype | None:
    if dtype is not None and not isinstance(dtype, dtypes.dtype):
        raise TypeError(f"dtype must be a torch.dtype, not {type(dtype).__name__}: {dtype!r}")
    return dtype


def _read_data(data: Any) -> Array:
    """Nested sequences, numbers, arrays and tensors as an array of one of the carried types."""
    if isinstance(data, TensorBase):
        return data._array
    if isinstance(data, np.ndarray | np.generic):
        return _carried(np.asarray(data))
    if isinstance(data, bool | int | float):
        return np.asarray(data, dtypes.of_number(data).numpy)
    if isinstance(data, complex):
        raise NotImplementedError("complex tensors are not supported")
    if not isinstance(data, list | tuple | range) and not hasattr(data, "__len__"):
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    return _read_sequence(data)


def _read_sequence(data: Any) -> Array:
    shape = _shape_of(data)
    if math.prod(shape) == 0:
        return np.zeros(shape, dtypes.get_default_dtype().numpy)
    flat: list[Any] = []
    _flatten(data, shape, 0, flat)
    kinds = {_kind_of(value) for value in set(map(type, flat))} if flat else set()
    if any(isinstance(value, TensorBase | np.generic) for value in flat):
        kinds = {_kind_of_value(value) for value in flat}
        flat = [value.item() if hasattr(value, "item") else value for value in flat]
    kind = dtypes.bool
    for each in kinds:
        kind = dtypes.promote_types(kind, each)
    try:
        return np.array(flat, kind.numpy).reshape(shape)
    except OverflowError:
        raise RuntimeError(f"value cannot be converted to type {kind.cpp_name} without overflow") from None


def _kind_of(cls: type) -> dtypes.dtype:
    if issubclass(cls, bool):
        return dtypes.bool
    if issubclass(cls, int):
        return dtypes.int64
    if issubclass(cls, float):
        return dtypes.get_default_dtype()
    if issubclass(cls, TensorBase | np.generic):
        return dtypes.bool
    if issubclass(cls, complex):
        raise NotImplementedError("complex tensors are not supported")
    if issubclass(cls, str):
        raise TypeError("new(): invalid data type 'str'")
    raise RuntimeError(f"Could not infer dtype of {cls.__name__}")


def _kind_of_value(value: Any) -> dtypes.dtype:
    if isinstance(value, TensorBase):
        return dtypes.from_numpy_dtype(value._array.dtype)
    if isinstance(value, np.generic):
        return dtypes.from_numpy_dtype(_carried(np.asarray(value)).dtype)
    return _kind_of(type(value))


def _shape_of(data: Any) -> tuple[int, ...]:
    """The shape by the first entries, as PyTorch infers it."""
    if isinstance(data, TensorBase):
        return data._array.shape
    if isinstance(data, np.ndarray):
        return data.shape
    if isinstance(data, list | tuple | range):
        return (len(data), *(_shape_of(data[0]) if len(data) else ()))
    return ()


def _flatten(data: Any, shape: tuple[int, ...], depth: int, flat: list[Any]) -> None:
    if isinstance(data, TensorBase | np.ndarray) and len(shape) > depth:
        array = data._array if isinstance(data, TensorBase) else _carried(data)
        if array.shape != shape[depth:]:
            _refuse_length(shape, depth, len(array) if array.ndim else 0)
        flat.extend(array.reshape(-1))
        return
    if depth == len(shape):
        if isinstance(data, list | tuple | range):
            raise TypeError(f"not a sequence of equal depth: a number was expected at depth {depth}")
        if isinstance(data, TensorBase | np.ndarray) and data.ndim:
            raise ValueError("only one element tensors can be converted to Python scalars")
        flat.append(data)
        return
    if not isinstance(data, list | tuple | range):
        raise TypeError("not a sequence")
    if len(data) != shape[depth]:
        _refuse_length(shape, depth, len(data))
    for item in data:
        _flatten(item, shape, depth + 1, flat)


def _refuse_length(shape: tuple[int, ...], depth: int, got: int) -> None:
    raise ValueError(
        f"expected sequence of length {shape[depth]} at dim {depth} (got {got})"
    )


def _carried(array: Array) -> Array:
    """`array`, its type object the one the engine compares with; TypeError for other types."""
    kind = dtypes.from_numpy_dtype(array.dtype)
    return array if array.dtype is kind.numpy else array.view(kind.numpy)


def tensor(
    data: Any,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor that holds a copy of `data`: numbers, nested sequences, an array or a tensor.

    Without `dtype`: bool, int64, or the default type for Python numbers, an array's own type
    otherwise. Raises ValueError for ragged sequences, TypeError or RuntimeError for what is not
    numbers.

    >>> import tinygrad_mnist as torch
    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    check_device(device)
    if isinstance(data, TensorBase):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    array = _read_data(data)
    kind = _check_dtype(dtype)
    if kind is not None and array.dtype != kind.numpy:
        return _finish(_converted(array, kind), requires_grad)
    return _finish(array.copy() if isinstance(data, TensorBase | np.ndarray) else array, requires_grad)


def _converted(array: Array, kind: dtypes.dtype) -> Array:
    with np.errstate(all="ignore"):
        return array.astype(kind.numpy)


def as_tensor(data: Any, dtype: dtypes.dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where it is a tensor or an array of the type already."""
    check_device(device)
    if isinstance(data, TensorBase):
        return data.to(dtype)  # type: ignore[attr-defined]
    if isinstance(data, np.ndarray):
        made = from_numpy(data)
        return made if dtype is None else made.to(dtype)
    return tensor(data, dtype=dtype)


asarray = as_tensor


def from_numpy(ndarray: Array) -> Tensor:
    """A tensor that shares the memory of `ndarray`: a change in one is seen in the other.

    Raises TypeError for what is not an array or has a type that is not carried.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if any(step < 0 for step in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().)"
        )
    return wrap(_carried(ndarray))


def _filled(size: tuple[Any, ...], value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    check_device(device)
    shape = read_shape(size)
    for length in shape:
        if length < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {length}: {list(shape)}"
            )
    kind = _check_dtype(dtype) or dtypes.get_default_dtype()
    if value == 0:
        return _finish(np.zeros(shape, kind.numpy), requires_grad)
    return _finish(np.full(shape, dtypes.cast(value, kind)), requires_grad)


def _no_out(name: str, out: Any) -> None:
    if out is not None:
        raise NotImplementedError(f"{name}(out=) is not supported: assign the result")


def zeros(*size: Any, out: None = None, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Zeros in the shape `size`, given as numbers or as one tuple.

    >>> import tinygrad_mnist as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    _no_out("zeros", out)
    return _filled(size, 0, dtype, device, requires_grad)


def ones(*size: Any, out: None = None, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Ones in the shape `size`."""
    _no_out("ones", out)
    return _filled(size, 1, dtype, device, requires_grad)


def empty(*size: Any, out: None = None, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """A tensor to be filled; here it holds zeros, so that nothing depends on chance."""
    _no_out("empty", out)
    return _filled(size, 0, dtype, device, requires_grad)


def full(size: Any, fill_value: Any, *, out: None = None, dtype: Any = None, layout: Any = None,
         device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`fill_value` in the shape `size`; the type is that of the number unless given."""
    _no_out("full", out)
    value = fill_value.item() if isinstance(fill_value, TensorBase) else fill_value
    kind = dtypes.of_number(value) if dtype is None else dtype
    return _filled((size,), value, kind, device, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """Zeros in the shape and type of `input`."""
    return _filled((input._array.shape,), 0, dtype or input.dtype, device, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """Ones in the shape and type of `input`."""
    return _filled((input._array.shape,), 1, dtype or input.dtype, device, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """A tensor to be filled, in the shape and type of `input`."""
    return _filled((input._array.shape,), 0, dtype or input.dtype, device, requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None,
              device: Any = None, requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """`fill_value` in the shape and type of `input`."""
    value = fill_value.item() if isinstance(fill_value, TensorBase) else fill_value
    return _filled((input._array.shape,), value, dtype or input.dtype, device, requires_grad)


def arange(*bounds: Any, start: Any = None, end: Any = None, step: Any = None, out: None = None,
           dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The numbers from start (0) up to and without `end`, `step` (1) apart: arange(end),
    arange(start, end), arange(start, end, step).

    >>> import tinygrad_mnist as torch
    >>> torch.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    _no_out("arange", out)
    check_device(device)
    if len(bounds) == 1 and start is None:
        end = bounds[0]
    elif bounds:
        start, end = bounds[0], bounds[1] if len(bounds) > 1 else end
        step = bounds[2] if len(bounds) > 2 else step
    first, last, gap = [
        b.item() if isinstance(b, TensorBase | np.generic) else b
        for b in (0 if start is None else start, end, 1 if step is None else step)
    ]
    if gap == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(first) and math.isfinite(last)):
        raise RuntimeError(f"unsupported range: {first} -> {last}")
    if (last - first) * gap < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    integers = all(isinstance(b, int) for b in (first, last, gap))
    kind = _check_dtype(dtype) or (dtypes.int64 if integers else dtypes.get_default_dtype())
    count = -((first - last) // gap) if integers else math.ceil((last - first) / gap)
    steps = np.arange(count, dtype=np.int64 if integers else np.float64)
    return _finish(_converted(first + steps * gap, kind), requires_grad)


def linspace(start: Any, end: Any, steps: int, *, out: None = None, dtype: Any = None,
             layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers evenly spaced from `start` to `end`, both included."""
    _no_out("linspace", out)
    check_device(device)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    kind = _check_dtype(dtype) or dtypes.get_default_dtype()
    first, last = [b.item() if isinstance(b, TensorBase) else b for b in (start, end)]
    number = kind.numpy.type if kind.is_floating_point else np.float64
    gap = number((last - first) / (steps - 1)) if steps > 1 else number(0)
    places = np.arange(steps).astype(number)
    rising = number(first) + gap * places
    falling = number(last) - gap * (number(steps - 1) - places)
    return _finish(
        _converted(np.where(np.arange(steps) < steps / 2, rising, falling), kind), requires_grad
    )


def eye(n: int, m: int | None = None, *, out: None = None, dtype: Any = None, layout: Any = None,
        device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Ones on the diagonal of an n × m matrix (m = n unless given), zeros elsewhere."""
    _no_out("eye", out)
    check_device(device)
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n must be greater or equal to 0, got {n if n < 0 else m}")
    kind = _check_dtype(dtype) or dtypes.get_default_dtype()
    return _finish(np.eye(n, m, dtype=kind.numpy), requires_grad)


def legacy_tensor(*data: Any) -> Tensor:
    """What `torch.Tensor(...)` makes: of sizes a tensor to be filled, of data a float tensor."""
    kind = dtypes.get_default_dtype()
    if not data:
        return wrap(np.zeros(0, kind.numpy))
    if all(isinstance(size, int) for size in data):
        return empty(*data)
    if len(data) == 1 and isinstance(data[0], TensorBase):
        given = data[0]
        if given._array.dtype != kind.numpy:
            raise TypeError(f"expected torch.{kind.legacy_name}Tensor (got {given.type()})")  # type: ignore[attr-defined]
        return wrap(given._array, given._counter)
    return tensor(data[0], dtype=kind)


__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy", "full",
    "full_like", "linspace", "ones", "ones_like", "tensor", "zeros", "zeros_like",
]  # fmt: skip
