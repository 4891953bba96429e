"""Memory that processes share: tensors move into it, and are sent as where they lie in it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.tensor import TENSOR_TYPE, Tensor, wrap
from tinygrad_mnist.engine.views import current_record

Parts = tuple[Any, ...]


class SharedMemory:
    """A file without a name that each process maps, for NumPy to make arrays on."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.__array_interface__ = np.frombuffer(arena.buffer, np.uint8).__array_interface__


def shared_memory(array: Array) -> SharedMemory | None:
    """The shared memory that an array lies in, if it does."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, SharedMemory) else None


def share(tensor: Any) -> None:
    """Move a tensor into memory that processes share.

    Raises NotImplementedError where others hold the memory that it leaves.
    """
    if shared_memory(tensor._array) is not None:
        return
    from multiprocessing.heap import Arena

    array, root = tensor._array, tensor._array
    while isinstance(root.base, np.ndarray):
        root = root.base
    alone = 4 if root is array else 3  # the tensor, or `array`; two names here; the question itself
    if tensor._view is not None or sys.getrefcount(root) > alone:
        raise NotImplementedError(
            "share_memory_() moves the tensor's numbers to other memory, and others use the memory "
            "that they are in: a view, an array, or a graph that waits for backward(). Share the "
            "tensor before these are made, or a clone() of it"
        )
    del root
    memory = np.asarray(SharedMemory(Arena(max(array.nbytes, 1))))
    tensor._array = np.ndarray(array.shape, array.dtype, memory, 0, np.empty_like(array).strides)
    tensor._array[...] = array


def send(tensor: Any) -> Parts:
    """How a tensor is pickled for another process: by its place in shared memory, if it has one.

    What a process is started with moves there, if nobody else holds it. What is not there is
    copied.
    """
    record = current_record(tensor)
    if record is not None and record.primitive is not None:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries.  If you just want to transfer the data, "
            "call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )
    from multiprocessing.context import get_spawning_popen

    if get_spawning_popen() is not None:
        with contextlib.suppress(NotImplementedError):
            share(tensor)
    array, attributes = tensor._array, tensor._attributes()
    memory = shared_memory(array)
    if memory is None or type(tensor) is not TENSOR_TYPE[0]:
        parts: Parts = tensor.__reduce_ex__(2)
        return parts
    start = array.ctypes.data - np.asarray(memory).ctypes.data
    place = (array.shape, array.dtype, start, array.strides)
    return _receive, (memory.arena, place, record is not None, attributes)


def _receive(arena: Any, place: Parts, requires_grad: bool, attributes: dict[str, Any]) -> Tensor:
    shape, dtype, start, strides = place
    memory = np.asarray(SharedMemory(arena))
    tensor = wrap(np.ndarray(shape, dtype, memory, start, strides))
    tensor.requires_grad_(requires_grad)
    tensor.__dict__.update(attributes)
    return tensor
