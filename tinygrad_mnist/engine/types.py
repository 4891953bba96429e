"""What arguments may be, in PyTorch's words (`torch.types`): numbers, sizes, devices, indices."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any, SupportsIndex, TypeAlias, TypedDict

import numpy as np

from tinygrad_mnist.dtypes import dtype

from .device import device
from .tensor import Tensor

Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = bool | int | float
Operand: TypeAlias = Tensor | float
"""Beside a tensor: another, or a number (an int or a bool is one)."""
Dims: TypeAlias = int | Sequence[int]
"""One dimension or several."""
Index: TypeAlias = (
    SupportsIndex | slice | EllipsisType | Tensor | Array | Sequence[Any] | tuple[Any, ...] | None
)
"""What may stand in x[...]."""


class layout:
    """How a tensor's elements are kept: here always with strides."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """The order in which a copy keeps its elements."""

    __slots__ = ()


# What may be left to the default is None in all of these.
DType: TypeAlias = dtype | None
Device: TypeAlias = device | str | int | None
Layout: TypeAlias = layout | None
MemoryFormat: TypeAlias = memory_format | None


class Options(TypedDict, total=False):
    """Keywords of the functions that make a tensor like one that is there."""

    device: Device
    layout: Layout
    pin_memory: bool
    requires_grad: bool
