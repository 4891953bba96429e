"""Questions about tensors, asked as functions."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.device import CPU, check_device, device
from tinygrad_mnist.engine.record import TensorBase
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, TensorBase)


def numel(input: Tensor) -> int:
    """The number of elements.

    >>> import tinygrad_mnist as torch
    >>> torch.numel(torch.zeros(2, 3))
    6
    """
    check_tensors("numel", input=input)
    return int(input._array.size)


def is_floating_point(input: Tensor) -> bool:
    """Whether the numbers are floating point."""
    check_tensors("is_floating_point", input=input)
    return bool(input._array.dtype.kind == "f")


def is_complex(input: Tensor) -> bool:
    """Whether the numbers are complex: never."""
    check_tensors("is_complex", input=input)
    return False


def is_nonzero(input: Tensor) -> bool:
    """Whether the one number of a tensor is not zero; RuntimeError when there are more."""
    check_tensors("is_nonzero", input=input)
    return bool(input)


def typename(obj: Any) -> str:
    """The old name of a tensor's type ("torch.FloatTensor"); of anything else, its class."""
    if isinstance(obj, TensorBase):
        return str(obj.type())  # type: ignore[attr-defined]
    kind = obj if isinstance(obj, type) else type(obj)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def get_default_device() -> device:
    """Where tensors are made unless told otherwise: on the CPU."""
    return CPU


def set_default_device(device: Any) -> None:
    """Make tensors on `device`; NotImplementedError for anything but the CPU."""
    check_device(device)
