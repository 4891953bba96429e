"""Pooling of volumes (batch, channels, depth, height, width): of each slice, then of the slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented
from .arithmetic import div
from .convolution import Setting, Sizes, read_pair
from .pooling import (
    _check_windows,
    _count,
    _means_of_parts,
    _numbers_under,
    _place_of_max,
    _place_of_part_max,
    _reach,
    _window_sum,
    pick,
)

Windows = tuple[Sizes, Sizes, Sizes, Sizes, Sizes]


def _read_windows(
    name: str, input: Tensor, kernel: Setting, stride: Setting | None, padding: Setting,
    dilation: Setting, ceil_mode: bool,
) -> Windows:  # fmt: skip
    """Kernel, stride, padding, dilation and the result's sizes; PyTorch's errors."""
    check_tensors(name, input=input)
    given = {
        "kernel_size": kernel, "stride": kernel if stride is None or stride in ([], ()) else stride,
        "padding": padding, "dilation": dilation,
    }  # fmt: skip
    either = "either " * (name == "max_pool3d")
    for what, value in given.items():
        if isinstance(value, tuple | list) and len(value) not in (1, 3):
            be = "be omitted," if what == "stride" else "be"
            raise RuntimeError(
                f"{name}: {what} must {either}{be} a single int, or a tuple of three ints"
            )
    size, step, around, spread = (read_pair(what, value, 3) for what, value in given.items())
    shape = list(input._array.shape)
    if len(shape) not in (4, 5):
        raise RuntimeError("non-empty 4D or 5D (batch mode) tensor expected for input")
    if 0 in shape[-4:]:
        raise RuntimeError(
            f"{name}(): Expected input's non-batch dimensions to have positive length, but input "
            f"has a shape of {shape}"
        )
    for pair in ((0, 1), (1, 2)):
        _check_windows(*(tuple(each[d] for d in pair) for each in (size, step, around, spread)))  # type: ignore[arg-type]
    settings = zip(shape[-3:], size, spread, step, around, strict=True)
    counts = tuple([_count(n, d * (k - 1) + 1, s, p, ceil_mode) for n, k, d, s, p in settings])
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, shape[-4:]))}). Calculated output size: "
            f"({'x'.join(map(str, (shape[-4], *counts)))}). Output size is too small"
        )
    return size, step, around, spread, counts


def _largest(input: Tensor, inner: Any, of_slices: Any, name: str) -> tuple[Tensor, Tensor]:
    """The largest numbers of volumes, and where each is, from two steps that find places.

    `inner` finds them in each slice, `of_slices` then among slices laid out as rows.
    """
    x = input.detach()
    *lead, depth, height, width = x.shape
    place = inner(x)
    across = place.shape[-2:]
    rows = pick(x, place).reshape(*lead, depth, across.numel())
    chosen = of_slices(rows)
    count = chosen.shape[-2]
    flat = chosen.reshape(*lead, count * across.numel())
    spot = place.reshape(*lead, depth * across.numel()).gather(-1, flat)
    indices = (flat // across.numel() * (height * width) + spot).reshape(chosen.shape)
    out = pick(input.reshape(*lead, depth, height * width), indices)
    out, indices = (each.reshape(*lead, count, *across) for each in (out, indices))
    return named_as(out, name), indices


def max_pool3d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    dilation: Setting = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d` for volumes; indices count through the whole volume.

    >>> torch.max_pool3d(torch.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    tensor([[[[[7.]]]]])
    """
    k, s, p, d, n = _read_windows(
        "max_pool3d", input, kernel_size, stride, padding, dilation, ceil_mode
    )
    if input._array.dtype == bool:
        raise not_implemented("max_pool3d", input._array.dtype)

    def inner(x: Tensor) -> Tensor:
        return _place_of_max(
            x, kernel=k[1:], stride=s[1:], padding=p[1:], dilation=d[1:], counts=n[1:]
        )

    def of_slices(rows: Tensor) -> Tensor:
        return _place_of_max(
            rows, kernel=(k[0], 1), stride=(s[0], 1), padding=(p[0], 0), dilation=(d[0], 1),
            counts=(n[0], n[1] * n[2]),
        )  # fmt: skip

    out = _largest(input, inner, of_slices, "MaxPool3DWithIndicesBackward0")
    return out if return_indices else out[0]


def avg_pool3d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` for volumes.

    >>> torch.nn.functional.avg_pool3d(torch.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    tensor([[[[[3.5000]]]]])
    """
    k, s, p, _, n = _read_windows("avg_pool3d", input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    kind, sizes = input._array.dtype, input._array.shape[-3:]
    if kind.kind != "f" and kind.name != "int64":
        raise not_implemented("avg_pool3d_out_frame", kind)
    borders: Any = _reach(sizes[1:], k[1:], s[1:], p[1:], n[1:])  # type: ignore[arg-type]
    total = _window_sum(input, kernel=k[1:], stride=s[1:], borders=borders, counts=n[1:])
    lead, across = input.shape[:-3], n[1] * n[2]
    rows = total.reshape(*lead, sizes[0], across)
    kernel, stride_, counts = (k[0], 1), (s[0], 1), (n[0], across)
    borders = _reach((sizes[0], across), kernel, stride_, (p[0], 0), counts)
    total = _window_sum(rows, kernel=kernel, stride=stride_, borders=borders, counts=counts)
    divisor: Any = divisor_override
    if divisor is None:
        divisor = _numbers_under(sizes, k, s, p, n, count_include_pad, kind)
    rounding = None if kind.kind == "f" else "trunc"
    out = div(total.reshape(*lead, *n), divisor, rounding_mode=rounding)
    return named_as(out, "AvgPool3DBackward0")


def _read_output_size(name: str, input: Tensor, output_size: Any) -> list[int]:
    """The sizes of the result; PyTorch's errors."""
    check_tensors(name, input=input)
    shape = list(input._array.shape)
    if len(shape) not in (4, 5):
        raise RuntimeError(f"{name}(): Expected 4D or 5D tensor, but got {shape}")
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * 3
    if len(given) != 3:
        raise RuntimeError(f"{name}: output_size must be 3")
    for d in range(len(shape) - 4 + (len(shape) == 5), len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {shape} with dimension {d} being empty"
            )
    if input._array.dtype.kind != "f":
        raise not_implemented(name, input._array.dtype)
    sizes = [n if size is None else size for n, size in zip(shape[-3:], given, strict=True)]
    if min(sizes) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{sizes}"
        )
    return sizes


def adaptive_avg_pool3d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """`adaptive_avg_pool2d` for volumes."""
    out = input
    for dim, parts in enumerate(_read_output_size("adaptive_avg_pool3d", input, output_size), -3):
        out = _means_of_parts(out, dim, parts)
    return named_as(out.clone() if out is input else out, "AdaptiveAvgPool3DBackward0")


def adaptive_max_pool3d(
    input: Tensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` for volumes; indices count through the whole volume."""
    depth, *sizes = _read_output_size("adaptive_max_pool3d", input, output_size)

    def inner(x: Tensor) -> Tensor:
        return _place_of_part_max(x, sizes=tuple(sizes))

    def of_slices(rows: Tensor) -> Tensor:
        return _place_of_part_max(rows, sizes=(depth, rows.shape[-1]))

    out = _largest(input, inner, of_slices, "AdaptiveMaxPool3DBackward0")
    return out if return_indices else out[0]
