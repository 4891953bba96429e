"""The old constructors: Tensor(...), FloatTensor(...), LongTensor(...) and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.record import TensorBase, wrap
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.indexing import getitem

from .creation import empty
from .nested_data import read_data
from .scalars import type_name


def new_tensor(*data: Any, kind: dtypes.dtype | None = None, device: Any = None) -> Tensor:
    """What `Tensor(...)` makes: of lengths a tensor to be filled, of data one of type `kind`.

    A tensor is shared, not copied. Raises TypeError for data that is no sequence, and for a tensor
    of another type where `kind` is given.
    """
    check_device(device)
    wanted = kind or dtypes.get_default_dtype()
    if not data:
        return wrap(np.zeros(0, wanted.numpy))
    first = data[0]
    if len(data) == 1 and isinstance(first, TensorBase):
        given = dtypes.from_numpy_dtype(first._array.dtype)
        if kind is not None and given is not kind:
            raise TypeError(
                f"expected torch.{kind.legacy_name}Tensor (got torch.{given.legacy_name}Tensor)"
            )
        return getitem(first, ...)
    if isinstance(first, Size) or all(_is_length(length) for length in data):
        return empty(*data, dtype=wanted)
    if len(data) > 1 or not hasattr(first, "__len__"):
        raise TypeError(f"new(): data must be a sequence (got {type_name(first)})")
    array = read_data(first, wanted)
    return wrap(array.copy() if isinstance(first, np.ndarray) else array)


def _is_length(given: Any) -> bool:
    return isinstance(given, int | np.integer) and not isinstance(given, bool)


class _TensorKind(type):
    """The class of FloatTensor and its kin: an instance is a tensor of the type named."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, TensorBase) and instance._array.dtype == cls.dtype.numpy

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        return new_tensor(*data, kind=cls.dtype, device=device)

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _kind(dtype: dtypes.dtype) -> _TensorKind:
    name = f"{dtype.legacy_name}Tensor"
    described = f"The old constructor of {dtype.name} tensors: of sizes, of data, of a tensor."
    return _TensorKind(name, (), {"dtype": dtype, "__doc__": described})


FloatTensor = _kind(dtypes.float32)
DoubleTensor = _kind(dtypes.float64)
LongTensor = _kind(dtypes.int64)
IntTensor = _kind(dtypes.int32)
ByteTensor = _kind(dtypes.uint8)
BoolTensor = _kind(dtypes.bool)
