"""Images taken apart into the windows that slide over them, and put together again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import label, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors, not_implemented, read_dim
from tinygrad_mnist.ops.casting import made
from tinygrad_mnist.ops.convolution import read_pair
from tinygrad_mnist.ops.padding import pad

__all__ = ["fold", "unfold"]

Pair = tuple[int, int]


class _Windows:
    """Where the windows of a size lie on images of a size with borders."""

    def __init__(self, sizes: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> None:
        self.sizes: Any = sizes
        self.kernel: Any = read_pair("kernel_size", kernel)
        self.dilation: Any = read_pair("dilation", dilation)
        self.padding: Any = read_pair("padding", padding)
        self.stride: Any = read_pair("stride", stride)
        self._check()
        self.padded = tuple(n + 2 * p for n, p in zip(sizes, self.padding, strict=True))
        self.counts = tuple([
            (n - d * (k - 1) - 1) // s + 1
            for n, k, d, s in zip(
                self.padded, self.kernel, self.dilation, self.stride, strict=True
            )
        ])  # fmt: skip

    def _check(self) -> None:
        for name, short, values, least in (
            ("kernel size", "kernel", self.kernel, 1),
            ("dilation", "dilation", self.dilation, 1),
            ("stride", "stride", self.stride, 1),
            ("padding", "pad", self.padding, 0),
        ):
            if min(values) < least:
                rule = "non-negative" if least == 0 else "greater than zero"
                raise RuntimeError(
                    f"{name} should be {rule}, but got {short}_height: {values[0]} "
                    f"{short}_width: {values[1]}"
                )

    def settings(self) -> str:
        """The sizes, as PyTorch's errors name them."""
        return f"kernel_size={self.kernel}, dilation={self.dilation}, padding={self.padding}"

    def places(self) -> Tensor:
        """The pixels under each window, counted row by row: (window · counts), int64."""
        rows, columns = (
            (np.arange(k) * d)[:, None] + (np.arange(n) * s)[None, :]
            for k, d, n, s in zip(self.kernel, self.dilation, self.counts, self.stride, strict=True)
        )
        pixels = rows[:, None, :, None] * self.padded[1] + columns[None, :, None, :]
        return wrap(made(pixels.reshape(-1)))


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The numbers under each window of (n, channels, height, width) as a column.

    The result is (n, channels · window, windows). Raises RuntimeError when no window fits.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.unfold(torch.arange(4.0).reshape(1, 1, 2, 2), (1, 2))
    tensor([[[0., 2.],
             [1., 3.]]])
    """
    check_tensors("im2col", input=input)
    shape = list(input.shape)
    if len(shape) < 3:
        read_dim(len(shape), len(shape))
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {shape}"
        )
    if not input.is_floating_point() and input._array.dtype != bool:
        raise not_implemented("im2col_out_cpu", input._array.dtype)
    windows = _Windows(shape[-2:], kernel_size, dilation, padding, stride)
    if min(windows.counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(shape[-2:])}, {windows.settings()}, calculated "
            f"shape of the array of sliding blocks as {windows.counts}, but its components must "
            "be at least one."
        )
    (down, across), (high, wide) = windows.padding, windows.kernel
    padded = pad(input, (across, across, down, down)) if down or across else input
    pixels = padded.reshape(*shape[:-2], math.prod(windows.padded)).index_select(
        -1, windows.places()
    )
    blocks = math.prod(windows.counts)
    out = pixels.reshape(*shape[:-3], shape[-3] * high * wide, blocks)
    return label(out, "Im2ColBackward0")


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """The columns of `unfold` put back where they came from, numbers that meet added up.

    `input` is (n, channels · window, windows), the result (n, channels, *output_size). Raises
    RuntimeError when the sizes do not fit.
    """
    check_tensors("col2im", input=input)
    shape = list(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {shape}"
        )
    height, width = read_pair("output_size", output_size)
    windows = _Windows((height, width), kernel_size, dilation, padding, stride)
    size = windows.kernel[0] * windows.kernel[1]
    if shape[-2] % size:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={windows.kernel}."
        )
    down, across = windows.counts
    if shape[-1] != down * across:
        raise RuntimeError(
            f"Given output_size={(height, width)}, {windows.settings()}, "
            f"stride={windows.stride}, expected size of input's dimension 2 to match the "
            f"calculated number of sliding blocks {down} * {across} = {down * across}, but got "
            f"input.size(2)={shape[-1]}."
        )
    lead = (*shape[:-2], shape[-2] // size)
    padded = windows.padded[0] * windows.padded[1]
    empty = input.new_zeros(*lead, padded)
    out = empty.index_add(-1, windows.places(), input.reshape(*lead, size * shape[-1]))
    out = out.reshape(*lead, *windows.padded)
    (top, left) = windows.padding
    out = out[..., top : top + height, left : left + width]
    return label(out, "Col2ImBackward0")
