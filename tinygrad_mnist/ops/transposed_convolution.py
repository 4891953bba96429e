"""Transposed convolutions: what a convolution's gradient does to images."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.record import Array
from tinygrad_mnist.engine.tensor import Tensor

from .convolution import (
    _conv2d_input,
    check,
    check_dimensions,
    check_settings,
    check_types,
    read_pair,
    with_bias,
)
from .shapes import squeeze, unsqueeze

__all__ = [
    "conv_transpose1d",
    "conv_transpose2d",
]

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
