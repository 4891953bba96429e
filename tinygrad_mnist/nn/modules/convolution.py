"""Convolution layers: filters that slide over sequences and images, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, Dims, DType
from tinygrad_mnist.nn import functional as F

from .linear import Weighted

Sizes = tuple[int, ...]


class _Convolution(Weighted):
    """What convolutions and their transposes share: settings, parameters, text."""

    _dimensions = 0
    _transposed = False
    in_channels: int
    out_channels: int
    kernel_size: Sizes
    stride: Sizes
    padding: Sizes | str
    dilation: Sizes
    output_padding: Sizes
    groups: int

    def _build(
        self, *, in_channels: int, out_channels: int, bias: bool, device: Device, dtype: DType,
        groups: int, padding_mode: str, **sizes: Any,
    ) -> None:  # fmt: skip
        """Keep the settings, a size for each dimension, and make the parameters."""
        for name, given in sizes.items():
            if not isinstance(given, str):
                alike = (given,) * self._dimensions
                sizes[name] = tuple(given) if isinstance(given, tuple | list) else alike
        self._set_up(
            in_channels=in_channels, out_channels=out_channels, **sizes,
            transposed=self._transposed, groups=groups, padding_mode=padding_mode,
        )  # fmt: skip
        self._check()
        outer, inner = in_channels, out_channels
        if not self._transposed:
            outer, inner = inner, outer
        weight = outer, inner // groups, *self.kernel_size
        size = (out_channels,) if bias else None
        self._new_parameters(device, dtype, weight=weight, bias=size)
        self.reset_parameters()

    def _check(self) -> None:
        """PyTorch's errors for settings that do not fit together."""
        if self.groups <= 0:
            raise ValueError("groups must be a positive integer")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(f"{name} must be divisible by groups")
        if isinstance(self.padding, str):
            known = {"same", "valid"}
            if self.padding not in known:
                raise ValueError(
                    f"Invalid padding string {self.padding!r}, should be one of {known}"
                )
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        modes = {"zeros", "reflect", "replicate", "circular"}
        if self.padding_mode not in modes:
            raise ValueError(
                f"padding_mode must be one of {modes}, but got padding_mode='{self.padding_mode}'"
            )

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
        self, in_channels: int, out_channels: int, kernel_size: Dims, stride: Dims = 1,
        padding: Dims | str = 0, dilation: Dims = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._build(
            in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size,
            stride=stride, padding=padding, dilation=dilation, output_padding=0, groups=groups,
            bias=bias, padding_mode=padding_mode, device=device, dtype=dtype,
        )  # fmt: skip

    def _borders(self) -> list[int]:
        """What is added before and after each dimension, the last dimension first."""
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sizes = (0,) * self._dimensions if isinstance(self.padding, str) else self.padding
            sides = [(size, size) for size in sizes]
        return [size for pair in reversed(sides) for size in pair]

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of the input with `weight`, and `bias` added."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._borders(), mode=self.padding_mode), 0
        return self._of(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Conv, of=F.conv1d, dimensions=1):
    """`conv1d` of (n, in_channels, length) with learned filters and a bias for each.

    `weight` is (out_channels, in_channels / groups, kernel_size). Raises ValueError for channels
    that `groups` does not divide, RuntimeError for an input that does not fit.

    >>> torch.nn.Conv1d(1, 2, 3)(torch.ones(1, 1, 5)).shape
    torch.Size([1, 2, 3])
    """


class Conv2d(_Conv, of=F.conv2d, dimensions=2):
    """`conv2d` of (n, in_channels, height, width) with learned filters and a bias for each.

    `weight` is (out_channels, in_channels / groups, height, width of the kernel). Raises
    ValueError for channels that `groups` does not divide, RuntimeError for an input that does
    not fit.

    >>> torch.nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)(torch.ones(5, 1, 28, 28)).shape
    torch.Size([5, 16, 14, 14])
    """


class Conv3d(_Conv, of=F.conv3d, dimensions=3):
    """`conv3d` of (n, in_channels, depth, height, width) with learned filters and biases.

    >>> torch.nn.Conv3d(1, 2, 3)(torch.ones(1, 1, 5, 5, 5)).shape
    torch.Size([1, 2, 3, 3, 3])
    """


class _ConvTranspose(_Convolution, transposed=True):
    """The transpose of a convolution."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Dims, stride: Dims = 1,
        padding: Dims = 0, output_padding: Dims = 0, groups: int = 1, bias: bool = True,
        dilation: Dims = 1, padding_mode: str = "zeros", device: Device = None,
        dtype: DType = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__()
        self._build(
            in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size,
            stride=stride, padding=padding, dilation=dilation, output_padding=output_padding,
            groups=groups, bias=bias, padding_mode=padding_mode, device=device, dtype=dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> Sizes:
        """The output padding that gives the sizes asked for; ValueError for impossible ones."""
        if output_size is None:
            return self.output_padding
        count = self._dimensions
        lead = 2 if input.dim() == count + 2 else 1
        wanted = list(output_size)[lead:] if len(output_size) == lead + count else output_size
        if len(wanted) != count:
            raise ValueError(
                f"ConvTranspose{count}D: for {input.dim()}D input, output_size must have {count} "
                f"or {lead + count} elements (got {len(wanted)})"
            )
        least = []
        for i in range(count):
            reach = self.dilation[i] * (self.kernel_size[i] - 1) + 1
            steps = (input.shape[lead + i] - 1) * self.stride[i]
            least.append(steps - 2 * int(self.padding[i]) + reach)
        most = [size + step - 1 for size, step in zip(least, self.stride, strict=True)]
        if any(not a <= n <= b for n, a, b in zip(wanted, least, most, strict=True)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.size()[2:]})"
            )
        return tuple(n - size for n, size in zip(wanted, least, strict=True))

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution of the input, to the sizes `output_size` where given."""
        extra = self._output_padding(input, output_size)
        return self._of(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
            self.dilation,
        )  # fmt: skip


class ConvTranspose1d(_ConvTranspose, of=F.conv_transpose1d, dimensions=1):
    """`conv_transpose1d` of (n, in_channels, length) with learned filters and biases."""


class ConvTranspose2d(_ConvTranspose, of=F.conv_transpose2d, dimensions=2):
    """`conv_transpose2d` of (n, in_channels, height, width) with learned filters and biases.

    >>> torch.nn.ConvTranspose2d(16, 1, 2, stride=2)(torch.ones(5, 16, 14, 14)).shape
    torch.Size([5, 1, 28, 28])
    """


class ConvTranspose3d(_ConvTranspose, of=F.conv_transpose3d, dimensions=3):
    """`conv_transpose3d` of (n, in_channels, depth, height, width), with filters and biases."""
