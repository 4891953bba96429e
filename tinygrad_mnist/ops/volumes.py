"""Pooling of volumes (batch, channels, depth, height, width): of each slice, then of the slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import not_implemented, with_out
from .arithmetic import div
from .convolution import Setting
from .pooling import (
    _means_of_parts,
    _numbers_under,
    _place_of_max,
    _place_of_part_max,
    _reach,
    _window_sum,
    pick,
    pooled,
    read_output_size,
    read_windows,
)


def _largest(input: Tensor, inner: Any, of_slices: Any) -> tuple[Tensor, Tensor]:
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
    indices = (flat // max(across.numel(), 1) * (height * width) + spot).reshape(chosen.shape)
    out = pick(input.reshape(*lead, depth, height * width), indices)
    out, indices = (each.reshape(*lead, count, *across) for each in (out, indices))
    return out, indices


@in_float32
def max_pool3d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    dilation: Setting = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d` for volumes; indices count through the whole volume.

    >>> torch.max_pool3d(torch.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    tensor([[[[[7.]]]]])
    """
    k, s, p, d, n = read_windows(
        "max_pool3d", input, kernel_size, stride, padding, dilation, ceil_mode
    )
    if input._array.dtype == bool:
        raise not_implemented("max_pool3d", input._array.dtype)

    out, indices = _largest(
        input,
        lambda x: _place_of_max(
            x, kernel=k[1:], stride=s[1:], padding=p[1:], dilation=d[1:], counts=n[1:]
        ),
        lambda rows: _place_of_max(
            rows, kernel=(k[0], 1), stride=(s[0], 1), padding=(p[0], 0), dilation=(d[0], 1),
            counts=(n[0], n[1] * n[2]),
        ),
    )  # fmt: skip
    out = named_as(out, "MaxPool3DWithIndicesBackward0")
    return (out, indices) if return_indices else out


@in_float32
@with_out
def avg_pool3d(
    input: Tensor, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` for volumes.

    >>> torch.nn.functional.avg_pool3d(torch.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    tensor([[[[[3.5000]]]]])
    """
    k, s, p, _, n = read_windows("avg_pool3d", input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    kind, sizes = input._array.dtype, input._array.shape[-3:]
    if kind.kind not in dtypes.FLOATS and kind.name != "int64":
        raise not_implemented("avg_pool3d_out_frame", kind)
    borders: Any = _reach(sizes[1:], k[1:], s[1:], p[1:], n[1:])
    total = _window_sum(input, kernel=k[1:], stride=s[1:], borders=borders, counts=n[1:], divisor=1)
    lead, across = input.shape[:-3], n[1] * n[2]
    rows = total.reshape(*lead, sizes[0], across)
    kernel, stride_, counts = (k[0], 1), (s[0], 1), (n[0], across)
    borders = _reach((sizes[0], across), kernel, stride_, (p[0], 0), counts)
    windows = {"kernel": kernel, "stride": stride_, "borders": borders, "counts": counts}
    total = _window_sum(rows, **windows, divisor=1)
    divisor: Any = divisor_override
    if divisor is None:
        divisor = _numbers_under(sizes, k, s, p, n, count_include_pad, kind)
    rounding = None if kind.kind in dtypes.FLOATS else "trunc"
    out = div(total.reshape(*lead, *n), divisor, rounding_mode=rounding)
    return named_as(out, "AvgPool3DBackward0")


@in_float32
def adaptive_avg_pool3d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """`adaptive_avg_pool2d` for volumes."""
    out = input
    for dim, parts in enumerate(read_output_size("adaptive_avg_pool3d", input, output_size), -3):
        out = _means_of_parts(out, dim, parts)
    out = out.clone() if out is input else out
    return pooled("adaptive_avg_pool3d", out, "AdaptiveAvgPool3DBackward0")


@in_float32
def adaptive_max_pool3d(
    input: Tensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` for volumes; indices count through the whole volume."""
    name = "adaptive_max_pool3d"
    depth, *sizes = read_output_size(name, input, output_size)
    out, indices = _largest(
        input,
        lambda x: _place_of_part_max(x, sizes=tuple(sizes)),
        lambda rows: _place_of_part_max(rows, sizes=(depth, rows.shape[-1])),
    )
    out = pooled(name, out, "AdaptiveMaxPool3DBackward0")
    return (out, indices) if return_indices else out
