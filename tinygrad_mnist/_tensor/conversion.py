"""Between tensors and Python, NumPy and other types; copies; memory seen in another shape."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex, overload

import numpy as np

from tinygrad_mnist import dtypes, names
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.dtypes import from_numpy_dtype
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.node import AccumulateGrad, named_as
from tinygrad_mnist.engine.observer import OBSERVERS, item, report
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Device, DType, MemoryFormat, Number
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.ops import casting, indexing, shapes
from tinygrad_mnist.ops.arguments import check_tensors, read_dtype, read_legacy_type

# From tensors to Python, to NumPy, and to other types


def _in_type(name: str, kind: dtypes.dtype, says: str) -> Callable[..., Tensor]:
    """The method that converts to the type `kind`."""

    def convert(self: Tensor, memory_format: MemoryFormat = None) -> Tensor:
        return casting.cast_to(self, kind)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = says
    return convert


class Conversion(Tensor):
    """The ways out of the engine, and from one type to another."""

    __slots__ = ()
    __array_priority__ = 1000

    def item(self) -> Number:
        """The one number of the tensor, as a Python number; RuntimeError when there are more."""
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        number: Number = self._read().item()
        return number

    def _read(self) -> Array:
        """The array, for Python to look at: an observer is told, as no program can follow that."""
        if OBSERVERS:
            report(item, (self,), {}, None)
        return self._array

    def tolist(self) -> Any:
        """The numbers as nested lists (a number for 0 dimensions)."""
        return self._read().tolist()

    def numpy(self, *, force: builtins.bool = False) -> Array:
        """The array itself, sharing memory; `force` detaches first.

        Raises RuntimeError for a tensor that requires a gradient, unless under `no_grad`.
        """
        if state.grad_enabled and not force and current_record(self) is not None:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        if self._array.dtype.kind == "V":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self._read()

    def __array__(
        self, dtype: np.typing.DTypeLike | None = None, copy: builtins.bool | None = None
    ) -> Array:
        array = self.numpy()
        if copy is False and dtype is not None and array.dtype != np.dtype(dtype):
            raise ValueError(f"a copy is needed to convert {array.dtype} to {dtype}")
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __array_wrap__(
        self, array: Array, context: object = None, return_scalar: builtins.bool = False
    ) -> Tensor:
        """What a NumPy function made of tensors, as a tensor; bools as uint8, as in PyTorch."""
        found = np.asarray(array)
        return wrap(found.astype(np.uint8) if found.dtype == bool else found)

    def cpu(self, memory_format: MemoryFormat = None) -> Tensor:
        """The tensor itself: it lives on the CPU."""
        return self

    def cuda(
        self,
        device: Device = None,
        non_blocking: builtins.bool = False,
        memory_format: MemoryFormat = None,
    ) -> Tensor:
        """Refused: there is no GPU here. (Under `run --device cpu`, the tensor itself.)"""
        check_device("cuda")
        return self

    def pin_memory(self, device: Device = None) -> Tensor:
        """The tensor itself: pinning serves GPUs alone."""
        return self

    def to(
        self,
        *args: dtypes.dtype | Device | Tensor | builtins.bool,
        dtype: DType = None,
        device: Device = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: MemoryFormat = None,
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
            elif isinstance(argument, Tensor):
                dtype = dtypes.from_numpy_dtype(argument._array.dtype)
            elif not isinstance(argument, builtins.bool):
                device = argument
        check_device(device)
        kind = read_dtype("to", dtype)
        if kind is None or self._array.dtype == kind.numpy:
            return named_as(casting.clone(self), "ToCopyBackward0") if copy else self
        return casting.cast_to(self, kind)

    @overload
    def type(self, dtype: None = None, non_blocking: builtins.bool = False) -> str: ...
    @overload
    def type(self, dtype: dtypes.dtype | str, non_blocking: builtins.bool = False) -> Tensor: ...
    def type(
        self, dtype: dtypes.dtype | str | None = None, non_blocking: builtins.bool = False
    ) -> str | Tensor:
        """The type's old name ("torch.FloatTensor"), or the tensor in the type given."""
        if dtype is None:
            kind = dtypes.from_numpy_dtype(self._array.dtype)
            return f"torch.{kind.legacy_name}Tensor"
        return casting.cast_to(self, read_legacy_type(dtype))

    def type_as(self, other: Tensor) -> Tensor:
        """In the type of `other`."""
        check_tensors("type_as", other=other)
        return casting.cast_to(self, dtypes.from_numpy_dtype(other._array.dtype))

    float = _in_type("float", dtypes.float32, "In float32.")
    double = _in_type("double", dtypes.float64, "In float64.")
    long = _in_type("long", dtypes.int64, "In int64, fractions cut off.")
    int = _in_type("int", dtypes.int32, "In int32, fractions cut off.")
    byte = _in_type("byte", dtypes.uint8, "In uint8.")
    bool = _in_type("bool", dtypes.bool, "In bool: whether each number is not zero.")
    half = _in_type("half", dtypes.float16, "In float16.")
    bfloat16 = _in_type("bfloat16", dtypes.bfloat16, "In bfloat16.")
    short = _in_type("short", dtypes.int16, "In int16, fractions cut off.")
    char = _in_type("char", dtypes.int8, "In int8, fractions cut off.")

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
        if self._array.size != 1 or self._array.dtype.kind in dtypes.FLOATS:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return builtins.int(self._read().item())

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(names.operation("unbind")(self))

    def __reversed__(self) -> Tensor:
        """The tensor, last element first."""
        if self._array.ndim == 0:
            return self
        return indexing.getitem(self, (np.arange(len(self._array))[::-1],))


# Copies of tensors: by the modules copy and pickle


def rebuild(array: Any, requires_grad: bool, attributes: dict[str, Any]) -> Tensor:
    """The tensor that was pickled."""
    tensor = wrap(array.view(from_numpy_dtype(array.dtype).numpy))
    tensor.requires_grad_(requires_grad)
    tensor.__dict__.update(attributes)
    return tensor


class Copying(Tensor):
    """Deep copies and pickles."""

    __slots__ = ()

    def _attributes(self) -> dict[str, Any]:
        """What users have set on the tensor."""
        return {name: value for name, value in self.__dict__.items() if name != "_resting_leaf"}

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        from copy import deepcopy

        if id(self) in memo:
            known: Tensor = memo[id(self)]
            return known
        record = current_record(self)
        if record is not None and record.primitive is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
                "because of a torch.nn.utils.weight_norm usage, see "
                "https://github.com/pytorch/pytorch/pull/103001"
            )
        twin = object.__new__(self.__class__)
        twin._array, twin._counter, twin._view = _copied(self._array, memo), [0], None
        twin._record = None if record is None else AccumulateGrad(twin)
        memo[id(self)] = twin
        twin.__dict__.update(deepcopy(self._attributes(), memo))
        twin.grad = deepcopy(self.grad, memo)
        return twin

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        record = current_record(self)
        return rebuild, (self._array, record is not None, self._attributes())


def _copied(array: Array, memo: dict[int, Any]) -> Array:
    """A copy with the same strides; arrays that share memory have copies that share memory."""
    owner: Any = array if array.base is None else array.base
    if not isinstance(owner, np.ndarray):
        return array.copy(order="K")
    if id(owner) not in memo:
        memo[id(owner)] = owner.copy(order="K")
    memory = memo[id(owner)].ravel(order="K")
    offset = array.ctypes.data - owner.ctypes.data
    copied: Array = np.ndarray(array.shape, array.dtype, memory, offset, array.strides)
    copied.flags.writeable = array.flags.writeable
    return copied


# The memory of a tensor seen in another shape


class Views(Tensor):
    """What PyTorch has as methods and properties only; the functions are in `ops.shapes`."""

    __slots__ = ()

    view = shapes.view
    expand = shapes.expand

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order."""
        ndim = self._array.ndim
        if ndim == 0:
            warnings.warn(
                "Tensor.T is deprecated on 0-D tensors. This function is the identity in these "
                "cases.",
                UserWarning,
                stacklevel=2,
            )
        elif ndim != 2:
            warnings.warn(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
                "deprecated and it will throw an error in a future release. Consider `x.mT` to "
                "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` "
                "to reverse the dimensions of a tensor.",
                UserWarning,
                stacklevel=2,
            )
        return shapes.permute(self, tuple(range(ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged: the transpose of each matrix."""
        return shapes.transposed("mT", self)

    @property
    def H(self) -> Tensor:
        """The conjugate transpose of a matrix: here, where all numbers are real, the transpose."""
        if self._array.ndim not in (0, 2):
            raise RuntimeError(
                "tensor.H is only supported on matrices (2-D tensors). "
                f"Got {self._array.ndim}-D tensor."
                + " For batches of matrices, consider using tensor.mH"
                * (self._array.ndim > 2)
            )
        return self.mT if self._array.ndim else self

    @property
    def mH(self) -> Tensor:
        """The conjugate transpose of each matrix: here the transpose."""
        return shapes.transposed("mH", self)

    @property
    def real(self) -> Tensor:
        """The tensor itself: its numbers are real."""
        return self

    @property
    def imag(self) -> Tensor:
        """Refused: its numbers are real."""
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")

    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of `other`."""
        check_tensors("view_as", other=other)
        return shapes.view(self, other._array.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """In the shape of `other`."""
        check_tensors("reshape_as", other=other)
        return shapes.reshape(self, other._array.shape)

    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of `other`."""
        check_tensors("expand_as", other=other)
        return shapes.expand(self, other._array.shape)
