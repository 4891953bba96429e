"""Numbers and layouts that PyTorch has names for."""

from __future__ import annotations

import math

inf = math.inf
nan = math.nan
pi = math.pi
e = math.e
newaxis = None


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


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")

__all__ = [
    "contiguous_format", "e", "inf", "layout", "memory_format", "nan", "newaxis", "pi",
    "preserve_format", "strided",
]  # fmt: skip
