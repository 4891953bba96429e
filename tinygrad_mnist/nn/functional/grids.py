"""Images read at positions that are numbers themselves, and so have gradients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import reduce
from itertools import product
from operator import mul
from typing import Any

from tinygrad_mnist._tensor.creation import linspace
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.elementwise import floor, round
from tinygrad_mnist.ops.joining import stack

_CUBIC = -0.75
"""How far the cubic curve dips below zero: PyTorch's choice of Keys's parameter."""
_DEFAULT = (
    "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
    "Please specify align_corners=True if the old behavior is desired. See the documentation of "
    "grid_sample for details."
)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """For each pixel of images of a size (n, c, h, w), the place that a matrix sends it to.

    `theta` is (n, 2, 3), in coordinates from −1 to 1, the result (n, h, w, 2); for volumes
    (n, 3, 4) and (n, d, h, w, 3). With `align_corners` −1 is the middle of the first pixel, else
    its edge. Jaderberg et al., "Spatial transformer networks" (2015).

    >>> same = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> torch.nn.functional.affine_grid(same, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    if align_corners is None:
        warnings.warn(_DEFAULT, stacklevel=2)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    count = len(size) - 2
    if count not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (count, count + 1):
        raise ValueError(
            f"Expected a batch of {count}D affine matrices of shape Nx{count}x{count + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=2,
        )
    axes = []
    for i, n in enumerate(size[2:]):
        axis = linspace(-1, 1, n, dtype=theta.dtype) if n > 1 else theta.new_zeros(1)
        axis = axis if align_corners else axis * (n - 1) / n
        axes.append(axis.reshape(-1, *[1] * (count - 1 - i)).expand(*size[2:]))
    places = stack([*reversed(axes), axes[0].new_ones(()).expand(*size[2:])], -1)
    grid = places.reshape(1, -1, count + 1) @ theta.transpose(1, 2)
    return named_as(grid.reshape(size[0], *size[2:], count), "AffineGridGeneratorBackward0")


@in_float32
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """Images (n, c, h, w) read at the places of `grid` (n, rows, columns, 2), each (x, y).

    Or volumes (n, c, d, h, w) at (n, …, 3). Places are from −1 to 1 (see `affine_grid`). `mode` is
    "bilinear", "nearest" or "bicubic"; `padding_mode` says what lies outside: "zeros", "border",
    the outermost pixels, or "reflection".

    >>> image = torch.tensor([[[[0.0, 10.0]]]])
    >>> torch.nn.functional.grid_sample(image, torch.zeros(1, 1, 1, 2), align_corners=True)
    tensor([[[[5.]]]])
    """
    for name, value, known in (
        ("mode", mode, ("bilinear", "nearest", "bicubic")),
        ("padding_mode", padding_mode, ("zeros", "border", "reflection")),
    ):
        if value not in known:
            raise ValueError(
                f"nn.functional.grid_sample(): expected {name} to be one of {known}, but got: "
                f"{value!r}"
            )
    if align_corners is None:
        warnings.warn(_DEFAULT, stacklevel=2)
    check_tensors("grid_sampler", input=input, grid=grid)
    _check(input, grid, mode)
    taps: list[list[tuple[Tensor, Tensor | None]]] = []
    for i, size in enumerate(input.shape[2:]):
        c = grid[..., -1 - i]
        x = (c + 1) * ((size - 1) / 2) if align_corners else (c + 1) * (size / 2) - 0.5
        pad = lambda x, size=size: _padded(x, size, padding_mode, bool(align_corners))  # noqa: E731
        taps.append(_TAPS[mode](x, pad))
    flat = input.reshape(*input.shape[:2], math.prod(input.shape[2:]))
    out: Tensor | None = None
    for chosen in product(*taps):
        part = _read(flat, input.shape[2:], [place for place, _ in chosen])
        shares = [share for _, share in chosen if share is not None]
        if shares:
            part = part * reduce(mul, shares).unsqueeze(1)
        out = part if out is None else out + part
    assert out is not None
    return named_as(out, f"GridSampler{input.dim() - 2}DBackward0")


def _check(input: Tensor, grid: Tensor, mode: str) -> None:
    shapes = f"but got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    count = input.dim() - 2
    if input.dtype != grid.dtype:
        told = f"to have same dtype, but input has {input.dtype} and grid has {grid.dtype}"
    elif count not in (2, 3) or grid.dim() != input.dim():
        told = f"to be 4D or 5D, with same number of dimensions, {shapes}"
    elif input.size(0) != grid.size(0):
        told = f"to have same batch size, {shapes}"
    elif grid.size(-1) != count:
        told = f"to have {count} numbers for each place in grid, {shapes}"
    elif 0 in input.shape[2:]:
        told = f"to have non-empty spatial dimensions, {shapes}"
    elif mode == "bicubic" and count != 2:
        told = f"to be 4D in bicubic mode, {shapes}"
    else:
        return
    raise RuntimeError(f"grid_sampler(): expected input and grid {told}")


def _padded(x: Tensor, size: int, padding_mode: str, align: bool) -> Tensor:
    """The positions, those outside moved inside unless zeros lie there."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align else (-0.5, size)
        if span == 0:
            return x * 0
        away = (x - low).abs()
        flips = floor(away.detach() / span)
        beyond = away - flips * span
        x = where(flips % 2 == 0, beyond + low, span - beyond + low)
    inside = (x > 0) & (x < size - 1)
    return where(inside, x, where(x > 0, x.new_tensor(size - 1.0), x.new_tensor(0.0)))


def _nearest(x: Tensor, pad: Any) -> list[tuple[Tensor, Tensor | None]]:
    place = round(pad(x))
    return [(place.detach(), _no_change(place) if x.requires_grad else None)]


def _no_change(place: Tensor) -> Tensor:
    """Ones, whose gradient by the position is zero."""
    return where(place.isfinite(), place, place.new_tensor(0.0)) * 0 + 1


def _linear(x: Tensor, pad: Any) -> list[tuple[Tensor, Tensor | None]]:
    x = pad(x)
    first = floor(x.detach())
    share = x - first
    return [(first, 1 - share), (first + 1, share)]


def _cubic(x: Tensor, pad: Any) -> list[tuple[Tensor, Tensor | None]]:
    first, a = floor(x.detach()), _CUBIC
    taps: list[tuple[Tensor, Tensor | None]] = []
    for tap in range(-1, 3):
        d = (x - first) - tap if tap < 1 else tap - (x - first)
        near = tap in (0, 1)
        share = (
            ((a + 2) * d - (a + 3)) * d * d + 1 if near
            else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        )  # fmt: skip
        taps.append((round(pad(first + tap)), share))
    return taps


_TAPS = {"nearest": _nearest, "bilinear": _linear, "bicubic": _cubic}
"""For positions along a dimension, the pixels that count and the share of each."""


def _read(flat: Tensor, sizes: Sequence[int], places: Sequence[Tensor]) -> Tensor:
    """The pixels of images (n, c, pixels) at whole places, zero where there is none."""
    index: Any = 0
    valid: Any = None
    for place, size in zip(places, sizes, strict=True):
        here = (place >= 0) & (place <= size - 1)
        valid = here if valid is None else valid & here
        index = index * size + where(here, place, place.new_tensor(0.0)).long()
    n, channels, _ = flat.shape
    wanted = index.reshape(n, 1, math.prod(index.shape[1:])).expand(n, channels, -1)
    found = flat.gather(2, wanted).reshape(n, channels, *index.shape[1:])
    return where(valid.unsqueeze(1), found, found.new_tensor(0.0))
