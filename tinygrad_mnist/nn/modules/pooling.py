"""Pooling and padding: what windows over sequences and images, and their borders, become."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Dims
from tinygrad_mnist.nn import functional as F

from .functional_layer import Layer

_WINDOW = "kernel_size={kernel_size}, stride={stride}, padding={padding}"


class _Pool(Layer):
    def _set_up(self, **settings: Any) -> None:
        """Keep the settings; windows lie side by side unless told otherwise."""
        if settings["stride"] is None:
            settings["stride"] = settings["kernel_size"]
        super()._set_up(**settings)


class _MaxPool(
    _Pool,
    settings="kernel_size, stride, padding, dilation, return_indices, ceil_mode",
    shows=_WINDOW + ", dilation={dilation}, ceil_mode={ceil_mode}",
):
    """The largest number under each window, and where it is if `return_indices`."""


class MaxPool1d(_MaxPool, of=F.max_pool1d):
    """The largest number under each window of (n, channels, length)."""


class MaxPool2d(_MaxPool, of=F.max_pool2d):
    """The largest number under each window of (n, channels, height, width).

    >>> torch.nn.MaxPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """


class MaxPool3d(_MaxPool, of=F.max_pool3d):
    """The largest number under each window of (n, channels, depth, height, width)."""


class _MaxUnpool(_Pool, shows=_WINDOW, settings="kernel_size, stride, padding", inputs=2):
    def _set_up(self, **settings: Any) -> None:
        super()._set_up(**settings)
        for name in ("kernel_size", "stride", "padding"):
            given = getattr(self, name)
            sizes = given if isinstance(given, tuple | list) else (given,) * self._dimensions
            setattr(self, name, tuple(sizes))

    _dimensions = 0

    def forward(
        self, input: Tensor, indices: Tensor, output_size: list[int] | None = None
    ) -> Tensor:
        """Each number at its index, and zeros elsewhere."""
        return self._of(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool, of=F.max_unpool1d, dimensions=1):
    """What `MaxPool1d` kept, put back where it was."""


class MaxUnpool2d(_MaxUnpool, of=F.max_unpool2d, dimensions=2):
    """What `MaxPool2d` kept, put back where it was."""


class MaxUnpool3d(_MaxUnpool, of=F.max_unpool3d, dimensions=3):
    """What `MaxPool3d` kept, put back where it was."""


class AvgPool1d(_Pool, of=F.avg_pool1d, shows=_WINDOW):
    """The mean of the numbers under each window of (n, channels, length)."""

    def _set_up(self, **settings: Any) -> None:
        super()._set_up(**settings)
        for name in ("kernel_size", "stride", "padding"):
            given = getattr(self, name)
            setattr(self, name, tuple(given) if isinstance(given, tuple | list) else (given,))


class AvgPool2d(_Pool, of=F.avg_pool2d, shows=_WINDOW):
    """The mean of the numbers under each window of (n, channels, height, width).

    >>> torch.nn.AvgPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """


class AvgPool3d(_Pool, of=F.avg_pool3d, shows=_WINDOW):
    """The mean of the numbers under each window of (n, channels, depth, height, width)."""


class _AdaptivePool(Layer, shows="output_size={output_size}"):
    """Windows that divide the input into `output_size` parts."""


class AdaptiveAvgPool1d(_AdaptivePool, of=F.adaptive_avg_pool1d):
    """Means over `output_size` parts of (n, channels, length)."""


class AdaptiveAvgPool2d(_AdaptivePool, of=F.adaptive_avg_pool2d):
    """Means over `output_size` parts of (n, channels, height, width); None keeps a size.

    >>> torch.nn.AdaptiveAvgPool2d(1)(torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[7.5000]]]])
    """


class AdaptiveMaxPool1d(_AdaptivePool, of=F.adaptive_max_pool1d):
    """The largest numbers of `output_size` parts of (n, channels, length)."""


class AdaptiveMaxPool2d(_AdaptivePool, of=F.adaptive_max_pool2d):
    """The largest numbers of `output_size` parts of (n, channels, height, width)."""


class AdaptiveAvgPool3d(_AdaptivePool, of=F.adaptive_avg_pool3d):
    """Means over `output_size` parts of (n, channels, depth, height, width)."""


class AdaptiveMaxPool3d(_AdaptivePool, of=F.adaptive_max_pool3d):
    """The largest numbers of `output_size` parts of (n, channels, depth, height, width)."""


class _LPPool(
    Layer,
    shows="norm_type={norm_type}, kernel_size={kernel_size}, stride={stride}, "
    "ceil_mode={ceil_mode}",
):
    def forward(self, input: Tensor) -> Tensor:
        """The p-norm of the numbers under each window."""
        norm = float(self.norm_type)
        return self._of(input, norm, self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(_LPPool, of=F.lp_pool1d):
    """The p-norm of the numbers under each window of (n, channels, length)."""


class LPPool2d(_LPPool, of=F.lp_pool2d):
    """The p-norm of the numbers under each window of (n, channels, height, width)."""


class LPPool3d(_LPPool, of=F.lp_pool3d):
    """The p-norm of the numbers under each window of (n, channels, depth, height, width)."""


# Padding


class _Pad(Layer, shows="{padding}"):
    """`padding` is a number for every side, or (left, right, top, bottom, …)."""

    padding: tuple[int, ...]
    _dimensions = 0
    _mode = "constant"

    def __init__(self, padding: Dims) -> None:
        super().__init__()
        given: Any = padding
        sides = given if isinstance(given, tuple | list) else (given,) * 2 * self._dimensions
        self.padding = tuple(sides)

    def forward(self, input: Tensor) -> Tensor:
        """The input with borders."""
        return F.pad(input, self.padding, self._mode, vars(self).get("value"))


class _ConstantPad(_Pad, shows="padding={padding}, value={value}"):
    def __init__(self, padding: Dims, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad1d(_ConstantPad, dimensions=1):
    """Borders of `value` on the last dimension."""


class ConstantPad2d(_ConstantPad, dimensions=2):
    """Borders of `value` on the last two dimensions."""


class ConstantPad3d(_ConstantPad, dimensions=3):
    """Borders of `value` on the last three dimensions."""


class _ZeroPad(_ConstantPad, shows="{padding}"):
    def __init__(self, padding: Dims) -> None:
        super().__init__(padding, 0.0)


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Borders of zeros on the last dimension."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Borders of zeros on the last two dimensions.

    >>> torch.nn.ZeroPad2d((1, 0, 0, 0))(torch.ones(1, 1, 2))
    tensor([[[0., 1., 1.]]])
    """


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Borders of zeros on the last three dimensions."""


class ReflectionPad1d(_Pad, dimensions=1, mode="reflect"):
    """Borders that mirror (n, channels, length)."""


class ReflectionPad2d(_Pad, dimensions=2, mode="reflect"):
    """Borders that mirror (n, channels, height, width)."""


class ReflectionPad3d(_Pad, dimensions=3, mode="reflect"):
    """Borders that mirror (n, channels, depth, height, width)."""


class ReplicationPad1d(_Pad, dimensions=1, mode="replicate"):
    """Borders that repeat the edge of (n, channels, length)."""


class ReplicationPad2d(_Pad, dimensions=2, mode="replicate"):
    """Borders that repeat the edge of (n, channels, height, width)."""


class ReplicationPad3d(_Pad, dimensions=3, mode="replicate"):
    """Borders that repeat the edge of (n, channels, depth, height, width)."""


class _CircularPad(_Pad, mode="circular"):
    def forward(self, input: Tensor) -> Tensor:
        """The input with borders; ValueError for another number of dimensions."""
        count = self._dimensions
        if input.dim() not in (count + 1, count + 2):
            raise ValueError(
                f"expected {count + 1}D or {count + 2}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPad, dimensions=1):
    """Borders that go on at the other end of (n, channels, length)."""


class CircularPad2d(_CircularPad, dimensions=2):
    """Borders that go on at the other end of (n, channels, height, width)."""


class CircularPad3d(_CircularPad, dimensions=3):
    """Borders that go on at the other end of (n, channels, depth, height, width)."""
