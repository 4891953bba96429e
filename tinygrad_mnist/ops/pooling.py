"""Pooling: the largest or the mean of the numbers under windows that slide over images."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_binary, call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap

from .arguments import check_tensors, not_implemented, with_out
from .arithmetic import div
from .casting import clone
from .convolution import Borders, Pair, Setting, Sizes, read_pair
from .joining import stack
from .reductions import mean
from .second_derivatives import constant_in, through
from .shapes import squeeze, unsqueeze


def _count(size: int, window: int, stride: int, padding: int, ceil_mode: bool) -> int:
    """How many windows fit; with `ceil_mode` a last one may stand out, if it begins inside."""
    reach = size + 2 * padding - window + (stride - 1 if ceil_mode else 0)
    count = reach // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def read_windows(
    name: str, input: Tensor, kernel: Setting, stride: Setting | None, padding: Setting,
    dilation: Setting, ceil_mode: bool,
) -> Any:  # fmt: skip
    """Kernel, stride, padding, dilation and the result's sizes; PyTorch's errors."""
    check_tensors(name, input=input)
    given = (kernel, stride, padding, dilation)
    settled = {*map(type, given)} <= _PLAIN or all(map(_is_settled, given))
    read = _windows if settled else _windows.__wrapped__
    return read(name, input._array.shape, *given, ceil_mode)


_PLAIN = {int, type(None)}


def _is_settled(setting: Setting | None) -> bool:
    """Whether a setting is of plain ints, so that what was found for it may be kept."""
    return type(setting) in _PLAIN or (type(setting) is tuple and {*map(type, setting)} == {int})


@functools.lru_cache(maxsize=1024, typed=True)
def _windows(
    name: str, sizes: tuple[int, ...], kernel: Setting, stride: Setting | None, padding: Setting,
    dilation: Setting, ceil_mode: bool,
) -> Any:  # fmt: skip
    """`read_windows` of images of these sizes."""
    dims = 3 if "3d" in name else 2
    given: dict[str, Setting] = {
        "kernel_size": kernel, "stride": kernel if stride is None or stride in ([], ()) else stride,
        "padding": padding, "dilation": dilation,
    }  # fmt: skip
    for what, value in given.items():
        if isinstance(value, tuple | list) and len(value) not in (1, dims):
            raise RuntimeError(
                f"{name}: {what} must {'either ' * (name != 'avg_pool3d')}be "
                f"{'omitted, ' * (what == 'stride')}a single int, or a tuple of "
                f"{'three' if dims == 3 else 'two'} ints"
            )
    size, step, around, spread = (read_pair(what, value, dims) for what, value in given.items())
    shape = list(sizes)
    modes = f"{dims + 1}D or {dims + 2}D (batch mode) tensor"
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(f"non-empty {modes} expected for input")
    for d in range(dims - 1):
        _check_windows(*(each[d : d + 2] for each in (size, step, around, spread)))
    if 0 in shape[-dims - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected input's non-batch dimensions to have positive length, but input "
            f"has a shape of {shape}"
            if dims == 3
            else f"Expected {modes} with optional 0 dim batch size for input, but got:{shape}"
        )
    settings = zip(shape[-dims:], size, spread, step, around, strict=True)
    counts = tuple([_count(n, d * (k - 1) + 1, s, p, ceil_mode) for n, k, d, s, p in settings])
    if min(counts) < 1:
        had, made = shape[-dims - 1 :], (shape[-dims - 1], *counts)
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, had))}). Calculated output size: "
            f"({'x'.join(map(str, made))}). Output size is too small"
        )
    return size, step, around, spread, counts


def _check_windows(kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> None:
    if 0 in stride:
        raise RuntimeError("stride should not be zero")
    for what, mark, (height, width) in (
        ("kernel size", "k", kernel), ("stride", "d", stride), ("dilation", "dilation", dilation),
    ):  # fmt: skip
        if height <= 0 or width <= 0:
            raise RuntimeError(
                f"{what} should be greater than zero, but got {mark}H: {height} {mark}W: {width}"
            )
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )


@functools.lru_cache(maxsize=1024)
def _reach(sizes: Any, kernel: Pair, stride: Pair, padding: Pair, counts: Pair) -> Borders:
    """The borders that windows, `counts` of them, reach into."""
    below, right = (
        max((n - 1) * s + k - size - p, 0)
        for size, p, n, s, k in zip(sizes, padding, counts, stride, kernel, strict=True)
    )
    return (padding[0], below), (padding[1], right)


@primitive
def _place_of_max(
    input: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, counts: Pair
) -> Any:
    """where in each image the largest x under the window is, counted row by row"""
    height, width = (d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    borders = _reach(input.shape[-2:], (height, width), stride, padding, counts)
    return kernels.place_of_max(input, kernel, stride, borders, dilation, counts)


@primitive(grad_fn="MaxPool2DWithIndicesBackward0")
def pick(input: Array, indices: Array) -> Any:
    """x at the indices given, counted row by row in each image"""
    return kernels.pick(input, indices)


@primitive(grad_fn="MaxPool2DWithIndicesBackwardBackward0")
def _put_back(grad: Array, indices: Array, *, shape: tuple[int, ...]) -> Any:
    """0, with g added at the indices it was picked from"""
    return kernels.put_back(grad, indices, shape)


pick.derivatives(
    input=lambda g, input, indices, shape: _put_back(constant_in(g, input), indices, shape=shape)
)
_put_back.derivatives(grad=lambda g, indices: pick(g, indices))


def _max_pool(
    input: Tensor, kernel_size: Setting, stride: Setting | None, padding: Setting,
    dilation: Setting, ceil_mode: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The largest numbers, and where in the image each is."""
    kernel, step, around, spread, counts = read_windows(
        "max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode
    )
    if input._array.dtype == bool:
        raise not_implemented("max_pool2d", input._array.dtype)
    indices = call_unary(_place_of_max, input.detach(), {
        "kernel": kernel, "stride": step, "padding": around, "dilation": spread, "counts": counts,
    })  # fmt: skip
    return call_binary(pick, input, indices), indices


def max_pool2d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    dilation: Setting = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """The largest number under each window of images (batch, channels, height, width).

    Windows are `stride` apart (their own size unless given); `padding` counts as −∞.
    `return_indices` adds where in the image each number is, counted row by row. Raises
    RuntimeError when no window fits.

    >>> torch.max_pool2d(torch.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    out, indices = _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode)
    return (out, indices) if return_indices else out


def max_pool1d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    dilation: Setting = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d` for sequences (batch, channels, length)."""
    check_tensors("max_pool1d", input=input)
    kernel, step, around, spread = _read_steps(kernel_size, stride, padding, dilation)
    shape = list(input._array.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{shape}"
        )
    if not return_indices:
        _check_steps(kernel, step, around, spread)
        count = _count(shape[-1], spread * (kernel - 1) + 1, step, around, ceil_mode)
        if count < 1:
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {count}")
    out, indices = _max_pool(
        unsqueeze(input, -2), (1, kernel), (1, step), (0, around), (1, spread), ceil_mode
    )
    return (squeeze(out, -2), squeeze(indices, -2)) if return_indices else squeeze(out, -2)


def _read_steps(
    kernel: Setting, stride: Setting | None, padding: Setting, dilation: Setting
) -> list[int]:
    """The one number of each setting, which may come alone or in a sequence of one."""
    step = kernel if stride is None or stride in ([], ()) else stride
    settings: dict[str, Any] = {
        "kernel_size": kernel, "stride": step, "padding": padding, "dilation": dilation
    }  # fmt: skip
    sizes: list[int] = []
    for name, given in settings.items():
        if isinstance(given, tuple | list) and len(given) != 1:
            kinds = "None, an int" if name == "stride" else "an int"
            comma = "" if name == "kernel_size" else ","
            raise RuntimeError(
                f"max_pool1d() {name} must be {kinds}, list of ints{comma} or tuple of ints of "
                f"size 1 but got size {len(given)}"
            )
        sizes.append(given[0] if isinstance(given, tuple | list) else given)
    return sizes


def _check_steps(kernel: int, stride: int, padding: int, dilation: int) -> None:
    for name, value in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > (dilation * (kernel - 1) + 1) // 2:
        raise RuntimeError(
            "max_pool1d() padding should be at most half of kernel size, but got "
            f"padding={padding} and kernel_size={kernel}"
        )


@primitive(grad_fn="AvgPool2DBackward0")
def _window_sum(
    input: Array, *, kernel: Pair, stride: Pair, borders: Borders, counts: Pair, divisor: int
) -> Any:
    """Σ of x under each window / divisor"""
    return kernels.window_sum(input, kernel, stride, borders, counts, divisor)


@primitive
def _window_spread(
    grad: Array, *, sizes: Pair, kernel: Pair, stride: Pair, borders: Borders, counts: Pair,
    divisor: int,
) -> Any:  # fmt: skip
    """g / divisor, added to each number under its window"""
    return kernels.window_spread(grad, sizes, kernel, stride, borders, counts, divisor)


_window_sum.derivatives(
    input=lambda g, input, kernel, stride, borders, counts, divisor, shape: _window_spread(
        constant_in(g, input), sizes=shape[-2:], kernel=kernel, stride=stride, borders=borders,
        counts=counts, divisor=divisor,
    )
)  # fmt: skip
_window_spread.derivatives(
    grad=lambda g, kernel, stride, borders, counts, divisor: _window_sum(
        g, kernel=kernel, stride=stride, borders=borders, counts=counts, divisor=divisor
    )
)


@with_out
def avg_pool2d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of the numbers under each window of images (batch, channels, height, width).

    Windows are `stride` apart (their own size unless given); the zeros of `padding` count as
    numbers unless `count_include_pad` is False. `divisor_override` is divided by instead.

    >>> torch.nn.functional.avg_pool2d(torch.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """
    kernel, step, around, _, counts = read_windows(
        "avg_pool2d", input, kernel_size, stride, padding, 1, ceil_mode
    )
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    kind, sizes = input._array.dtype, input._array.shape[-2:]
    if kind.kind not in dtypes.FLOATS and kind != np.int64:
        raise not_implemented("avg_pool2d", kind)
    borders = _reach(sizes, kernel, step, around, counts)
    divisor: Any = divisor_override
    if divisor is None and borders == _NO_BORDERS:
        divisor = kernel[0] * kernel[1]
    at_once = divisor.__class__ is int and kind.kind in dtypes.FLOATS
    total = call_unary(_window_sum, input, {
        "kernel": kernel, "stride": step, "borders": borders, "counts": counts,
        "divisor": divisor if at_once else 1,
    })  # fmt: skip
    if at_once:
        return total
    if divisor is None:
        divisor = _numbers_under(sizes, kernel, step, around, counts, count_include_pad, kind)
    rounding = None if kind.kind in dtypes.FLOATS else "trunc"
    return named_as(div(total, divisor, rounding_mode=rounding), "AvgPool2DBackward0")


_NO_BORDERS: Borders = ((0, 0), (0, 0))


def _numbers_under(
    sizes: Any, kernel: Sizes, stride: Sizes, padding: Sizes, counts: Sizes, with_padding: bool,
    kind: np.dtype[Any],
) -> Tensor:  # fmt: skip
    """How many numbers each window averages."""
    lengths = []
    for size, k, s, p, n in zip(sizes, kernel, stride, padding, counts, strict=True):
        start = np.arange(n) * s - p
        stop = np.minimum(start + k, size + p)
        if not with_padding:
            start, stop = np.maximum(start, 0), np.minimum(stop, size)
        lengths.append(stop - start)
    return wrap(note_constant(functools.reduce(np.multiply.outer, lengths).astype(kind)))


def _check_sequences(name: str, input: Tensor) -> None:
    """PyTorch's error for what is not (batch, channels, length), with or without a batch."""
    check_tensors(name, input=input)
    if input._array.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input._array.ndim}-dimensional tensor for "
            f"argument #1 'self' (while checking arguments for {name})"
        )


def _single_int(name: str, argument: str, given: Any) -> Any:
    """The one number of a sequence of one, or the number itself; no stride is None."""
    if not isinstance(given, tuple | list):
        return given
    if len(given) > 1 or not (given or argument == "stride"):
        raise RuntimeError(
            f"{name}() argument '{argument}' should contain one int (got {len(given)})"
        )
    return given[0] if given else None


def avg_pool1d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` for sequences (batch, channels, length)."""
    _check_sequences("avg_pool1d", input)
    given = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
    kernel, step, around = (_single_int("avg_pool1d", name, value) for name, value in given.items())
    out = avg_pool2d(
        unsqueeze(input, -2), (1, kernel), None if step is None else (1, step), (0, around),
        ceil_mode, count_include_pad,
    )  # fmt: skip
    return squeeze(out, -2)


# Adaptive pooling


def _bounds(size: int, parts: int) -> list[tuple[int, int]]:
    """Part i of n goes from ⌊i · size / n⌋ to ⌈(i + 1) · size / n⌉."""
    return [(i * size // parts, -(-(i + 1) * size // parts)) for i in range(parts)]


def read_output_size(name: str, input: Tensor, output_size: Any) -> list[int]:
    """The sizes of the result; PyTorch's errors."""
    check_tensors(name, input=input)
    shape, dims = list(input._array.shape), 3 if "3d" in name else 2
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * dims
    if given is output_size and len(shape) <= len(given):
        raise ValueError(f"Input dimension should be at least {len(given) + 1}")
    if len(shape) not in (dims + 1, dims + 2):
        colon = ":" * ("max" in name)
        raise RuntimeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{colon} {shape}"
        )
    if len(given) != dims:
        told = "(): internal error: output_size.size()" if "max" in name else ": output_size"
        raise RuntimeError(f"{name}{told} must be {dims}")
    _check_not_empty(name, "input", shape)
    sizes = [n if size is None else size for n, size in zip(shape[-dims:], given, strict=True)]
    if min(sizes) < 0:
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(sizes)}: "
            f"{[*shape[:-dims], *sizes]}"
            if "max" in name
            else f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{sizes[0]}, {','.join(map(str, sizes[1:]))}}}"
        )
    if input._array.dtype.kind not in dtypes.FLOATS:
        raise not_implemented(name, input._array.dtype)
    return sizes


def _check_not_empty(name: str, what: str, shape: Sequence[int]) -> None:
    for d in range(1, len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{name}(): Expected {what} to have non-zero size for non-batch dimensions, but "
                f"{what} has sizes {list(shape)} with dimension {d} being empty"
            )


def pooled(name: str, out: Tensor, node: str) -> Tensor:
    """The result with its record's name; of an empty one, PyTorch refuses the gradient."""
    if 0 in out._array.shape[1:] and out.requires_grad:
        out.register_hook(lambda g: _check_not_empty(f"{name}_backward", "grad_output", g.shape))
    return named_as(out, node)


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Means over windows that cut images into `output_size` parts, whatever their size.

    Part i of n goes from ⌊i · size / n⌋ to ⌈(i + 1) · size / n⌉. None keeps a size.

    >>> torch.nn.functional.adaptive_avg_pool2d(torch.arange(6.0).reshape(1, 2, 3), 1)
    tensor([[[2.5000]]])
    """
    check_tensors("adaptive_avg_pool2d", input=input)
    if output_size == 1 or (output_size in ((1, 1), [1, 1]) and input._array.ndim > 2):
        return mean(input, (-1, -2), True)
    sizes = read_output_size("adaptive_avg_pool2d", input, output_size)
    if sizes == [1, 1]:
        return mean(input, (-1, -2), True)
    down, across = (_window(*cut) for cut in zip(input._array.shape[-2:], sizes, strict=True))
    if down and across and input._array.dtype.itemsize >= 4:
        out = avg_pool2d(input, (down[0], across[0]), (down[1], across[1]))
        return pooled("adaptive_avg_pool2d", out, "AdaptiveAvgPool2DBackward0")
    x = through(input)
    out = _means_of_parts(_means_of_parts(x, -2, sizes[0]), -1, sizes[1])
    out = clone(out) if out is x else out
    return pooled("adaptive_avg_pool2d", out, "AdaptiveAvgPool2DBackward0")


@functools.cache
def _window(size: int, parts: int) -> Pair | None:
    """The kernel and the stride that cut a size into these parts; None where they differ."""
    bounds = _bounds(size, parts)
    lengths = {stop - start for start, stop in bounds}
    steps = {after - before for (before, _), (after, _) in itertools.pairwise(bounds)} or {1}
    if len(lengths) > 1 or len(steps) > 1 or not lengths or steps == {0}:
        return None
    return lengths.pop(), steps.pop()


def _means_of_parts(x: Tensor, dim: int, parts: int) -> Tensor:
    size = x._array.shape[dim]
    if size == parts:
        return x
    if parts == 0:
        return x.narrow(dim, 0, 0)
    return stack([mean(x.narrow(dim, a, b - a), dim) for a, b in _bounds(size, parts)], dim)


def adaptive_avg_pool1d(input: Tensor, output_size: Setting) -> Tensor:
    """`adaptive_avg_pool2d` for sequences (batch, channels, length)."""
    _check_sequences("adaptive_avg_pool1d", input)
    size = _single_int("adaptive_avg_pool1d", "output_size", output_size)
    return squeeze(adaptive_avg_pool2d(unsqueeze(input, -2), (1, size)), -2)


@primitive
def _place_of_part_max(input: Array, *, sizes: tuple[int, int]) -> Any:
    """where in each image the largest x of each part is, counted row by row"""
    height, width = input.shape[-2:]
    out = np.empty((*input.shape[:-2], *sizes), np.int64)
    for i, (top, bottom) in enumerate(_bounds(height, sizes[0])):
        for j, (left, right) in enumerate(_bounds(width, sizes[1])):
            part = input[..., top:bottom, left:right]
            part = part.reshape(*input.shape[:-2], (bottom - top) * (right - left))
            rows, columns = np.divmod(part.argmax(-1), right - left)
            out[..., i, j] = (top + rows) * width + left + columns
    return out


def adaptive_max_pool2d(
    input: Tensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest number of each of the parts that `adaptive_avg_pool2d` cuts images into.

    `return_indices` adds where in the image each number is, counted row by row.

    >>> torch.nn.functional.adaptive_max_pool2d(torch.arange(6.0).reshape(1, 2, 3), (1, 2))
    tensor([[[4., 5.]]])
    """
    down, across = read_output_size("adaptive_max_pool2d", input, output_size)
    indices = _place_of_part_max(input.detach(), sizes=(down, across))
    out = pooled("adaptive_max_pool2d", pick(input, indices), "AdaptiveMaxPool2DBackward0")
    return (out, indices) if return_indices else out


def adaptive_max_pool1d(input: Tensor, output_size: Setting) -> tuple[Tensor, Tensor]:
    """The largest number of each part of sequences (batch, channels, length), and where it is."""
    _check_sequences("adaptive_max_pool1d", input)
    size = _single_int("adaptive_max_pool1d", "output_size", output_size)
    values, indices = adaptive_max_pool2d(unsqueeze(input, -2), (1, size), True)
    return squeeze(values, -2), squeeze(indices, -2)
