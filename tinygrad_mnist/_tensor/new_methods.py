"""Methods that make a new tensor in the type of one that is there."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import TensorBase
from tinygrad_mnist.engine.tensor import Tensor

from . import creation, legacy


class NewTensors(TensorBase):
    """`x.new_zeros(...)` and its kin."""

    __slots__ = ()

    def _kind(self, dtype: Any) -> Any:
        return dtypes.from_numpy_dtype(self._array.dtype) if dtype is None else dtype

    def new_zeros(self, *size: Any, dtype: Any = None, **options: Any) -> Tensor:
        """Zeros in the type of this tensor."""
        return creation.zeros(*size, dtype=self._kind(dtype), **options)

    def new_ones(self, *size: Any, dtype: Any = None, **options: Any) -> Tensor:
        """Ones in the type of this tensor."""
        return creation.ones(*size, dtype=self._kind(dtype), **options)

    def new_empty(self, *size: Any, dtype: Any = None, **options: Any) -> Tensor:
        """A tensor to be filled, in the type of this tensor."""
        return creation.empty(*size, dtype=self._kind(dtype), **options)

    def new_full(self, size: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Tensor:
        """`fill_value` in the type of this tensor."""
        return creation.full(size, fill_value, dtype=self._kind(dtype), **options)

    def new_tensor(self, data: Any, *, dtype: Any = None, **options: Any) -> Tensor:
        """`data` in the type of this tensor."""
        return creation.tensor(data, dtype=self._kind(dtype), **options)

    def new(self, *data: Any, device: Any = None) -> Tensor:
        """What the old constructor of this tensor's type makes."""
        return legacy.new_tensor(*data, kind=self._kind(None), device=device)
