"""Pooling: the largest or the mean of the numbers under windows that slide over images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array, label, wrap

from .arguments import check_tensors, not_implemented
from .arithmetic import div
from .casting import clone
from .convolution import Pair, _conv2d, read_pair
from .gathering import gather
from .joining import stack
from .reductions import mean
from .shapes import reshape, squeeze, unsqueeze

__all__ = [
    "adaptive_avg_pool1d",
    "avg_pool1d",
    "max_pool1d",
    "max_pool2d",
]

Tensor = Any


def _count(size: int, window: int, stride: int, padding: int, ceil_mode: bool) -> int:
    """How many windows fit; with `ceil_mode` a last one may stand out, if it begins inside."""
    reach = size + 2 * padding - window + (stride - 1 if ceil_mode else 0)
    count = reach // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def _read_windows(
    name: str, input: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Any, Any, Any, Any, Any]:
    """Kernel, stride, padding, dilation and the result's sizes; PyTorch's errors."""
    check_tensors(name, input=input)
    if input._array.ndim not in (3, 4):
        raise RuntimeError(
            f"{name}: Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got: {list(input._array.shape)}"
        )
    size = _read_sizes("kernel_size", name, kernel)
    step = size if stride in (None, [], ()) else _read_sizes("stride", name, stride)
    around, spread = _read_sizes("padding", name, padding), _read_sizes("dilation", name, dilation)
    if min(size) <= 0 or min(step) <= 0:
        what = ("stride", step) if min(step) <= 0 else ("kernel size", size)
        raise RuntimeError(
            f"{what[0]} should be greater than zero, but got "
            + ("zero" if what[0] == "stride" else f"kH: {size[0]} kW: {size[1]}")
        )
    if min(spread) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(spread)}")
    for p, k, d in zip(around, size, spread, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
    windows = [d * (k - 1) + 1 for k, d in zip(size, spread, strict=True)]
    counts = tuple([
        _count(n, w, s, p, ceil_mode)
        for n, w, s, p in zip(input._array.shape[-2:], windows, step, around, strict=True)
    ])  # fmt: skip
    if min(counts) < 1 or 0 in input._array.shape[-3:]:
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, input._array.shape[-3:]))}). Calculated output "
            f"size: ({input._array.shape[-3]}x{counts[0]}x{counts[1]}). Output size is too small"
        )
    return size, step, around, spread, counts


def _read_sizes(what: str, name: str, given: Any) -> tuple[int, ...]:
    if isinstance(given, tuple | list) and len(given) not in (1, 2):
        raise RuntimeError(f"{name}: {what} must either be a single int, or a tuple of two ints")
    return read_pair(what, given)


@primitive
def _place_of_max(
    input: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, counts: Pair
) -> Any:
    """where in each image the largest x under the window is, counted row by row"""
    height, width = input.shape[-2:]
    floating = input.dtype.kind == "f"
    lowest = -np.inf if floating else np.iinfo(input.dtype).min
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    borders = [
        (p, max((n - 1) * s + e - size - p, 0))
        for size, p, n, s, e in zip((height, width), padding, counts, stride, extent, strict=True)
    ]
    padded = np.pad(input, [(0, 0)] * (input.ndim - 2) + borders, constant_values=lowest)
    windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(-2, -1))
    windows = windows[..., :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    windows = windows[..., : counts[0], : counts[1], :, :]
    flat = windows.reshape(*windows.shape[:-2], -1)
    best = flat.argmax(-1)
    rows = np.arange(counts[0])[:, None] * stride[0] - padding[0] + best // kernel[1] * dilation[0]
    columns = np.arange(counts[1]) * stride[1] - padding[1] + best % kernel[1] * dilation[1]
    return np.clip(rows, 0, height - 1) * width + np.clip(columns, 0, width - 1)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number under each window of images (batch, channels, height, width).

    Windows are `stride` apart (their own size unless given); `padding` counts as −∞.
    `return_indices` adds where in the image each number is, counted row by row. Raises
    RuntimeError when no window fits.

    >>> import tinygrad_mnist as torch
    >>> torch.max_pool2d(torch.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    kernel, step, around, spread, counts = _read_windows(
        "max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode
    )
    if input._array.dtype == bool:
        raise not_implemented("max_pool2d", input._array.dtype)
    indices = _place_of_max(
        input.detach(), kernel=kernel, stride=step, padding=around, dilation=spread, counts=counts
    )
    lead = input._array.shape[:-2]
    flat = reshape(input, *lead, -1)
    values = gather(flat, -1, reshape(indices, *lead, -1))
    out = label(reshape(values, *lead, *counts), "MaxPool2DWithIndicesBackward0")
    return (out, indices) if return_indices else out


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool2d` for sequences (batch, channels, length)."""
    _check_sequences("max_pool1d", input)
    sizes = [_only("max_pool1d", value) for value in (kernel_size, stride, padding, dilation)]
    kernel, step, around, spread = sizes
    result = max_pool2d(
        unsqueeze(input, -2), (1, kernel), None if step is None else (1, step), (0, around),
        (1, spread), ceil_mode, return_indices,
    )  # fmt: skip
    if return_indices:
        return squeeze(result[0], -2), squeeze(result[1], -2)
    return squeeze(result, -2)


def _check_sequences(name: str, input: Tensor) -> None:
    check_tensors(name, input=input)
    if input._array.ndim not in (2, 3):
        raise RuntimeError(
            f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got: {list(input._array.shape)}"
        )


def _only(name: str, given: Any) -> Any:
    """The one number of a sequence of one, or the number itself."""
    if not isinstance(given, tuple | list):
        return given
    if len(given) > 1:
        raise RuntimeError(f"{name}() takes single numbers, not {list(given)}")
    return given[0] if given else None


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of the numbers under each window of images (batch, channels, height, width).

    Windows are `stride` apart (their own size unless given); the zeros of `padding` count as
    numbers unless `count_include_pad` is False. `divisor_override` is divided by instead.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.avg_pool2d(torch.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """
    kernel, step, around, _, counts = _read_windows(
        "avg_pool2d", input, kernel_size, stride, padding, 1, ceil_mode
    )
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    x = input._array
    sizes = x.shape[-2:]
    borders = tuple([
        (p, max((n - 1) * s + k - size - p, 0))
        for size, p, n, s, k in zip(sizes, around, counts, step, kernel, strict=True)
    ])  # fmt: skip
    images = reshape(input, x[..., 0, 0].size, 1, *sizes)
    ones = wrap(np.ones((1, 1, *kernel), x.dtype))
    total = _conv2d(images, ones, stride=step, padding=borders, dilation=(1, 1), groups=1)
    total = reshape(total[..., : counts[0], : counts[1]], *x.shape[:-2], *counts)
    divisor = divisor_override
    if divisor is None:
        divisor = _numbers_under(sizes, kernel, step, around, counts, count_include_pad, x.dtype)
    rounding = None if x.dtype.kind == "f" else "trunc"
    return label(div(total, divisor, rounding_mode=rounding), "AvgPool2DBackward0")


def _numbers_under(
    sizes: Any, kernel: Any, stride: Any, padding: Any, counts: Any, with_padding: bool, kind: Any
) -> Tensor:
    """How many numbers each window averages."""
    lengths = []
    for size, k, s, p, n in zip(sizes, kernel, stride, padding, counts, strict=True):
        start = np.arange(n) * s - p
        stop = np.minimum(start + k, size + p)
        if not with_padding:
            start, stop = np.maximum(start, 0), np.minimum(stop, size)
        lengths.append(stop - start)
    return wrap(np.outer(*lengths).astype(kind))


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """`avg_pool2d` for sequences (batch, channels, length)."""
    _check_sequences("avg_pool1d", input)
    kernel, step, around = (_only("avg_pool1d", v) for v in (kernel_size, stride, padding))
    out = avg_pool2d(
        unsqueeze(input, -2), (1, kernel), None if step is None else (1, step), (0, around),
        ceil_mode, count_include_pad,
    )  # fmt: skip
    return squeeze(out, -2)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows that cut images into `output_size` parts, whatever their size.

    Part i of n goes from ⌊i · size / n⌋ to ⌈(i + 1) · size / n⌉. None keeps a size.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.adaptive_avg_pool2d(torch.arange(6.0).reshape(1, 2, 3), 1)
    tensor([[[2.5000]]])
    """
    check_tensors("adaptive_avg_pool2d", input=input)
    shape = input._array.shape
    if len(shape) < 3:
        raise ValueError(f"Input dimension should be at least 3 (got {len(shape)})")
    if len(shape) > 4:
        raise RuntimeError(
            f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(shape)}"
        )
    wanted = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if len(wanted) != 2:
        raise RuntimeError("adaptive_avg_pool2d: output_size must be 2")
    sizes = [n if size is None else size for n, size in zip(shape[-2:], wanted, strict=True)]
    if min(sizes) < 0:
        raise RuntimeError(
            "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but "
            f"received {{{sizes[0]}, {sizes[1]}}}"
        )
    if sizes == [1, 1]:
        return mean(input, (-1, -2), True)
    out = _means_of_parts(_means_of_parts(input, -2, sizes[0]), -1, sizes[1])
    return label(clone(out) if out is input else out, "AdaptiveAvgPool2DBackward0")


def _means_of_parts(x: Tensor, dim: int, parts: int) -> Tensor:
    size = x._array.shape[dim]
    if size == parts:
        return x
    if parts == 0:
        return x.narrow(dim, 0, 0)
    bounds = [(i * size // parts, -(-(i + 1) * size // parts)) for i in range(parts)]
    return stack([mean(x.narrow(dim, a, b - a), dim) for a, b in bounds], dim)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """`adaptive_avg_pool2d` for sequences (batch, channels, length)."""
    _check_sequences("adaptive_avg_pool1d", input)
    if isinstance(output_size, tuple | list) and len(output_size) != 1:
        raise RuntimeError(
            "adaptive_avg_pool1d() argument 'output_size' should contain one int "
            f"(got {len(output_size)})"
        )
    out = adaptive_avg_pool2d(unsqueeze(input, -2), (1, _only("adaptive_avg_pool1d", output_size)))
    return squeeze(out, -2)
