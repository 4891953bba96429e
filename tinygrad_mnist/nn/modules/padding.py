"""Padding layers: `nn.functional.pad` as modules, one for each way and number of dimensions."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F

from .module import Module


class _Pad(Module):
    """`padding` is a number for every side, or (left, right, top, bottom, …)."""

    _dimensions: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        sides = 2 * self._dimensions
        self.padding = padding if isinstance(padding, tuple | list) else (padding,) * sides
        self.padding = tuple(self.padding)

    def forward(self, input: Tensor) -> Tensor:
        """The input with borders."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    _mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The input with borders of `value`."""
        return F.pad(input, self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        """The sizes and the value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Borders of `value` on the last dimension."""

    _dimensions = 1


class ConstantPad2d(_ConstantPad):
    """Borders of `value` on the last two dimensions."""

    _dimensions = 2


class ConstantPad3d(_ConstantPad):
    """Borders of `value` on the last three dimensions."""

    _dimensions = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Borders of zeros on the last dimension."""

    _dimensions = 1


class ZeroPad2d(_ZeroPad):
    """Borders of zeros on the last two dimensions.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.ZeroPad2d((1, 0, 0, 0))(torch.ones(1, 1, 2))
    tensor([[[0., 1., 1.]]])
    """

    _dimensions = 2


class ZeroPad3d(_ZeroPad):
    """Borders of zeros on the last three dimensions."""

    _dimensions = 3


class ReflectionPad1d(_Pad):
    """Borders that mirror (n, channels, length)."""

    _dimensions, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Borders that mirror (n, channels, height, width)."""

    _dimensions, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Borders that mirror (n, channels, depth, height, width)."""

    _dimensions, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Borders that repeat the edge of (n, channels, length)."""

    _dimensions, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Borders that repeat the edge of (n, channels, height, width)."""

    _dimensions, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Borders that repeat the edge of (n, channels, depth, height, width)."""

    _dimensions, _mode = 3, "replicate"


class _CircularPad(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """The input with borders; ValueError for another number of dimensions."""
        count = self._dimensions
        if input.dim() not in (count + 1, count + 2):
            raise ValueError(
                f"expected {count + 1}D or {count + 2}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Borders that go on at the other end of (n, channels, length)."""

    _dimensions = 1


class CircularPad2d(_CircularPad):
    """Borders that go on at the other end of (n, channels, height, width)."""

    _dimensions = 2


class CircularPad3d(_CircularPad):
    """Borders that go on at the other end of (n, channels, depth, height, width)."""

    _dimensions = 3
