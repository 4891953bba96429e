"""The old name for a tensor that takes part in autograd: every tensor does today."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.tensor import TensorBase, wrap


class _AnyTensor(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, TensorBase)


class Variable(metaclass=_AnyTensor):
    """`Variable(data)` is a tensor that shares the memory of `data`, and has no record.

    Raises TypeError for data that is no tensor.

    >>> import tinygrad_mnist as torch
    >>> torch.autograd.Variable(torch.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    >>> isinstance(torch.ones(2), torch.autograd.Variable)
    True
    """

    def __new__(cls, data: Any = None, requires_grad: bool = False) -> Any:
        """The tensor; the class itself has no instances of its own."""
        if data is None:
            return wrap(np.empty(0, np.float32)).requires_grad_(requires_grad)
        if not isinstance(data, TensorBase):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return wrap(data._array, data._counter).requires_grad_(requires_grad)
