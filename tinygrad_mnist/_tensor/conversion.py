"""From tensors to Python, NumPy and other types, and how a tensor describes itself."""

from __future__ import annotations

import builtins
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.ops import casting, indexing
from tinygrad_mnist.ops.arguments import read_dim
from tinygrad_mnist.record import AccumulateGrad, current_record, TensorBase, wrap

from .places import CPU, check_device, device
from .printing import tensor_format, tensor_repr
from .size import Size

Tensor = Any


def rebuild(array: Any, requires_grad: bool, attributes: dict[str, Any]) -> Tensor:
    """The tensor that was pickled."""
    tensor = wrap(array)
    tensor.requires_grad_(requires_grad)
    tensor.__dict__.update(attributes)
    return tensor


class Conversion(TensorBase):
    """Size, type, and the ways out of the engine."""

    __slots__ = ()
    __array_priority__ = 1000

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of dimension `dim`."""
        if dim is None:
            return Size(self._array.shape)
        if self._array.ndim == 0:
            raise IndexError("Dimension specified as 0 but tensor has no dimensions")
        return self._array.shape[read_dim(dim, self._array.ndim)]

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    ndimension = dim
    ndim = property(dim, doc="The number of dimensions.")

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the numbers."""
        return dtypes.from_numpy_dtype(self._array.dtype)

    @property
    def device(self) -> device:
        """Where the tensor lives: the CPU."""
        return CPU

    is_cuda = False
    is_sparse = False
    is_quantized = False
    is_meta = False
    layout = "torch.strided"

    @property
    def itemsize(self) -> int:
        """Bytes an element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    def element_size(self) -> int:
        """Bytes an element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """How many elements apart neighbours along each dimension (or along `dim`) lie."""
        strides = tuple(step // self._array.itemsize for step in self._array.strides)
        return strides if dim is None else strides[dim]

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._array.ctypes.data

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in memory in order, without gaps."""
        return self._array.flags.c_contiguous

    def contiguous(self, memory_format: Any = None) -> Tensor:
        """The tensor itself where its memory is in order, else a copy that is."""
        return self if self._array.flags.c_contiguous else casting.clone(self)

    def is_floating_point(self) -> bool:
        """Whether the numbers are floating point."""
        return self._array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Whether the numbers are complex: never."""
        return False

    def is_signed(self) -> bool:
        """Whether the type holds negative numbers."""
        return self._array.dtype.kind in "if"

    def item(self) -> Any:
        """The one number of the tensor, as a Python number; RuntimeError when there are more."""
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """The numbers as nested lists (a number for 0 dimensions)."""
        return self._array.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """The array itself, sharing memory; `force` detaches first."""
        if current_record(self) is not None and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if copy is False and dtype is not None and array.dtype != np.dtype(dtype):
            raise ValueError(f"a copy is needed to convert {array.dtype} to {dtype}")
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return wrap(np.asarray(array))

    def cpu(self, memory_format: Any = None) -> Tensor:
        """The tensor itself: it lives on the CPU."""
        return self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor:
        """Refused: there is no GPU here."""
        check_device("cuda")
        return self

    def pin_memory(self) -> Tensor:
        """The tensor itself: pinning serves GPUs alone."""
        return self

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False,
           copy: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
        """In another type: to(dtype), to(other tensor), to("cpu"), to("cpu", dtype).

        The tensor itself where nothing changes, unless `copy`. Raises NotImplementedError for
        another device.
        """
        for argument in args:
            if isinstance(argument, dtypes.dtype):
                dtype = argument
            elif isinstance(argument, TensorBase):
                dtype = dtypes.from_numpy_dtype(argument._array.dtype)
            elif not isinstance(argument, bool):
                device = argument
        check_device(device)
        if dtype is not None and not isinstance(dtype, dtypes.dtype):
            raise TypeError(f"to(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
        if dtype is None or self._array.dtype == dtype.numpy:
            return casting.clone(self) if copy else self
        return casting.cast_to(self, dtype)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The type's old name ("torch.FloatTensor"), or the tensor in the type given."""
        if dtype is None:
            return f"torch.{self.dtype.legacy_name}Tensor"
        if isinstance(dtype, str):
            named = {f"torch.{kind.legacy_name}Tensor": kind for kind in dtypes._ALL}
            if dtype not in named:
                raise ValueError(f"invalid type: '{dtype}'")
            dtype = named[dtype]
        return self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """In the type of `other`."""
        return self.to(other.dtype)

    def float(self) -> Tensor:
        """In float32."""
        return casting.cast_to(self, dtypes.float32)

    def double(self) -> Tensor:
        """In float64."""
        return casting.cast_to(self, dtypes.float64)

    def long(self) -> Tensor:
        """In int64, fractions cut off."""
        return casting.cast_to(self, dtypes.int64)

    def int(self) -> Tensor:
        """In int32, fractions cut off."""
        return casting.cast_to(self, dtypes.int32)

    def byte(self) -> Tensor:
        """In uint8."""
        return casting.cast_to(self, dtypes.uint8)

    def bool(self) -> Tensor:
        """In bool: whether each number is not zero."""
        return casting.cast_to(self, dtypes.bool)

    def half(self) -> Tensor:
        """Refused: float16 is not carried."""
        raise NotImplementedError("float16 is not supported: use .float() (float32)")

    def bfloat16(self) -> Tensor:
        """Refused: bfloat16 is not carried."""
        raise NotImplementedError("bfloat16 is not supported: use .float() (float32)")

    def __bool__(self) -> Any:
        if self._array.size == 1:
            return self._array.item() != 0
        if self._array.size == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    def _number(self) -> Any:
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._array.item()

    def __float__(self) -> Any:
        return builtins.float(self._number())

    def __int__(self) -> Any:
        return builtins.int(self._number())

    def __index__(self) -> Any:
        if self._array.size != 1 or self._array.dtype.kind == "f":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return builtins.int(self._array.item())

    def __len__(self) -> Any:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter([indexing.getitem(self, i) for i in range(self._array.shape[0])])

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        return tensor_repr(self, tensor_contents=tensor_contents)

    def __format__(self, format_spec: str) -> str:
        return tensor_format(self, format_spec)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        if id(self) in memo:
            return memo[id(self)]
        record = current_record(self)
        if record is not None and record.primitive is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
                "because of a torch.nn.utils.weight_norm usage, see "
                "https://github.com/pytorch/pytorch/pull/103001"
            )
        twin = object.__new__(self.__class__)
        twin._array, twin._counter, twin._view = self._array.copy(), [0], None
        twin._record = None if record is None else AccumulateGrad(twin)
        memo[id(self)] = twin
        if record is not None and record.grad is not None and twin._record is not None:
            twin._record.grad = copy.deepcopy(record.grad, memo)
        rest = {k: v for k, v in self.__dict__.items() if k != "_resting_leaf"}
        twin.__dict__.update(copy.deepcopy(rest, memo))
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        record = current_record(self)
        if record is not None and record.primitive is not None:
            raise RuntimeError(
                "Cannot pickle a non-leaf tensor that requires grad: pickle tensor.detach()"
            )
        rest = {k: v for k, v in self.__dict__.items() if k != "_resting_leaf"}
        return rebuild, (self._array, record is not None, rest)
