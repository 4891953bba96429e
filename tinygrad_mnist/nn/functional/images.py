"""Rearranging and resizing images: channels and pixels exchanged, scaling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import label, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.casting import made

__all__ = [
    "channel_shuffle",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]


def _check_images(name: str, input: Tensor, factor: int, what: str) -> None:
    check_tensors(name, input=input)
    if input.dim() < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {what}, but got {factor}")


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(…, c · r², h, w) as (…, c, h · r, w · r): each r × r pixels from as many channels.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network" (2016).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.pixel_shuffle(torch.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = upscale_factor
    _check_images("pixel_shuffle", input, r, "upscale_factor")
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    apart = input.reshape(*lead, channels // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    shape = (*lead, channels // (r * r), height * r, width * r)
    return label(apart.permute(order).reshape(shape), "PixelShuffleBackward0")


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(…, c, h · r, w · r) as (…, c · r², h, w): the inverse of `pixel_shuffle`."""
    r = downscale_factor
    _check_images("pixel_unshuffle", input, r, "downscale_factor")
    *lead, channels, height, width = input.shape
    for what, d, size in (("height", -2, height), ("width", -1, width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but "
                f"input.size({d})={size} is not divisible by {r}"
            )
    n = len(lead)
    apart = input.reshape(*lead, channels, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    shape = (*lead, channels * r * r, height // r, width // r)
    return label(apart.permute(order).reshape(shape), "PixelUnshuffleBackward0")


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of (n, channels, …) dealt out anew, one from each group in turn.

    Zhang et al., "ShuffleNet" (2018).
    """
    _check_images("channel_shuffle", input, 1, "groups")
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    channels = input.size(1)
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and "
            f"{groups} groups."
        )
    apart = input.reshape(input.size(0), groups, channels // groups, *input.shape[2:])
    return label(apart.transpose(1, 2).reshape(input.shape), "ChannelShuffleBackward0")


def _nearest(size: int, count: int, scale: float | None, exact: bool) -> Any:
    """Where each of `count` numbers comes from among `size`."""
    step = np.float32(size / count if scale is None else 1 / scale)
    places = np.arange(count, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return np.minimum((places * step).astype(np.int64), size - 1)


def _places(size: int, count: int, scale: float | None, align: bool, kind: Any) -> Any:
    """Where each of `count` numbers lies among `size`, between them and beyond."""
    order = np.arange(count, dtype=kind)
    if align:
        return order * kind.type((size - 1) / (count - 1) if count > 1 else 0)
    step = kind.type(size / count if scale is None else 1 / scale)
    return (order + kind.type(0.5)) * step - kind.type(0.5)


def _take(x: Tensor, dim: int, places: Any) -> Tensor:
    return x.index_select(dim, wrap(made(places)))


def _linear(x: Tensor, dim: int, count: int, scale: float | None, align: bool) -> Tensor:
    """`x` resized along one dimension, between its two nearest numbers."""
    size, kind = x.size(dim), x._array.dtype
    places = np.maximum(_places(size, count, scale, align, kind), 0)
    first = np.minimum(places.astype(np.int64), size - 1)
    second = np.minimum(first + 1, size - 1)
    share = wrap(made((places - first).astype(kind))).reshape(-1, *[1] * (x.dim() - dim - 1))
    return _take(x, dim, first) * (1 - share) + _take(x, dim, second) * share


_CUBIC = -0.75
"""How far the cubic curve dips below zero: PyTorch's choice of Keys's parameter."""


def _cubic(x: Tensor, dim: int, count: int, scale: float | None, align: bool) -> Tensor:
    """`x` resized along one dimension, by cubic curves through its four nearest numbers.

    Keys, "Cubic convolution interpolation for digital image processing" (1981).
    """
    size, kind, a = x.size(dim), x._array.dtype, _CUBIC
    places = _places(size, count, scale, align, kind)
    start = np.floor(places).astype(np.int64)
    far = places - start
    out = None
    for tap in range(-1, 3):
        d = np.abs(far - tap)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        share = np.where(d <= 1, near, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a)
        weight = wrap(made(share.astype(kind))).reshape(-1, *[1] * (x.dim() - dim - 1))
        term = _take(x, dim, np.clip(start + tap, 0, size - 1)) * weight
        out = term if out is None else out + term
    return out


def _read_size(
    input: Tensor, size: Any, factor: Any, recompute: bool | None
) -> tuple[list[int], list[Any]]:
    """The sizes of the result and the factors that count in placing pixels (None: by sizes)."""
    sizes = list(input.shape[2:])
    if size is not None and factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and factor is None:
        raise ValueError("either size or scale_factor should be defined")
    given = size if factor is None else factor
    values = list(given) if isinstance(given, tuple | list) else [given] * len(sizes)
    if len(values) != len(sizes):
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got "
            f"input with spatial dimensions of {sizes} and output size of {given}. "
            "Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            "output size in (o1, o2, ...,oK) format."
            if factor is None
            else "Input and scale_factor must have the same number of spatial dimensions, but "
            f"got input with spatial dimensions of {sizes} and scale_factor of shape {given}. "
            "Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            "scale_factor in (s1, s2, ...,sK) format."
        )
    if recompute and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if factor is None:
        return values, [None] * len(sizes)
    wanted = [math.floor(n * scale) for n, scale in zip(sizes, values, strict=True)]
    return wanted, [None] * len(sizes) if recompute else values


_BETWEEN = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
"""The modes that compute numbers between those given, and the dimensions that each is for."""
_TITLES = {
    "linear": "Linear",
    "bilinear": "Bilinear",
    "bicubic": "Bicubic",
    "trilinear": "Trilinear",
    "nearest": "Nearest",
    "nearest-exact": "NearestExact",
}


def _carried(mode: str, input: Tensor) -> bool:
    """Whether a mode is there for the input's dimensions and type."""
    if mode in _BETWEEN:
        return bool(_BETWEEN[mode] == input.dim() and input.is_floating_point())
    return input.dim() in ((3, 4) if mode == "area" else (3, 4, 5) if mode in _TITLES else ())


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(n, channels, length) or (n, channels, height, width) resized, to `size` or by a factor.

    `mode` is "nearest", "nearest-exact", "area" (means), "linear", "bilinear", "bicubic" or
    "trilinear"; with `align_corners` the outermost pixels keep their places. Raises ValueError
    for arguments that do not fit together, NotImplementedError for other modes and dimensions.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.interpolate(torch.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | "
            "bilinear | bicubic | trilinear"
        )
    wanted, scales = _read_size(
        input, size, scale_factor, recompute_scale_factor or (mode == "area" and size is None)
    )
    if antialias or not _carried(mode, input):
        raise NotImplementedError(
            f"interpolate(mode={mode!r}, antialias={antialias}) of {input.dim()} dimensions and "
            f'{input.dtype} is not supported: use "nearest", "area", or for floating-point '
            'numbers "linear" (3 dimensions), "bilinear" or "bicubic" (4) or "trilinear" (5)'
        )
    if min(wanted) <= 0:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{list(input.shape[2:])} output {wanted}"
        )
    if mode == "area":
        pool = adaptive_avg_pool1d if input.dim() == 3 else adaptive_avg_pool2d
        return pool(input, wanted)
    out = input
    for d, (count, scale) in enumerate(zip(wanted, scales, strict=True), 2):
        if mode in _BETWEEN:
            resized = _cubic if mode == "bicubic" else _linear
            out = resized(out, d, count, scale, bool(align_corners))
        else:
            out = _take(out, d, _nearest(input.size(d), count, scale, mode != "nearest"))
    return label(out, f"Upsample{_TITLES[mode]}{input.dim() - 2}DBackward0")


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode "nearest"."""
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode "bilinear", the corners aligned."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
