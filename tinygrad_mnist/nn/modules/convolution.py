"""Convolution layers: filters that slide over sequences and images, and their transposes."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist._tensor import empty
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init
from tinygrad_mnist.nn.parameter import Parameter

from .module import Module

Sizes = tuple[int, ...]


def _as_sizes(given: Any, count: int) -> Any:
    """A number for each dimension, from one for all; "same" and "valid" stay as they are."""
    if isinstance(given, tuple | list):
        return tuple(given)
    return given if isinstance(given, str) else (given,) * count


def _check(layer: _Convolution) -> None:
    """PyTorch's errors for settings that do not fit together."""
    if layer.groups <= 0:
        raise ValueError("groups must be a positive integer")
    if layer.in_channels % layer.groups:
        raise ValueError("in_channels must be divisible by groups")
    if layer.out_channels % layer.groups:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(layer.padding, str):
        known = {"same", "valid"}
        if layer.padding not in known:
            raise ValueError(f"Invalid padding string {layer.padding!r}, should be one of {known}")
        if layer.padding == "same" and any(step != 1 for step in layer.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    modes = {"zeros", "reflect", "replicate", "circular"}
    if layer.padding_mode not in modes:
        raise ValueError(
            f"padding_mode must be one of {modes}, but got padding_mode='{layer.padding_mode}'"
        )


class _Convolution(Module):
    """What convolutions and their transposes share: settings, parameters, text."""

    _dimensions: int
    _transposed = False
    weight: Parameter
    bias: Parameter | None

    def _set_up(
        self,
        channels: tuple[int, int],
        sizes: dict[str, Any],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        self.in_channels, self.out_channels = channels
        for name, given in sizes.items():
            setattr(self, name, _as_sizes(given, self._dimensions))
        self.transposed = self._transposed
        self.groups = groups
        self.padding_mode = padding_mode
        _check(self)
        outer, inner = channels if self._transposed else channels[::-1]
        shape = (outer, inner // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(self.out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniform between ±1/√(numbers under a window)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes, and the settings that are not the usual ones."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * len(value):
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_Convolution):
    """A convolution; `padding_mode` other than "zeros" borders the input first."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "output_padding": 0,
        }
        channels = in_channels, out_channels
        self._set_up(channels, sizes, groups, bias, padding_mode, device, dtype)

    def _borders(self) -> list[int]:
        """What is added before and after each dimension, the last dimension first."""
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sizes = (0,) * self._dimensions if self.padding == "valid" else self.padding
            sides = [(size, size) for size in sizes]
        return [size for pair in reversed(sides) for size in pair]

    def _convolve(self, function: Any, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._borders(), mode=self.padding_mode), 0
        return function(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Conv):
    """`conv1d` of (n, in_channels, length) with learned filters and a bias for each.

    `weight` is (out_channels, in_channels / groups, kernel_size). Raises ValueError for channels
    that `groups` does not divide, RuntimeError for an input that does not fit.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.Conv1d(1, 2, 3)(torch.ones(1, 1, 5)).shape
    torch.Size([1, 2, 3])
    """

    _dimensions = 1

    def forward(self, input: Tensor) -> Tensor:
        """`conv1d`"""
        return self._convolve(F.conv1d, input)


class Conv2d(_Conv):
    """`conv2d` of (n, in_channels, height, width) with learned filters and a bias for each.

    `weight` is (out_channels, in_channels / groups, height, width of the kernel). Raises
    ValueError for channels that `groups` does not divide, RuntimeError for an input that does
    not fit.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)(torch.ones(5, 1, 28, 28)).shape
    torch.Size([5, 16, 14, 14])
    """

    _dimensions = 2

    def forward(self, input: Tensor) -> Tensor:
        """`conv2d`"""
        return self._convolve(F.conv2d, input)


class _ConvTranspose(_Convolution):
    """The transpose of a convolution."""

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__()
        sizes = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "output_padding": output_padding,
        }
        channels = in_channels, out_channels
        self._set_up(channels, sizes, groups, bias, padding_mode, device, dtype)

    def _extra(self, input: Tensor, output_size: Any) -> Sizes:
        """The output padding that gives the sizes asked for; ValueError for impossible ones."""
        if output_size is None:
            extra: Sizes = self.output_padding
            return extra
        count = self._dimensions
        lead = 2 if input.dim() == count + 2 else 1
        wanted = list(output_size)[lead:] if len(output_size) == lead + count else output_size
        if len(wanted) != count:
            raise ValueError(
                f"ConvTranspose{count}D: for {input.dim()}D input, output_size must have {count} "
                f"or {lead + count} elements (got {len(wanted)})"
            )
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        most = [size + step - 1 for size, step in zip(least, self.stride, strict=True)]
        if any(not a <= n <= b for n, a, b in zip(wanted, least, most, strict=True)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.size()[2:]})"
            )
        return tuple(n - size for n, size in zip(wanted, least, strict=True))

    def _convolve(self, function: Any, input: Tensor, output_size: Any) -> Tensor:
        return function(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self._extra(input, output_size),
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_ConvTranspose):
    """`conv_transpose1d` of (n, in_channels, length) with learned filters and biases."""

    _dimensions = 1

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """`conv_transpose1d`, to the length `output_size` where it is given."""
        return self._convolve(F.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTranspose):
    """`conv_transpose2d` of (n, in_channels, height, width) with learned filters and biases.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.ConvTranspose2d(16, 1, 2, stride=2)(torch.ones(5, 16, 14, 14)).shape
    torch.Size([5, 1, 28, 28])
    """

    _dimensions = 2

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """`conv_transpose2d`, to the sizes `output_size` where they are given."""
        return self._convolve(F.conv_transpose2d, input, output_size)
