"""Convolutions: sums of products over windows that slide over images.

The three primitives are one family. With y = conv(x, w), the derivative with respect to x is
`_conv2d_input`, that with respect to w `_conv2d_weight`; each of the three is linear in both of its
inputs, and its derivatives are the two others.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import kernels
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented
from .dependence import add_bias
from .shapes import reshape, squeeze, unsqueeze

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]

Pair = tuple[int, int]
Borders = tuple[Pair, Pair]


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
        return tuple([(size, size) for size in sizes])
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return tuple([(total // 2, total - total // 2) for total in totals])


def check(name: str, ndim: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int,
           channels: int, outputs: int) -> None:  # fmt: skip
    """PyTorch's errors for what does not fit together."""
    shape, wanted = list(x._array.shape), list(weight._array.shape)
    transposed = "transpose" in name
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


def _type_name(x: Tensor) -> str:
    name: str = x.dtype.cpp_name
    return "long int" if name == "int64_t" else name


def check_types(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """PyTorch's errors for several types at once, and for bools."""
    kind = x._array.dtype
    if bias is not None and bias._array.dtype != kind:
        raise RuntimeError(
            f"Input type ({_type_name(x)}) and bias type ({_type_name(bias)}) should be the same"
        )
    if weight._array.dtype != kind:
        raise RuntimeError(
            f"expected scalar type {x.dtype.legacy_name} but found {weight.dtype.legacy_name}"
        )
    if kind.kind == "b":
        raise not_implemented("slow_conv2d_cpu", kind)


def check_dimensions(name: str, ndim: int, x: Tensor, weight: Tensor) -> None:
    """PyTorch's errors for tensors of other dimensions than `ndim` spatial ones."""
    check_tensors(name, input=x, weight=weight)
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


def check_settings(kernel: Any, stride: Any, borders: Any, dilation: Any, groups: int) -> None:
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
        raise RuntimeError(
            "kernel size should be greater than zero, but got "
            + " ".join(
                f"kernel_{what}: {k}"
                for what, k in zip(("height", "width")[-len(kernel) :], kernel, strict=True)
            )
        )


def _check_window(x: Tensor, kernel: Any, borders: Any, dilation: Any) -> None:
    sizes = x._array.shape[-len(kernel) :]
    padded = [n + sum(border) for n, border in zip(sizes, borders, strict=True)]
    windows = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(n < window for n, window in zip(padded, windows, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel "
            f"size: ({' x '.join(map(str, windows))}). Kernel size can't be greater than actual "
            "input size"
        )


def with_bias(out: Tensor, bias: Tensor | None, x: Tensor, weight: Tensor, batched: bool) -> Tensor:
    """A convolution's result with the bias of each channel, and without the batch if need be."""
    if bias is not None:
        out = add_bias(out, reshape(bias, -1, *[1] * (out._array.ndim - 2)), x, weight)
    out = named_as(out, "ConvolutionBackward0")
    return out if batched else named_as(squeeze(out, 0), "SqueezeBackward1")


def _read(
    name: str, ndim: int, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any,
    padding: Any, dilation: Any, groups: int,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Stride, borders and dilation of a convolution; PyTorch's errors."""
    check_dimensions(name, ndim, x, weight)
    kernel = weight._array.shape[2:]
    steps, spread = read_pair("stride", stride, ndim), read_pair("dilation", dilation, ndim)
    borders = _borders(padding, kernel, steps, spread)
    check_settings(kernel, steps, borders, spread, groups)
    check(name, ndim, x, weight, bias, groups, weight._array.shape[1] * groups,
           len(weight._array))  # fmt: skip
    _check_window(x, kernel, borders, spread)
    check_types(x, weight, bias)
    return steps, borders, spread


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

    >>> torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    steps, borders, spread = _read("conv2d", 2, input, weight, bias, stride, padding, dilation,
                                   groups)  # fmt: skip
    batched = input._array.ndim == 4
    x = input if batched else unsqueeze(input, 0)
    out = _conv2d(x, weight, stride=steps, padding=borders, dilation=spread, groups=groups)
    return with_bias(out, bias, x, weight, batched)


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

    >>> torch.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """
    steps, borders, spread = _read("conv1d", 1, input, weight, bias, stride, padding, dilation,
                                   groups)  # fmt: skip
    batched = input._array.ndim == 3
    x, w = unsqueeze(input if batched else unsqueeze(input, 0), 2), unsqueeze(weight, 2)
    out = _conv2d(x, w, stride=(1, *steps), padding=((0, 0), *borders),
                  dilation=(1, *spread), groups=groups)  # fmt: skip
    return with_bias(squeeze(out, 2), bias, x, w, batched)


# Transposed convolutions

Sizes = tuple[int, ...]


def _read_padding(name: str, padding: Any, count: int) -> Sizes:
    if isinstance(padding, str):
        raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str")
    return read_pair("padding", padding, count)


def _check_extra(extra: Sizes, stride: Sizes, dilation: Sizes) -> None:
    if any(more >= max(s, d) for more, s, d in zip(extra, stride, dilation, strict=True)):
        named = (("output_padding", extra), ("stride", stride), ("dilation", dilation))
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            + " ".join(f"{name}: {list(values)}" for name, values in named)
        )


def _sizes(
    sizes: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, extra: Sizes, dilation: Sizes
) -> Sizes:
    """The sizes that a convolution would have reduced to `sizes`."""
    return tuple([
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, e, d in zip(sizes, kernel, stride, padding, extra, dilation, strict=True)
    ])  # fmt: skip


def _transposed(
    name: str, ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any,
    padding: Any, output_padding: Any, groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    """The transposed convolution over `ndim` dimensions; one is taken for images of height 1."""
    check_dimensions(name, ndim, input, weight)
    kernel = weight._array.shape[2:]
    steps, spread = read_pair("stride", stride, ndim), read_pair("dilation", dilation, ndim)
    around = _read_padding(name, padding, ndim)
    extra = read_pair("output_padding", output_padding, ndim)
    check_settings(kernel, steps, [(p, p) for p in around], spread, groups)
    rows: Array = weight._array
    check(name, ndim, input, weight, bias, groups, len(rows), rows.shape[1] * groups)
    check_types(input, weight, bias)
    empty = input._array.size == 0  # PyTorch looks at fewer things then
    if not empty:
        _check_extra(extra, steps, spread)
    sizes = _sizes(input._array.shape[-ndim:], kernel, steps, around, extra, spread)
    batched = input._array.ndim == ndim + 2
    x, w = input if batched else unsqueeze(input, 0), weight
    if ndim == 1:
        x, w = unsqueeze(x, 2), unsqueeze(w, 2)
        sizes, steps, around, spread = (1, *sizes), (1, *steps), (0, *around), (1, *spread)
    if min(sizes) < (0 if empty else 1):
        have, left = (" x ".join(map(str, n)) for n in (x._array.shape[2:], sizes))
        raise RuntimeError(
            f"Given input size per channel: ({have}). Calculated output size per channel: "
            f"({left}). Output size is too small"
        )
    out = _conv2d_input(x, w, sizes=sizes, stride=steps, dilation=spread, groups=groups,
                        padding=tuple([(p, p) for p in around]))  # fmt: skip
    return with_bias(squeeze(out, 2) if ndim == 1 else out, bias, x, w, batched)


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
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)  # fmt: skip


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
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)  # fmt: skip
