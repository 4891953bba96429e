"""Convolutions: sums of products over windows that slide over images.

The three primitives are one family. With y = conv(x, w), the derivative with respect to x is
`_conv2d_input`, that with respect to w `_conv2d_weight`; each of the three is linear in both of its
inputs, and its derivatives are the two others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array, label

from .arguments import check_tensors
from .shapes import reshape, squeeze, unsqueeze

__all__ = [
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
]

Tensor = Any
Pair = tuple[int, int]
Borders = tuple[Pair, Pair]


def _columns(
    input: Array,
    kernel: Pair,
    stride: Pair,
    padding: Borders,
    dilation: Pair,
    groups: int,
    counts: Pair | None = None,
) -> tuple[Array, Pair]:
    """The numbers under each window as a row: (groups, batch · height · width, window).

    `counts` is how many windows to take down and across, all unless given.
    """
    padded = np.pad(input, ((0, 0), (0, 0), *padding)) if any(map(any, padding)) else input
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    if counts is not None:
        windows = windows[:, :, : counts[0], : counts[1]]
    batch, channels, height, width = windows.shape[:4]
    apart = windows.reshape(batch, groups, channels // groups, height, width, *kernel)
    rows = apart.transpose(1, 0, 3, 4, 2, 5, 6)
    length = channels // groups * kernel[0] * kernel[1]
    return rows.reshape(groups, batch * height * width, length), (height, width)


def _by_group(grad: Array, groups: int) -> Array:
    """(batch, channels, height, width) as (groups, batch · height · width, channels a group)."""
    batch, channels, height, width = grad.shape
    apart = grad.reshape(batch, groups, channels // groups, height, width)
    rows = apart.transpose(1, 0, 3, 4, 2)
    return rows.reshape(groups, batch * height * width, channels // groups)


def _filters(weight: Array, groups: int) -> Array:
    """(filters, channels a group, height, width) as (groups, filters a group, window)."""
    return weight.reshape(groups, len(weight) // groups, weight[0].size)


@primitive(grad_fn="ConvolutionBackward0")
def _conv2d(
    input: Array, weight: Array, *, stride: Pair, padding: Borders, dilation: Pair, groups: int
) -> Any:
    """Σ of x under a window that slides over it, times w"""
    kernel: Any = weight.shape[2:]
    rows, (height, width) = _columns(input, kernel, stride, padding, dilation, groups)
    out = np.matmul(_filters(weight, groups), rows.transpose(0, 2, 1))
    apart = out.reshape(*out.shape[:2], len(input), height, width)
    return apart.transpose(2, 0, 1, 3, 4).reshape(len(input), len(weight), height, width)


@primitive
def _conv2d_input(
    grad: Array, weight: Array, *, sizes: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Any:  # fmt: skip
    """Σ of g times w, put back under the window"""
    batch, _, height, width = grad.shape
    rows = np.matmul(_by_group(grad, groups), _filters(weight, groups))
    kernel = weight.shape[2:]
    apart = rows.reshape(groups, batch, height, width, weight.shape[1], *kernel)
    channels = groups * weight.shape[1]
    parts = apart.transpose(1, 0, 4, 5, 6, 2, 3).reshape(batch, channels, *kernel, height, width)
    (top, bottom), (left, right) = padding
    shape = (sizes[0] + top + bottom, sizes[1] + left + right)
    out = np.zeros((*parts.shape[:2], *shape), grad.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            down, across = i * dilation[0], j * dilation[1]
            out[
                :,
                :,
                down : down + height * stride[0] : stride[0],
                across : across + width * stride[1] : stride[1],
            ] += parts[:, :, i, j]
    return out[:, :, top : top + sizes[0], left : left + sizes[1]]


@primitive
def _conv2d_weight(
    grad: Array, input: Array, *, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Any:  # fmt: skip
    """Σ of g times the x that was under the window"""
    counts: Any = grad.shape[2:]
    rows, _ = _columns(input, kernel, stride, padding, dilation, groups, counts)
    out = np.matmul(_by_group(grad, groups).transpose(0, 2, 1), rows)
    return out.reshape(grad.shape[1], input.shape[1] // groups, *kernel)


def _cut(images: Any, shape: tuple[int, ...]) -> Any:
    """Images without the last rows and columns that a transposed convolution did not come from."""
    return images if images.shape == shape else images[:, :, : shape[2], : shape[3]]


_conv2d.derivatives(
    input=lambda g, weight, stride, padding, dilation, groups, shape: _conv2d_input(
        g, weight, sizes=shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda g, input, stride, padding, dilation, groups, shape: _conv2d_weight(
        g, input, kernel=shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
_conv2d_input.derivatives(
    grad=lambda g, weight, stride, padding, dilation, groups, shape: _cut(
        _conv2d(g, weight, stride=stride, padding=padding, dilation=dilation, groups=groups), shape
    ),
    weight=lambda g, grad, stride, padding, dilation, groups, shape: _conv2d_weight(
        grad, g, kernel=shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
_conv2d_weight.derivatives(
    grad=lambda g, input, stride, padding, dilation, groups, shape: _cut(
        _conv2d(input, g, stride=stride, padding=padding, dilation=dilation, groups=groups), shape
    ),
    input=lambda g, grad, stride, padding, dilation, groups, shape: _conv2d_input(
        grad, g, sizes=shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)


def read_pair(name: str, given: Any, count: int = 2) -> tuple[int, ...]:
    """One number for each of `count` dimensions, from one for all or a sequence."""
    values = tuple([int(value) for value in given]) if isinstance(given, tuple | list) else (given,)
    if len(values) not in (1, count):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {count} values to match "
            f"the convolution dimensions, but got {name}={list(values)}"
        )
    return values * count if len(values) == 1 else values


def _borders(padding: Any, kernel: Any, stride: Any, dilation: Any) -> tuple[Pair, ...]:
    """What is added before and after each dimension."""
    if not isinstance(padding, str):
        sizes = read_pair("padding", padding, len(kernel))
        if min(sizes) < 0:
            raise RuntimeError("negative padding is not supported")
        return tuple([(size, size) for size in sizes])
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise RuntimeError(
            "Invalid padding string: must be one of 'valid' or 'same', but got '" + padding + "'"
        )
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return tuple([(total // 2, total - total // 2) for total in totals])


def _check(name: str, ndim: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int,
           channels: int, outputs: int) -> None:  # fmt: skip
    """PyTorch's errors for what does not fit together."""
    check_tensors(name, input=x, weight=weight)
    shape, wanted = list(x._array.shape), list(weight._array.shape)
    if len(shape) not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to {name}, but got "
            f"input of size: {shape}"
        )
    if len(wanted) != ndim + 2:
        raise RuntimeError(
            f"expected {ndim + 2}-dimensional weight, but got a weight of size {wanted}"
        )
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    for what, other in (("weight", weight), ("bias", bias)):
        if other is not None and other._array.dtype != x._array.dtype:
            raise RuntimeError(
                f"Input type ({x.dtype.cpp_name}) and {what} type ({other.dtype.cpp_name}) should "
                "be the same"
            )
    if shape[-ndim - 1] != channels:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {wanted}, expected input{shape} to have "
            f"{channels} channels, but got {shape[-ndim - 1]} channels instead"
        )
    if wanted[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {wanted} instead"
        )
    if bias is not None and bias._array.shape != (outputs,):
        raise RuntimeError(
            f"Given weight of size {wanted}, expected bias to be 1-dimensional with {outputs} "
            f"elements, but got bias of size {list(bias._array.shape)} instead"
        )


def _check_window(x: Tensor, kernel: Any, stride: Any, borders: Any, dilation: Any) -> None:
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError("dilation should be greater than zero")
    sizes = x._array.shape[-len(kernel) :]
    padded = [n + sum(border) for n, border in zip(sizes, borders, strict=True)]
    windows = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(n < window for n, window in zip(padded, windows, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel "
            f"size: ({' x '.join(map(str, windows))}). Kernel size can't be greater than actual "
            "input size"
        )


def _with_bias(out: Tensor, bias: Tensor | None, ndim: int, batched: bool) -> Tensor:
    if bias is not None:
        out = out + reshape(bias, -1, *[1] * ndim)
    out = label(out, "ConvolutionBackward0")
    return out if batched else squeeze(out, 0)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The cross-correlation of images with filters, plus a bias for each filter.

    `input` is (batch, channels, height, width) or without a batch, `weight` (filters, channels /
    groups, height, width), `bias` (filters). `padding` is a number for each side, "valid" or
    "same". Raises RuntimeError when sizes or types do not fit.

    >>> import tinygrad_mnist as torch
    >>> torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    channels = weight._array.shape[1] * groups if weight._array.ndim > 1 else 0
    _check("conv2d", 2, input, weight, bias, groups, channels, len(weight._array))
    kernel = weight._array.shape[2:]
    steps, spread = read_pair("stride", stride), read_pair("dilation", dilation)
    borders = _borders(padding, kernel, steps, spread)
    _check_window(input, kernel, steps, borders, spread)
    batched = input._array.ndim == 4
    x = input if batched else unsqueeze(input, 0)
    out = _conv2d(x, weight, stride=steps, padding=borders, dilation=spread, groups=groups)
    return _with_bias(out, bias, 2, batched)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """`conv2d` for sequences: `input` (batch, channels, length), `weight` (filters, …, length).

    >>> import tinygrad_mnist as torch
    >>> torch.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """
    channels = weight._array.shape[1] * groups if weight._array.ndim > 1 else 0
    _check("conv1d", 1, input, weight, bias, groups, channels, len(weight._array))
    steps, spread = read_pair("stride", stride, 1), read_pair("dilation", dilation, 1)
    borders = _borders(padding, weight._array.shape[2:], steps, spread)
    _check_window(input, weight._array.shape[2:], steps, borders, spread)
    batched = input._array.ndim == 3
    x = unsqueeze(input if batched else unsqueeze(input, 0), 2)
    out = _conv2d(x, unsqueeze(weight, 2), stride=(1, *steps), padding=((0, 0), *borders),
                  dilation=(1, *spread), groups=groups)  # fmt: skip
    return _with_bias(squeeze(out, 2), bias, 1, batched)


def _transposed_sizes(
    sizes: Any, kernel: Any, stride: Any, padding: Any, extra: Any, dilation: Any
) -> tuple[int, ...]:
    """The sizes that a convolution would have reduced to `sizes`."""
    for more, step, spread in zip(extra, stride, dilation, strict=True):
        if more >= max(step, spread):
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                f"output_padding: {list(extra)}"
            )
    return tuple([
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, e, d in zip(sizes, kernel, stride, padding, extra, dilation, strict=True)
    ])  # fmt: skip


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of `conv2d`: what is its gradient with respect to images, with a bias.

    `weight` is (channels, filters / groups, height, width). Raises RuntimeError when sizes or
    types do not fit.
    """
    channels = len(weight._array)
    outputs = weight._array.shape[1] * groups if weight._array.ndim > 1 else 0
    _check("conv_transpose2d", 2, input, weight, bias, groups, channels, outputs)
    steps, spread = read_pair("stride", stride), read_pair("dilation", dilation)
    around, extra = read_pair("padding", padding), read_pair("output_padding", output_padding)
    batched = input._array.ndim == 4
    x = input if batched else unsqueeze(input, 0)
    kernel = weight._array.shape[2:]
    sizes = _transposed_sizes(x._array.shape[2:], kernel, steps, around, extra, spread)
    out = _conv2d_input(x, weight, sizes=sizes, stride=steps, dilation=spread, groups=groups,
                        padding=tuple([(p, p) for p in around]))  # fmt: skip
    return _with_bias(out, bias, 2, batched)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """`conv_transpose2d` for sequences."""
    channels = len(weight._array)
    outputs = weight._array.shape[1] * groups if weight._array.ndim > 1 else 0
    _check("conv_transpose1d", 1, input, weight, bias, groups, channels, outputs)
    step, around, extra, spread = (
        read_pair(name, given, 1)[0]
        for name, given in (
            ("stride", stride),
            ("padding", padding),
            ("output_padding", output_padding),
            ("dilation", dilation),
        )
    )
    batched = input._array.ndim == 3
    x = unsqueeze(input if batched else unsqueeze(input, 0), 2)
    out = conv_transpose2d(
        x, unsqueeze(weight, 2), None, (1, step), (0, around), (0, extra), groups, (1, spread)
    )
    return _with_bias(squeeze(out, 2), bias, 1, batched)
