"""Tensors that belong to a module: Parameter, which is trained, and Buffer, which is not."""

from __future__ import annotations

from typing import Any, Self

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import empty
from tinygrad_mnist._tensor.printing import parameter_repr
from tinygrad_mnist.engine.node import AccumulateGrad


class Parameter(Tensor):
    """A tensor that a module trains: assigned to an attribute, it is among its `parameters()`.

    It shares memory with `data`, and requires a gradient unless told otherwise. Raises
    RuntimeError when `data` is not floating point and a gradient is required.

    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()
    __module__ = "tinygrad_mnist.nn.parameter"

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        """A parameter on the memory of `data`."""
        source = empty(0) if data is None else data
        if not isinstance(source, Tensor):
            raise TypeError(
                f"Parameter(): argument 'data' (position 1) must be Tensor, "
                f"not {type(data).__name__}"
            )
        parameter = object.__new__(cls)
        parameter._array = source._array
        parameter._counter = source._counter
        parameter._record = None
        parameter._view = None
        if requires_grad:
            if parameter._array.dtype.kind not in dtypes.FLOATS:
                raise RuntimeError(
                    "Only Tensors of floating point and complex dtype can require gradients"
                )
            parameter._record = AccumulateGrad(parameter)
        return parameter

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        """Everything is done where the object is made."""

    def __repr__(self) -> str:
        return parameter_repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        copied: Self = memo[id(self)]
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.detach(), self.requires_grad)


class _BufferType(type):
    """Knows a buffer by its mark: it is an ordinary Tensor otherwise, and prints as one."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferType):
    """A tensor that a module keeps but does not train: assigned to an attribute, it is a buffer.

    `persistent` says whether it is part of the module's `state_dict()`.

    >>> module = torch.nn.Module()
    >>> module.steps = torch.nn.Buffer(torch.zeros(1))
    >>> list(module.state_dict())
    ['steps']
    """

    __slots__ = ()
    __module__ = "tinygrad_mnist.nn.parameter"
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        """A tensor on the memory of `data`, marked as a buffer."""
        source: Any = empty(0) if data is None else data
        buffer: Any = source.detach().requires_grad_(source.requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer
