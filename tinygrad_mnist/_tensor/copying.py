"""Copies of tensors: by the modules copy and pickle."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.dtypes import from_numpy_dtype
from tinygrad_mnist.engine.record import AccumulateGrad, Array, TensorBase, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import current_record


def rebuild(array: Any, requires_grad: bool, attributes: dict[str, Any]) -> Tensor:
    """The tensor that was pickled."""
    tensor = wrap(array.view(from_numpy_dtype(array.dtype).numpy))
    tensor.requires_grad_(requires_grad)
    tensor.__dict__.update(attributes)
    return tensor


class Copying(TensorBase):
    """Deep copies and pickles."""

    __slots__ = ()

    def _attributes(self) -> dict[str, Any]:
        """What users have set on the tensor."""
        return {name: value for name, value in self.__dict__.items() if name != "_resting_leaf"}

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        from copy import deepcopy

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
        twin._array, twin._counter, twin._view = _copied(self._array, memo), [0], None
        twin._record = None if record is None else AccumulateGrad(twin)
        memo[id(self)] = twin
        if record is not None and twin._record is not None:
            twin._record.grad = deepcopy(record.grad, memo)
        twin.__dict__.update(deepcopy(self._attributes(), memo))
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        record = current_record(self)
        return rebuild, (self._array, record is not None, self._attributes())


def _copied(array: Array, memo: dict[Any, Any]) -> Array:
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
