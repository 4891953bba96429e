"""Convolutions: sums of products over windows that slide over images.

The three primitives are one family. With y = conv(x, w), the derivative with respect to x is
`_conv2d_input`, that with respect to w `_conv2d_weight`; each of the three is linear in both of its
inputs, and its derivatives are the two others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import kernels
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import AUTOCAST, lowered
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap

from .arguments import check_tensors, not_implemented
from .arranging import pad
from .second_derivatives import add_bias
from .shapes import reshape, squeeze, unsqueeze

Pair = tuple[int, int]
Borders = tuple[Pair, Pair]
Sizes = tuple[int, ...]
Setting = int | Sequence[int]
"""One number for all dimensions, or one for each."""


@primitive(grad_fn="ConvolutionBackward0")
def _conv2d(
    input: Array, weight: Array, *, stride: Pair, padding: Borders, dilation: Pair, groups: int
) -> Any:
    """Σ of x under a window that slides over it, times w"""
    return kernels.conv2d(
        input, weight, stride=stride, padding=padding, dilation=dilation, groups=groups
    )


@primitive
def _conv2d_input(
    grad: Array, weight: Array, *, sizes: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Any:  # fmt: skip
    """Σ of g times w, put back under the window"""
    return kernels.conv2d_input(
        grad, weight, sizes=sizes, stride=stride, padding=padding, dilation=dilation, groups=groups
    )


@primitive
def _conv2d_weight(
    grad: Array, input: Array, *, kernel: Pair, stride: Pair, padding: Borders, dilation: Pair,
    groups: int,
) -> Any:  # fmt: skip
    """Σ of g times the x that was under the window"""
    return kernels.conv2d_weight(
        grad, input, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
    )


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


def read_pair(name: str, given: Setting, count: int = 2) -> Sizes:
    """One number for each of `count` dimensions, from one for all or a sequence."""
    sizes: Any = given
    values: Sizes = tuple(map(int, sizes)) if isinstance(given, tuple | list) else (sizes,)
    if len(values) not in (1, count):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {count} values to match "
            f"the convolution dimensions, but got {name}={list(values)}"
        )
    return values * count if len(values) == 1 else values


def _borders(padding: str | Setting, kernel: Sizes, stride: Sizes, dilation: Sizes) -> list[Pair]:
    """What is added before and after each dimension."""
    if not isinstance(padding, str):
        return [(size, size) for size in read_pair("padding", padding, len(kernel))]
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _check_channels(
    transposed: bool, ndim: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int
) -> None:
    """PyTorch's errors for numbers of channels that do not fit together."""
    shape, wanted = list(x._array.shape), list(weight._array.shape)
    channels, outputs = wanted[1] * groups, wanted[0]
    if transposed:
        channels, outputs = outputs, channels
    given = f"Given transposed={int(transposed)}" if transposed else f"Given groups={groups}"
    if wanted[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {wanted} instead"
        )
    if wanted[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{wanted}] instead"
        )
    if shape[-ndim - 1] != channels:
        raise RuntimeError(
            f"{given}, weight of size {wanted}, expected input{shape} to have "
            f"{channels} channels, but got {shape[-ndim - 1]} channels instead"
        )
    if bias is not None and bias._array.shape != (outputs,):
        raise RuntimeError(
            f"Given {'transposed=1, ' * transposed}weight of size {wanted}, expected bias to be "
            f"1-dimensional with {outputs} elements, but got bias of size "
            f"{list(bias._array.shape)} instead"
        )


def _check_types(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """PyTorch's errors for several types at once, and for bools."""
    kind = x._array.dtype
    if bias is not None and bias._array.dtype != kind:
        given, other = (
            "long int" if each._array.dtype == np.int64 else each.dtype.cpp_name
            for each in (x, bias)
        )
        raise RuntimeError(f"Input type ({given}) and bias type ({other}) should be the same")
    if weight._array.dtype != kind:
        raise RuntimeError(
            f"expected scalar type {x.dtype.legacy_name} but found {weight.dtype.legacy_name}"
        )
    if kind.kind == "b":
        raise not_implemented("slow_conv2d_cpu", kind)


def _check_dimensions(name: str, ndim: int, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """PyTorch's errors for tensors of other dimensions than `ndim` spatial ones."""
    check_tensors(name, input=x, weight=weight, **({} if bias is None else {"bias": bias}))
    shape, wanted = list(x._array.shape), list(weight._array.shape)
    if len(shape) not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to {name}, but got "
            f"input of size: {shape}"
        )
    if len(wanted) < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if len(wanted) != ndim + 2:
        raise RuntimeError(
            f"Expected {len(wanted)}-dimensional input for {len(wanted)}-dimensional "
            f"weight{wanted}, but got {len(shape)}-dimensional input of size {shape} instead"
        )


def _check_settings(
    kernel: Sizes, stride: Sizes, borders: list[Pair], dilation: Sizes, groups: int
) -> None:
    """PyTorch's errors for numbers out of range."""
    if any(min(border) < 0 for border in borders):
        raise RuntimeError("negative padding is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        given = f", but got {list(dilation)}" if min(dilation) == 0 else ""
        raise RuntimeError(f"dilation should be greater than zero{given}")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if min(kernel) <= 0:
        sides = zip(("height", "width")[-len(kernel) :], kernel, strict=True)
        listed = " ".join([f"kernel_{side}: {size}" for side, size in sides])
        raise RuntimeError(f"kernel size should be greater than zero, but got {listed}")


def _check_window(x: Tensor, kernel: Sizes, borders: list[Pair], dilation: Sizes) -> None:
    sizes = x._array.shape[-len(kernel) :]
    padded = [n + sum(border) for n, border in zip(sizes, borders, strict=True)]
    windows = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(n < window for n, window in zip(padded, windows, strict=True)):
        have, need = (" x ".join(map(str, sizes)) for sizes in (padded, windows))
        raise RuntimeError(
            f"Calculated padded input size per channel: ({have}). Kernel size: ({need}). Kernel "
            "size can't be greater than actual input size"
        )


def _as_images(x: Tensor, weight: Tensor, ndim: int) -> tuple[Tensor, Tensor]:
    """Input and weight with a batch and two spatial dimensions: sequences are of height 1."""
    x = x if x._array.ndim == ndim + 2 else unsqueeze(x, 0)
    return (x, weight) if ndim > 1 else (unsqueeze(x, 2), unsqueeze(weight, 2))


def _finished(
    out: Tensor, bias: Tensor | None, x: Tensor, weight: Tensor, ndim: int, batched: bool
) -> Tensor:
    """A convolution's result with the bias of each channel, in the dimensions of its input."""
    out = squeeze(out, 2) if ndim == 1 else out
    if bias is not None:
        out = add_bias(out, reshape(bias, -1, *[1] * ndim), x, weight)
    out = named_as(out, "ConvolutionBackward0")
    return out if batched else named_as(squeeze(out, 0), "SqueezeBackward1")


def _convolution(
    name: str, ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Setting,
    padding: str | Setting, dilation: Setting, groups: int,
) -> Tensor:  # fmt: skip
    if AUTOCAST:
        input, weight, bias = lowered(input, weight, bias)
    _check_dimensions(name, ndim, input, weight, bias)
    kernel = weight._array.shape[2:]
    steps, spread = read_pair("stride", stride, ndim), read_pair("dilation", dilation, ndim)
    borders = _borders(padding, kernel, steps, spread)
    _check_settings(kernel, steps, borders, spread, groups)
    _check_channels(False, ndim, input, weight, bias, groups)
    _check_window(input, kernel, borders, spread)
    _check_types(input, weight, bias)
    x, w = _as_images(input, weight, ndim)
    if ndim == 1:
        steps, borders, spread = (1, *steps), [(0, 0), *borders], (1, *spread)
    convolve = _conv_volumes if ndim == 3 else _conv2d
    out = convolve(x, w, stride=steps, padding=tuple(borders), dilation=spread, groups=groups)
    if x._array.shape[1] == 0:
        out, bias = out[:, :0], None if bias is None else bias[:0]
    return _finished(out, bias, x, w, ndim, input._array.ndim == ndim + 2)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Setting = 1,
    padding: str | Setting = 0, dilation: Setting = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The cross-correlation of images with filters, plus a bias for each filter.

    `input` is (batch, channels, height, width) or without a batch, `weight` (filters, channels /
    groups, height, width), `bias` (filters). `padding` is a number for each side, "valid" or
    "same". Raises RuntimeError when sizes or types do not fit.

    >>> torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Setting = 1,
    padding: str | Setting = 0, dilation: Setting = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """`conv2d` for sequences: `input` (batch, channels, length), `weight` (filters, …, length).

    >>> torch.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Setting = 1,
    padding: str | Setting = 0, dilation: Setting = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """`conv2d` for volumes: `input` (batch, channels, depth, height, width), with or without batch.

    >>> torch.conv3d(torch.ones(1, 1, 2, 2, 3), torch.ones(1, 1, 2, 2, 2))
    tensor([[[[[8., 8.]]]]])
    """
    return _convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _depths(count: int, kernel: int, stride: int, dilation: int) -> Tensor:
    """Where the slices lie that each of `count` windows has under it, window by window."""
    places = np.arange(count)[:, None] * stride + np.arange(kernel) * dilation
    return wrap(note_constant(places.reshape(-1)))


def _conv_volumes(
    x: Tensor, weight: Tensor, *, stride: Sizes, padding: Sequence[Pair], dilation: Sizes,
    groups: int,
) -> Tensor:  # fmt: skip
    """A convolution of images that have the slices under a window side by side as channels."""
    (front, back), *borders = padding
    x = pad(x, (0, 0, 0, 0, front, back)) if front or back else x
    batch, channels, depth, *sizes = x.shape
    filters, inner, kernel, *sides = weight.shape
    count = (depth - dilation[0] * (kernel - 1) - 1) // stride[0] + 1
    slices = x.index_select(2, _depths(count, kernel, stride[0], dilation[0]))
    slices = slices.reshape(batch, channels, count, kernel, *sizes).transpose(1, 2)
    out = _conv2d(
        slices.reshape(batch * count, channels * kernel, *sizes),
        weight.reshape(filters, inner * kernel, *sides),
        stride=stride[1:], padding=tuple(borders), dilation=dilation[1:], groups=groups,
    )  # fmt: skip
    return out.reshape(batch, count, *out.shape[1:]).transpose(1, 2).contiguous()


def _spread_volumes(
    x: Tensor, weight: Tensor, *, sizes: Sizes, stride: Sizes, padding: Sequence[Pair],
    dilation: Sizes, groups: int,
) -> Tensor:  # fmt: skip
    """The transpose of `_conv_volumes`: slices, added where their windows lie."""
    (front, back), *borders = padding
    batch, channels, depth, *images = x.shape
    _, inner, kernel, *sides = weight.shape
    out = _conv2d_input(
        x.transpose(1, 2).reshape(batch * depth, channels, *images),
        weight.reshape(channels, inner * kernel, *sides),
        sizes=sizes[1:], stride=stride[1:], padding=tuple(borders), dilation=dilation[1:],
        groups=groups,
    )  # fmt: skip
    slices = out.reshape(batch, depth, inner * groups, kernel, *sizes[1:]).transpose(1, 2)
    slices = slices.reshape(batch, inner * groups, depth * kernel, *sizes[1:])
    empty = x.new_zeros(batch, inner * groups, sizes[0] + front + back, *sizes[1:])
    whole = empty.index_add(2, _depths(depth, kernel, stride[0], dilation[0]), slices)
    return whole.narrow(2, front, sizes[0]).contiguous()


def _check_output_padding(extra: Sizes, stride: Sizes, dilation: Sizes) -> None:
    if any(more >= max(s, d) for more, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding: {list(extra)} stride: {list(stride)} dilation: {list(dilation)}"
        )


def _transposed(
    name: str, ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Setting,
    padding: str | Setting, output_padding: Setting, groups: int, dilation: Setting,
) -> Tensor:  # fmt: skip
    if AUTOCAST:
        input, weight, bias = lowered(input, weight, bias)
    _check_dimensions(name, ndim, input, weight, bias)
    kernel = weight._array.shape[2:]
    steps, spread = read_pair("stride", stride, ndim), read_pair("dilation", dilation, ndim)
    if isinstance(padding, str):
        raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str")
    borders = _borders(padding, kernel, steps, spread)
    extra = read_pair("output_padding", output_padding, ndim)
    _check_settings(kernel, steps, borders, spread, groups)
    _check_channels(True, ndim, input, weight, bias, groups)
    _check_types(input, weight, bias)
    empty = input._array.size == 0  # PyTorch looks at fewer things then
    if not empty:
        _check_output_padding(extra, steps, spread)
    settings = zip(input._array.shape[-ndim:], kernel, steps, borders, extra, spread, strict=True)
    # the sizes that a convolution would have reduced to those of the input
    sizes = tuple([(n - 1) * s - sum(b) + d * (k - 1) + e + 1 for n, k, s, b, e, d in settings])
    x, w = _as_images(input, weight, ndim)
    if ndim == 1:
        sizes, steps, borders, spread = (1, *sizes), (1, *steps), [(0, 0), *borders], (1, *spread)
    if min(sizes) < (0 if empty else 1):
        have, left = (" x ".join(map(str, n)) for n in (x._array.shape[2:], sizes))
        raise RuntimeError(
            f"Given input size per channel: ({have}). Calculated output size per channel: "
            f"({left}). Output size is too small"
        )
    spread_out = _spread_volumes if ndim == 3 else _conv2d_input
    out = spread_out(x, w, sizes=sizes, stride=steps, dilation=spread, groups=groups,
                        padding=tuple(borders))  # fmt: skip
    return _finished(out, bias, x, w, ndim, input._array.ndim == ndim + 2)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Setting = 1,
    padding: Setting = 0, output_padding: Setting = 0, groups: int = 1, dilation: Setting = 1,
) -> Tensor:  # fmt: skip
    """The transpose of `conv2d`: what is its gradient with respect to images, with a bias.

    `weight` is (channels, filters / groups, height, width). Raises RuntimeError when sizes or
    types do not fit.
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)  # fmt: skip


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Setting = 1,
    padding: Setting = 0, output_padding: Setting = 0, groups: int = 1, dilation: Setting = 1,
) -> Tensor:  # fmt: skip
    """`conv_transpose2d` for sequences."""
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)  # fmt: skip


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Setting = 1,
    padding: Setting = 0, output_padding: Setting = 0, groups: int = 1, dilation: Setting = 1,
) -> Tensor:  # fmt: skip
    """`conv_transpose2d` for volumes."""
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)  # fmt: skip
