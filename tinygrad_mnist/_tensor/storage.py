"""The memory behind a tensor as scripts look at it: `untyped_storage()`, `storage()`, `set_`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.memory import address, in_memory, memory_of
from tinygrad_mnist.engine.modes import is_inference_mode_enabled
from tinygrad_mnist.engine.out import resize
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import read_sizes
from tinygrad_mnist.ops.views import as_strided

from .gradients import replace_memory
from .in_place import become


class TypedStorage:
    """All the memory that a tensor lies in, as a row of numbers of its type.

    >>> memory = torch.ones(2, 2)[1].untyped_storage()
    >>> len(memory), memory.nbytes(), memory.tolist()[:4]
    (16, 16, [0, 0, 128, 63])
    """

    is_cuda = False

    def __init__(self, array: Array) -> None:
        self._row = array

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the numbers."""
        return dtypes.from_numpy_dtype(self._row.dtype)

    @property
    def device(self) -> device:
        """The CPU."""
        return device("cpu")

    def data_ptr(self) -> int:
        """The address of the first number."""
        return address(self._row)

    def nbytes(self) -> int:
        """Bytes of all numbers."""
        return int(self._row.nbytes)

    def element_size(self) -> int:
        """Bytes a number."""
        return int(self._row.itemsize)

    def size(self) -> int:
        """How many numbers there are."""
        return len(self._row)

    __len__ = size

    def __getitem__(self, index: int) -> Any:
        return self._row[index].item()

    def __setitem__(self, index: int | slice, value: float) -> None:
        self._row[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def fill_(self, value: float) -> TypedStorage:
        """Write one number everywhere."""
        self._row[:] = value
        return self

    def __sizeof__(self) -> int:
        return super().__sizeof__() + self.nbytes()

    def read_as(self, kind: dtypes.dtype | None) -> Array:
        """The numbers, which must be of this type; RuntimeError otherwise."""
        if kind is not None and kind != self.dtype:
            raise RuntimeError(
                f"Expected a Storage of type {kind.legacy_name} or an UntypedStorage, but got "
                f"{self.dtype.legacy_name}"
            )
        return self._row

    def tolist(self) -> list[Any]:
        """The numbers."""
        found: list[Any] = self._row.tolist()
        return found

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._row.view("u1"))


class UntypedStorage(TypedStorage):
    """All the memory that a tensor lies in, as bytes."""

    def read_as(self, kind: dtypes.dtype | None) -> Array:
        """The bytes as numbers of this type, int64 unless given."""
        number = (kind or dtypes.int64).numpy
        return self._row[: len(self._row) // number.itemsize * number.itemsize].view(number)


class Storages(Tensor):
    """The methods of a tensor that show its memory or change what it shows of it."""

    __slots__ = ()

    def untyped_storage(self) -> UntypedStorage:
        """The memory that the tensor lies in, as bytes."""
        return UntypedStorage(memory_of(self._array)[0].view("u1"))

    def storage(self) -> TypedStorage:
        """The memory that the tensor lies in, as a row of numbers."""
        warnings.warn(
            "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will "
            "be the only storage class. This should only matter to you if you are using storages "
            "directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead "
            "of tensor.storage()",
            stacklevel=2,
        )
        return TypedStorage(memory_of(self._array)[0])

    def as_strided_(
        self, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
    ) -> Tensor:
        """`as_strided`, which the tensor becomes."""
        return become(self, as_strided(self, size, stride, storage_offset))

    def resize_(self, *sizes: Any, memory_format: Any = None, **named: Any) -> Tensor:
        """Give the tensor another shape: its first numbers stay, new ones are 0.

        Memory that is too small is replaced by a larger copy, which views do not follow. Raises
        RuntimeError for a tensor that requires a gradient.
        """
        if self.requires_grad and not is_inference_mode_enabled():
            raise _requires_grad("resize")
        shape = read_sizes("resize_", "size", sizes, named)
        if shape != self._array.shape:
            resize(self, shape)
            replace_memory(self, self._array)
            self._view = None
        return self

    def resize_as_(self, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
        """`resize_` to the shape of another tensor."""
        return self.resize_(tuple(the_template._array.shape))

    def set_(
        self, source: Tensor | TypedStorage | None = None, storage_offset: int = 0,
        size: Sequence[int] | None = None, stride: Sequence[int] | None = None,
    ) -> Tensor:  # fmt: skip
        """Have the tensor show the memory of a tensor or storage; where none is given, none."""
        if state.grad_enabled and self.requires_grad:
            raise _requires_grad("set")
        kind = dtypes.from_numpy_dtype(self._array.dtype)
        if isinstance(source, Tensor) and source._array.dtype != self._array.dtype:
            have = dtypes.from_numpy_dtype(source._array.dtype).name
            raise RuntimeError(
                f"Could not set tensor of type {have} to a tensor of type {kind.name}"
            )
        if isinstance(source, Tensor) and size is None:
            array = source._array
        elif source is None:
            array = self._array.reshape(-1)[:0].copy()
        else:
            row = (
                memory_of(source._array)[0] if isinstance(source, Tensor) else source.read_as(kind)
            )
            lengths = [len(row) - storage_offset] if size is None else list(size)
            steps = list(stride) if stride is not None else _in_order(lengths)
            array = in_memory(row, storage_offset, tuple(lengths), tuple(steps))
        self._view = None
        replace_memory(self, array, renewed=True)
        self._counter[0] += 1
        return self


def _requires_grad(what: str) -> RuntimeError:
    return RuntimeError(f"cannot {what} variables that require grad")


def _in_order(sizes: Sequence[int]) -> list[int]:
    """The strides of these sizes without gaps."""
    steps = [1]
    for size in list(sizes)[:0:-1]:
        steps.insert(0, steps[0] * max(size, 1))
    return steps[: len(sizes)]
