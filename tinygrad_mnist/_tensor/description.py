"""What a tensor says of itself: its size, its type, its device, the layout of its memory."""

from __future__ import annotations

import builtins
import math
from typing import Any, overload

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import CPU, check_device, device
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import InferenceCounter, Tensor
from tinygrad_mnist.engine.types import Device, MemoryFormat, layout, memory_format
from tinygrad_mnist.ops import casting
from tinygrad_mnist.ops.arguments import operation, read_dim

from .printing import tensor_format, tensor_repr
from .sharing import share, shared_memory

inf = math.inf
nan = math.nan
pi = math.pi
e = math.e
newaxis = None


_new_tuple = tuple.__new__
strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")


class Description(Tensor):
    """Questions about a tensor that need no arithmetic."""

    __slots__ = ()

    is_cpu = True
    is_cuda = is_ipu = is_maia = is_mps = is_mtia = is_vulkan = is_xla = is_xpu = False
    is_meta = is_mkldnn = is_nested = is_quantized = is_sparse = is_sparse_csr = False
    layout = strided
    name = None

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return _new_tuple(Size, self._array.shape)

    @overload
    def size(self, dim: None = None) -> Size: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> Size | int:
        """The shape, or the length of dimension `dim`."""
        if dim is None:
            return tuple.__new__(Size, self._array.shape)
        return int(self._array.shape[self._axis("size", dim)])

    def _axis(self, function: str, dim: Any) -> int:
        if not hasattr(dim, "__index__"):
            raise TypeError(
                f"{function}(): argument 'dim' (position 1) must be int, not {type(dim).__name__}"
            )
        if self._array.ndim == 0:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        return read_dim(dim, self._array.ndim)

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

    def get_device(self) -> int:
        """The number of the tensor's GPU; −1 for the CPU."""
        return -1

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

    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...
    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """How many elements apart neighbours along each dimension (or along `dim`) lie."""
        strides = _strides(self._array)
        return strides if dim is None else strides[self._axis("stride", dim)]

    def storage_offset(self) -> int:
        """How many elements lie before the first in the memory that the tensor shares."""
        owner = self._array.base
        start = self._array if owner is None or not hasattr(owner, "ctypes") else owner
        return (self._array.ctypes.data - start.ctypes.data) // self._array.itemsize

    def data_ptr(self) -> int:
        """The address of the first element; 0 where there is none."""
        return self._array.ctypes.data if self._array.size else 0

    def is_contiguous(self, memory_format: MemoryFormat = None) -> bool:
        """Whether the elements lie in memory in order, without gaps."""
        return bool(self._array.flags.c_contiguous)

    def contiguous(self, memory_format: MemoryFormat = None) -> Tensor:
        """The tensor itself where its memory is in order, else a copy that is."""
        return self if self._array.flags.c_contiguous else casting._clone(self, in_order=True)

    def is_shared(self) -> bool:
        """Whether other processes may see the memory: after `share_memory_` they may."""
        return shared_memory(self._array) is not None

    def share_memory_(self) -> Tensor:
        """Move the numbers into memory that processes share which are given the tensor."""
        share(self)
        return self

    def is_pinned(self) -> bool:
        """Whether the memory is pinned for a GPU: it is not."""
        return False

    def is_floating_point(self) -> bool:
        """Whether the numbers are floating point."""
        return bool(self._array.dtype.kind in dtypes.FLOATS)

    def is_complex(self) -> bool:
        """Whether the numbers are complex: never."""
        return False

    def is_signed(self) -> bool:
        """Whether the type holds negative numbers."""
        return self._array.dtype.kind in "ifV"

    def is_inference(self) -> bool:
        """Whether the tensor was made in `inference_mode`."""
        return isinstance(self._counter, InferenceCounter)

    def __len__(self) -> builtins.int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        return tensor_repr(self, tensor_contents=tensor_contents)

    def __format__(self, format_spec: str) -> str:
        return tensor_format(self, format_spec)


def _strides(array: Any) -> tuple[int, ...]:
    """Strides in elements.

    For a new dimension of size 1, and for all of an empty tensor, where none is needed, NumPy has
    0 and PyTorch what would be right in order.
    """
    strides: list[int] = []
    following = 1
    for step, size in zip(array.strides[::-1], array.shape[::-1], strict=True):
        needed = size != 1 and array.size
        strides.append(step // array.itemsize if step or needed else following)
        following = strides[-1] * max(size, 1)
    return tuple(strides[::-1])


# Questions about tensors, asked as functions


def is_tensor(obj: object) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


@operation
def numel(input: Tensor) -> int:
    """The number of elements.

    >>> torch.numel(torch.zeros(2, 3))
    6
    """
    return int(input._array.size)


@operation
def is_floating_point(input: Tensor) -> bool:
    """Whether the numbers are floating point."""
    return bool(input._array.dtype.kind in dtypes.FLOATS)


@operation
def is_complex(input: Tensor) -> bool:
    """Whether the numbers are complex: never."""
    return False


@operation
def is_nonzero(input: Tensor) -> bool:
    """Whether the one number of a tensor is not zero; RuntimeError when there are more."""
    return bool(input)


def typename(obj: object) -> str:
    """The old name of a tensor's type ("torch.FloatTensor"); of anything else, its class."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def get_default_device() -> device:
    """Where tensors are made unless told otherwise: on the CPU."""
    return CPU


def set_default_device(device: Device) -> None:
    """Make tensors on `device`; NotImplementedError for anything but the CPU."""
    check_device(device)
