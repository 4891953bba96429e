"""Tensors that belong to a module: Parameter, which is trained, and Buffer, which is not."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import empty
from tinygrad_mnist._tensor.printing import parameter_repr
from tinygrad_mnist.engine.node import AccumulateGrad
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import wrap
from tinygrad_mnist.engine.types import Device, DType


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


# Tensors whose shape is not known yet

_MEMORY: Any = Tensor._array


def _converted(name: str) -> Any:
    def convert(self: Any, *args: Any, **kwargs: Any) -> UninitializedTensorMixin:
        made: Any = getattr(self.data, name)(*args, **kwargs)
        waits: UninitializedTensorMixin = type(self)(self.requires_grad, dtype=made.dtype)
        return waits

    convert.__name__ = name
    convert.__doc__ = f"What `Tensor.{name}` makes of it: as little initialised as this."
    return convert


class UninitializedTensorMixin:
    """What waits for its shape: no memory, nothing to compute with, until `materialize`."""

    __slots__ = ()
    cls_to_become: Any

    @property
    def _array(self) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter: it has no shape yet. Call the lazy "
            "module with a batch first, then its parameters can be computed with"
        )

    @_array.setter
    def _array(self, value: Any) -> None:
        _MEMORY.__set__(self, value)

    @property
    def data(self) -> Tensor:
        """An empty tensor of the type that is to be."""
        return wrap(_MEMORY.__get__(self))

    @data.setter
    def data(self, value: Any) -> None:
        self._array = _MEMORY.__get__(value)

    @property
    def dtype(self) -> dtypes.dtype:
        """The type that is to be."""
        return self.data.dtype

    @property
    def shape(self) -> NoReturn:
        """Not known yet: RuntimeError."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def materialize(self, shape: Any, device: Device = None, dtype: DType = None) -> None:
        """Become a parameter or buffer of this shape, its numbers not set."""
        made = empty(shape, device=device, dtype=self.dtype if dtype is None else dtype)
        self.__class__ = self.cls_to_become
        self.data = made

    def detach(self) -> Self:
        """The tensor itself."""
        return self

    def is_floating_point(self) -> bool:
        """Whether the type that is to be is one of floating point."""
        return bool(self.dtype.is_floating_point)

    def size(self) -> Size:
        """Of an empty tensor."""
        return self.data.size()

    def share_memory_(self) -> NoReturn:
        """There is none to share: RuntimeError."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    to, double, half, cpu, cuda = map(_converted, ("to", "double", "half", "cpu", "cuda"))
    float, type = map(_converted, ("float", "type"))

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__}>"

    def __deepcopy__(self, memo: dict[int, Self]) -> Self:
        made: Self = self.__class__(self.requires_grad, None, self.dtype)  # type: ignore
        return memo.setdefault(id(self), made)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__class__, (self.requires_grad,)  # type: ignore[attr-defined]


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc]
    """A parameter whose shape the first input of its lazy module will tell.

    >>> parameter = torch.nn.UninitializedParameter()
    >>> parameter.materialize((2, 3))
    >>> parameter.shape
    torch.Size([2, 3])
    """

    __slots__ = ()
    __module__ = "tinygrad_mnist.nn.parameter"
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Device = None, dtype: DType = None) -> Any:
        """A parameter without a shape."""
        made: Any = Parameter(empty(0, device=device, dtype=dtype), requires_grad)
        made.__class__ = cls
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done where the object is made."""


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc]
    """A buffer whose shape the first input of its lazy module will tell."""

    __slots__ = ()
    __module__ = "tinygrad_mnist.nn.parameter"
    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Device = None, dtype: DType = None,
        persistent: bool = True,
    ) -> Any:  # fmt: skip
        """A buffer without a shape."""
        made: Any = empty(0, device=device, dtype=dtype, requires_grad=requires_grad)
        made.persistent = persistent
        made._is_buffer = True
        made.__class__ = cls
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done where the object is made."""
