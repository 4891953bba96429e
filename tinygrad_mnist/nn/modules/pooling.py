"""Pooling layers: the functions of pooling as modules."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F

from .module import Module


class _MaxPool(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def _settings(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest number under each window of (n, channels, length)."""

    def forward(self, input: Tensor) -> Any:
        """`max_pool1d`"""
        return F.max_pool1d(input, *self._settings())


class MaxPool2d(_MaxPool):
    """The largest number under each window of (n, channels, height, width).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.MaxPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """

    def forward(self, input: Tensor) -> Any:
        """`max_pool2d`"""
        return F.max_pool2d(input, *self._settings())


class _AvgPool(Module):
    kernel_size: Any
    stride: Any
    padding: Any
    ceil_mode: bool
    count_include_pad: bool

    def extra_repr(self) -> str:
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


def _alone(given: Any) -> Any:
    return tuple(given) if isinstance(given, tuple | list) else (given,)


class AvgPool1d(_AvgPool):
    """The mean of the numbers under each window of (n, channels, length)."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _alone(kernel_size)
        self.stride = _alone(kernel_size if stride is None else stride)
        self.padding = _alone(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """`avg_pool1d`"""
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


class AvgPool2d(_AvgPool):
    """The mean of the numbers under each window of (n, channels, height, width).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.AvgPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """`avg_pool2d`"""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class _AdaptiveAvgPool(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        """The sizes of the result."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means over `output_size` parts of (n, channels, length)."""

    def forward(self, input: Tensor) -> Tensor:
        """`adaptive_avg_pool1d`"""
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means over `output_size` parts of (n, channels, height, width); None keeps a size.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.AdaptiveAvgPool2d(1)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[7.5000]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """`adaptive_avg_pool2d`"""
        return F.adaptive_avg_pool2d(input, self.output_size)


class _AdaptiveMaxPool(Module):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        """The sizes of the result."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest numbers of `output_size` parts of (n, channels, length)."""

    def forward(self, input: Tensor) -> Any:
        """`adaptive_max_pool1d`"""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest numbers of `output_size` parts of (n, channels, height, width)."""

    def forward(self, input: Tensor) -> Any:
        """`adaptive_max_pool2d`"""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class _LPPool(Module):
    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of the numbers under each window of (n, channels, length)."""

    def forward(self, input: Tensor) -> Tensor:
        """`lp_pool1d`"""
        norm = float(self.norm_type)
        return F.lp_pool1d(input, norm, self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPool):
    """The p-norm of the numbers under each window of (n, channels, height, width)."""

    def forward(self, input: Tensor) -> Tensor:
        """`lp_pool2d`"""
        norm = float(self.norm_type)
        return F.lp_pool2d(input, norm, self.kernel_size, self.stride, self.ceil_mode)


# padding: Padding layers


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
