"""From tensors to Python, to NumPy, and to other types."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.record import OBSERVERS, TensorBase, label, report, state, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.ops import casting, indexing

from .type_arguments import read_dtype, read_legacy_type


class Conversion(TensorBase):
    """The ways out of the engine, and from one type to another."""

    __slots__ = ()
    __array_priority__ = 1000

    def item(self) -> Any:
        """The one number of the tensor, as a Python number; RuntimeError when there are more."""
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._read().item()

    def _read(self) -> Any:
        """The array, for Python to look at: an observer is told, as no program can follow that."""
        if OBSERVERS:
            report(casting.item, (self,), {}, None)
        return self._array

    def tolist(self) -> Any:
        """The numbers as nested lists (a number for 0 dimensions)."""
        return self._read().tolist()

    def numpy(self, *, force: builtins.bool = False) -> Any:
        """The array itself, sharing memory; `force` detaches first.

        Raises RuntimeError for a tensor that requires a gradient, unless under `no_grad`.
        """
        if state.grad_enabled and not force and current_record(self) is not None:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        return self._read()

    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> Any:
        array = self.numpy()
        if copy is False and dtype is not None and array.dtype != np.dtype(dtype):
            raise ValueError(f"a copy is needed to convert {array.dtype} to {dtype}")
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __array_wrap__(
        self, array: Any, context: Any = None, return_scalar: builtins.bool = False
    ) -> Any:
        """What a NumPy function made of tensors, as a tensor; bools as uint8, as in PyTorch."""
        found = np.asarray(array)
        return wrap(found.astype(np.uint8) if found.dtype == bool else found)

    def cpu(self, memory_format: Any = None) -> Tensor:
        """The tensor itself: it lives on the CPU."""
        return self

    def cuda(
        self, device: Any = None, non_blocking: builtins.bool = False, memory_format: Any = None
    ) -> Tensor:
        """Refused: there is no GPU here."""
        check_device("cuda")
        return self

    def pin_memory(self, device: Any = None) -> Tensor:
        """The tensor itself: pinning serves GPUs alone."""
        return self

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        """In another type, given as a dtype, by another tensor, or after a device.

        The tensor itself where nothing changes, unless `copy`. Raises NotImplementedError for
        another device.
        """
        flags = [argument for argument in args if isinstance(argument, builtins.bool)]
        copy = copy or flags[1:2] == [True]
        for argument in args:
            if isinstance(argument, dtypes.dtype | type):
                dtype = argument
            elif isinstance(argument, TensorBase):
                dtype = dtypes.from_numpy_dtype(argument._array.dtype)
            elif not isinstance(argument, builtins.bool):
                device = argument
        check_device(device)
        kind = read_dtype("to", dtype)
        if kind is None or self._array.dtype == kind.numpy:
            return label(casting.clone(self), "ToCopyBackward0") if copy else self
        return casting.cast_to(self, kind)

    def type(self, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
        """The type's old name ("torch.FloatTensor"), or the tensor in the type given."""
        if dtype is None:
            kind = dtypes.from_numpy_dtype(self._array.dtype)
            return f"torch.{kind.legacy_name}Tensor"
        return casting.cast_to(self, read_legacy_type(dtype))

    def type_as(self, other: Tensor) -> Tensor:
        """In the type of `other`."""
        return casting.cast_to(self, dtypes.from_numpy_dtype(other._array.dtype))

    def float(self, memory_format: Any = None) -> Tensor:
        """In float32."""
        return casting.cast_to(self, dtypes.float32)

    def double(self, memory_format: Any = None) -> Tensor:
        """In float64."""
        return casting.cast_to(self, dtypes.float64)

    def long(self, memory_format: Any = None) -> Tensor:
        """In int64, fractions cut off."""
        return casting.cast_to(self, dtypes.int64)

    def int(self, memory_format: Any = None) -> Tensor:
        """In int32, fractions cut off."""
        return casting.cast_to(self, dtypes.int32)

    def byte(self, memory_format: Any = None) -> Tensor:
        """In uint8."""
        return casting.cast_to(self, dtypes.uint8)

    def bool(self, memory_format: Any = None) -> Tensor:
        """In bool: whether each number is not zero."""
        return casting.cast_to(self, dtypes.bool)

    def half(self, memory_format: Any = None) -> Tensor:
        """Refused: float16 is not carried."""
        raise NotImplementedError("float16 is not supported: use .float() (float32)")

    def bfloat16(self, memory_format: Any = None) -> Tensor:
        """Refused: bfloat16 is not carried."""
        raise NotImplementedError("bfloat16 is not supported: use .float() (float32)")

    def is_nonzero(self) -> builtins.bool:
        """Whether the one number of the tensor is not zero; RuntimeError when there are more."""
        return builtins.bool(self)

    def __bool__(self) -> builtins.bool:
        if self._array.size == 1:
            return builtins.bool(self._read().item() != 0)
        values = "more than one value" if self._array.size else "no values"
        raise RuntimeError(f"Boolean value of Tensor with {values} is ambiguous")

    def _number(self) -> Any:
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self._read().item()

    def __float__(self) -> builtins.float:
        return builtins.float(self._number())

    def __int__(self) -> builtins.int:
        return builtins.int(self._number())

    def __complex__(self) -> complex:
        return complex(self._number())

    def __index__(self) -> builtins.int:
        if self._array.size != 1 or self._array.dtype.kind == "f":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return builtins.int(self._read().item())

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(indexing.unbind(self))

    def __reversed__(self) -> Tensor:
        """The tensor, last element first."""
        if self._array.ndim == 0:
            return self
        return indexing.getitem(self, (np.arange(len(self._array))[::-1],))
