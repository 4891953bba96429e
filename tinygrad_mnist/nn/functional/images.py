"""Images: pixels rearranged, resized, cut into sliding windows, pooled by a norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.ops import pooling
from tinygrad_mnist.ops.arguments import check_tensors, not_implemented, read_dim
from tinygrad_mnist.ops.arranging import pad
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.convolution import read_pair
from tinygrad_mnist.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from tinygrad_mnist.ops.volumes import avg_pool3d, max_pool3d

Pair = int | Sequence[int]
"""A size in each dimension, or one for all."""
Scale = float | Sequence[float] | None


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
    return named_as(apart.permute(order).reshape(shape), "PixelShuffleBackward0")


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
    return named_as(apart.permute(order).reshape(shape), "PixelUnshuffleBackward0")


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
    return named_as(apart.transpose(1, 2).reshape(input.shape), "ChannelShuffleBackward0")


def _take_nearest(x: Tensor, dim: int, count: int, scale: float | None, exact: bool) -> Tensor:
    size = x.size(dim)
    step = np.float32(size / count if scale is None else 1 / scale)
    positions = np.arange(count, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return _take(x, dim, np.minimum((positions * step).astype(np.int64), size - 1))


def _positions(size: int, count: int, scale: float | None, align: bool, kind: Any) -> Any:
    """Where each of `count` numbers lies among `size`, between them and beyond."""
    order = np.arange(count, dtype=kind)
    if align:
        return order * kind.type((size - 1) / (count - 1) if count > 1 else 0)
    step = kind.type(size / count if scale is None else 1 / scale)
    return (order + kind.type(0.5)) * step - kind.type(0.5)


def _take(x: Tensor, dim: int, positions: Any, share: Any = None) -> Tensor:
    """The numbers of `x` at these positions along a dimension, each times its share."""
    taken = x.index_select(dim, wrap(note_constant(positions)))
    if share is None:
        return taken
    return taken * wrap(note_constant(share)).reshape(-1, *[1] * (x.dim() - dim - 1))


def _linear(x: Tensor, dim: int, count: int, scale: float | None, align: bool) -> Tensor:
    """`x` resized along one dimension, between its two nearest numbers."""
    size, kind = x.size(dim), x._array.dtype
    positions = np.maximum(_positions(size, count, scale, align, kind), 0)
    first = np.minimum(positions.astype(np.int64), size - 1)
    share = (positions - first).astype(kind)
    second = np.minimum(first + 1, size - 1)
    return _take(x, dim, first, 1 - share) + _take(x, dim, second, share)


_CUBIC = -0.75
"""How far the cubic curve dips below zero: PyTorch's choice of Keys's parameter."""


def _cubic(x: Tensor, dim: int, count: int, scale: float | None, align: bool) -> Tensor:
    """`x` resized along one dimension, by cubic curves through its four nearest numbers.

    Keys, "Cubic convolution interpolation for digital image processing" (1981).
    """
    size, kind, a = x.size(dim), x._array.dtype, _CUBIC
    positions = _positions(size, count, scale, align, kind)
    start = np.floor(positions).astype(np.int64)
    terms = []
    for tap in range(-1, 3):
        d = np.abs(positions - start - tap)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        share = np.where(d <= 1, near, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a).astype(kind)
        terms.append(_take(x, dim, np.clip(start + tap, 0, size - 1), share))
    return terms[0] + terms[1] + terms[2] + terms[3]


def _shares(size: int, count: int, scale: float | None, align: bool, cubic: bool) -> Any:
    """What each of `size` numbers gives to each of `count`: (count, size), rows that sum to 1.

    The curve, linear or cubic, is as wide as the numbers that fall together.
    """
    step = 1 / scale if scale is not None else size / count
    if align:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    reach = (2 if cubic else 1) * max(step, 1)
    centers = step * (np.arange(count)[:, None] + 0.5)
    order = np.arange(size)
    first = np.maximum((centers - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centers + reach + 0.5).astype(np.int64), size)
    d = np.abs((order - centers + 0.5) / max(step, 1))
    curve = np.maximum(1 - d, 0)
    if cubic:
        near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
        curve = np.where(d < 1, near, np.where(d < 2, far, 0))
    curve = np.where((first <= order) & (order < last), curve, 0)
    return curve / curve.sum(1, keepdims=True)


_SHARE = 2**15
"""What the share of a byte, as a whole number, stays below: PyTorch's choice."""


def _averaged(
    x: Tensor, dim: int, count: int, scale: float | None, align: bool, cubic: bool
) -> Tensor:
    """`x` resized along one dimension, each number a mean of many: bytes by whole numbers."""
    shares = _shares(x.size(dim), count, scale, align, cubic)
    last = x.transpose(dim, -1)
    if x.is_floating_point():
        given = wrap(note_constant(shares.astype(x._array.dtype)))
        return (last @ given.t()).transpose(dim, -1)
    bits = 0
    while bits < 22 and int(shares.max() * 2 ** (bits + 1) + 0.5) < _SHARE:
        bits += 1
    whole = np.trunc(shares * 2**bits + np.copysign(0.5, shares)).astype(np.int64)
    total = last.long() @ wrap(note_constant(whole)).t() + 2 ** (bits - 1)
    found: Tensor = total.div(2**bits, rounding_mode="floor").clamp(0, 255).byte()
    return found.transpose(dim, -1)


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
        name, kind, form = (
            ("output", "output size of", "output size in (o1, o2, ...,oK)")
            if factor is None
            else ("scale_factor", "scale_factor of shape", "scale_factor in (s1, s2, ...,sK)")
        )
        raise ValueError(
            f"Input and {name} must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {sizes} and {kind} {given}. Please provide input tensor in "
            f"(N, C, d1, d2, ...,dK) format and {form} format."
        )
    if recompute and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if factor is None:
        try:
            return [index(value) for value in values], [None] * len(sizes)
        except TypeError:
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, "
                f"int, int], but got size with types {[type(value) for value in values]}"
            ) from None
    if not all(abs(n * scale) < 2**63 for n, scale in zip(sizes, values, strict=True)):
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    wanted = [math.floor(n * scale) for n, scale in zip(sizes, values, strict=True)]
    return wanted, [None] * len(sizes) if recompute else values


_DIMENSIONS = {
    "nearest": (3, 4, 5), "nearest-exact": (3, 4, 5), "area": (3, 4),
    "linear": (3,), "bilinear": (4,), "bicubic": (4,), "trilinear": (5,),
}  # fmt: skip
"""The modes of interpolation, and the dimensions that each is for."""
_BETWEEN = {"linear": _linear, "bilinear": _linear, "bicubic": _cubic, "trilinear": _linear}
"""The modes that compute numbers between those given."""


def _resampled(
    x: Tensor, wanted: list[int], scales: list[Any], mode: str, align: bool, antialias: bool
) -> Tensor:
    """`x` resized along one dimension after the other; when averaged, along rows first."""
    order = list(zip(range(2, x.dim()), wanted, scales, strict=True))
    for d, count, scale in reversed(order) if antialias else order:
        if antialias:
            x = _averaged(x, d, count, scale, align, cubic=mode == "bicubic")
        elif mode in _BETWEEN:
            x = _BETWEEN[mode](x, d, count, scale, align)
        else:
            x = _take_nearest(x, d, count, scale, exact=mode == "nearest-exact")
    return x


def interpolate(
    input: Tensor, size: Pair | None = None, scale_factor: Scale = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """(n, channels, length) or (n, channels, height, width) resized, to `size` or by a factor.

    `mode` is "nearest", "nearest-exact", "area" (means), "linear", "bilinear", "bicubic" or
    "trilinear"; with `align_corners` the outermost pixels keep their positions. With `antialias`
    ("bilinear", "bicubic") pixels that fall together are averaged. Raises ValueError for arguments
    that do not fit together, NotImplementedError for other modes and dimensions.

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
    if antialias and (mode not in ("bilinear", "bicubic") or input.dim() != 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    smooth = input.is_floating_point() or (antialias and input._array.dtype == np.uint8)
    if input.dim() not in _DIMENSIONS.get(mode, ()) or (mode in _BETWEEN and not smooth):
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
    kind = input._array.dtype
    if kind.kind not in dtypes.FLOATS and kind != np.uint8:
        raise not_implemented("compute_indices_weights_nearest", kind)
    out = cast_to(input, dtypes.float32) if kind in dtypes.NARROW else input
    out = _resampled(out, wanted, scales, mode, bool(align_corners), antialias)
    title = f"{mode.title().replace('-', '')}{input.dim() - 2}D{'Aa' * antialias}"
    return named_as(cast_to(out, input.dtype), f"Upsample{title}Backward0")


def upsample(
    input: Tensor, size: Pair | None = None, scale_factor: Scale = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """`interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Pair | None = None, scale_factor: Scale = None) -> Tensor:
    """`interpolate` with mode "nearest"."""
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(
    input: Tensor, size: Pair | None = None, scale_factor: Scale = None
) -> Tensor:
    """`interpolate` with mode "bilinear", the corners aligned."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# Sliding windows


class _Windows:
    """Where the windows of a size lie on images of a size with borders."""

    def __init__(self, sizes: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> None:
        self.kernel: Any = read_pair("kernel_size", kernel)
        self.dilation: Any = read_pair("dilation", dilation)
        self.padding: Any = read_pair("padding", padding)
        self.stride: Any = read_pair("stride", stride)
        self._check()
        self.padded = tuple(n + 2 * p for n, p in zip(sizes, self.padding, strict=True))
        self.counts = tuple([
            (n - d * (k - 1) - 1) // s + 1
            for n, k, d, s in zip(
                self.padded, self.kernel, self.dilation, self.stride, strict=True
            )
        ])  # fmt: skip

    def _check(self) -> None:
        for name, short, values, least in (
            ("kernel size", "kernel", self.kernel, 1),
            ("dilation", "dilation", self.dilation, 1),
            ("stride", "stride", self.stride, 1),
            ("padding", "pad", self.padding, 0),
        ):
            if min(values) < least:
                rule = "non-negative" if least == 0 else "greater than zero"
                raise RuntimeError(
                    f"{name} should be {rule}, but got {short}_height: {values[0]} "
                    f"{short}_width: {values[1]}"
                )

    def __str__(self) -> str:
        return f"kernel_size={self.kernel}, dilation={self.dilation}, padding={self.padding}"

    def pixels(self) -> Tensor:
        """The pixels under each window, counted row by row: (window · counts), int64."""
        rows, columns = (
            (np.arange(k) * d)[:, None] + (np.arange(n) * s)[None, :]
            for k, d, n, s in zip(self.kernel, self.dilation, self.counts, self.stride, strict=True)
        )
        pixels = rows[:, None, :, None] * self.padded[1] + columns[None, :, None, :]
        return wrap(note_constant(pixels.reshape(-1)))


def unfold(
    input: Tensor, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1
) -> Tensor:
    """The numbers under each window of (n, channels, height, width) as a column.

    The result is (n, channels · window, windows). Raises RuntimeError when no window fits.

    >>> torch.nn.functional.unfold(torch.arange(4.0).reshape(1, 1, 2, 2), (1, 2))
    tensor([[[0., 2.],
             [1., 3.]]])
    """
    check_tensors("im2col", input=input)
    shape = list(input.shape)
    if len(shape) < 3:
        read_dim(len(shape), len(shape))
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {shape}"
        )
    if not input.is_floating_point() and input._array.dtype != bool:
        raise not_implemented("im2col_out_cpu", input._array.dtype)
    windows = _Windows(shape[-2:], kernel_size, dilation, padding, stride)
    if min(windows.counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(shape[-2:])}, {windows}, calculated "
            f"shape of the array of sliding blocks as {windows.counts}, but its components must "
            "be at least one."
        )
    (down, across), (high, wide) = windows.padding, windows.kernel
    padded = pad(input, (across, across, down, down)) if down or across else input
    flat = padded.reshape(*shape[:-2], math.prod(windows.padded))
    columns = flat.index_select(-1, windows.pixels())
    blocks = math.prod(windows.counts)
    out = columns.reshape(*shape[:-3], shape[-3] * high * wide, blocks)
    return named_as(out, "Im2ColBackward0")


def fold(
    input: Tensor, output_size: Pair, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0,
    stride: Pair = 1,
) -> Tensor:  # fmt: skip
    """The columns of `unfold` put back where they came from, numbers that meet added up.

    `input` is (n, channels · window, windows), the result (n, channels, *output_size). Raises
    RuntimeError when the sizes do not fit.
    """
    check_tensors("col2im", input=input)
    shape = list(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {shape}"
        )
    height, width = read_pair("output_size", output_size)
    windows = _Windows((height, width), kernel_size, dilation, padding, stride)
    size = windows.kernel[0] * windows.kernel[1]
    if shape[-2] % size:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={windows.kernel}."
        )
    down, across = windows.counts
    told = f"Given output_size={(height, width)}, {windows}, stride={windows.stride}, "
    if min(down, across) < 1:
        raise RuntimeError(
            f"{told}calculated shape of the array of sliding blocks as {windows.counts}, which is "
            "too small (non-positive)"
        )
    if shape[-1] != down * across:
        raise RuntimeError(
            f"{told}expected size of input's dimension 2 to match the calculated number of sliding "
            f"blocks {down} * {across} = {down * across}, but got input.size(2)={shape[-1]}."
        )
    lead = (*shape[:-2], shape[-2] // size)
    empty = input.new_zeros(*lead, math.prod(windows.padded))
    out = empty.index_add(-1, windows.pixels(), input.reshape(*lead, size * shape[-1]))
    (top, left) = windows.padding
    image = out.reshape(*lead, *windows.padded)[..., top : top + height, left : left + width]
    return named_as(image, "Col2ImBackward0")


# Pooling


_POOLS: dict[int, tuple[Any, Any]] = {
    1: (max_pool1d, avg_pool1d), 2: (max_pool2d, avg_pool2d), 3: (max_pool3d, avg_pool3d),
}  # fmt: skip


def _lp_pool(
    dims: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    largest, mean = _POOLS[dims]
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        found: Tensor = largest(input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode)
        return found * sign
    means: Tensor = mean(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    sizes = read_pair("kernel_size", kernel_size, dims) if dims > 1 else [kernel_size]
    count = sizes[0][0] if isinstance(sizes[0], tuple | list) else math.prod(sizes)
    return (means.sign() * means.abs().relu() * count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: int, stride: Pair | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """(Σ xᵖ)^(1 / p) under each window of (n, channels, length); p = ∞ is the largest |x|."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Pair, stride: Pair | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """(Σ xᵖ)^(1 / p) under each window of (n, channels, height, width).

    p = ∞ is the largest |x|.

    >>> torch.nn.functional.lp_pool2d(torch.tensor([[[3.0, 4.0]]]), 2, (1, 2))
    tensor([[[5.]]])
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def adaptive_max_pool1d(
    input: Tensor, output_size: Pair, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` for sequences (batch, channels, length)."""
    pair = pooling.adaptive_max_pool1d(input, output_size)
    return pair if return_indices else pair[0]


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Pair, stride: Pair | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """(Σ xᵖ)^(1 / p) under each window of (n, channels, depth, height, width)."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Pair, stride: Pair | None,
    padding: Pair, output_size: Sequence[int] | None,
) -> Tensor:  # fmt: skip
    """Zeros, and each number of the input at its index, counted through the last `dims` sizes."""
    kernel, step, around = (
        read_pair(name, given, dims)
        for name, given in (
            ("kernel_size", kernel_size),
            ("stride", kernel_size if stride is None else stride),
            ("padding", padding),
        )
    )
    settings = zip(input.shape[-dims:], kernel, step, around, strict=True)
    usual = [(n - 1) * s - 2 * p + k for n, k, s, p in settings]
    sizes = usual
    if output_size is not None:
        sizes = list(output_size)[-dims:]
        if len(output_size) not in (dims, dims + 2):
            raise ValueError(
                f"output_size should be a sequence containing {dims} or {dims + 2} elements, but "
                f"it has a length of '{len(output_size)}'"
            )
        for d, (size, n, s) in enumerate(zip(sizes, usual, step, strict=True)):
            if not n - s < size < n + s:
                raise ValueError(
                    f'invalid output_size "{sizes}" (dim {d} must be between {n - s} and {n + s})'
                )
    if indices.shape != input.shape:
        raise RuntimeError(
            f"Expected shape of indices to be: {list(input.shape)} but got: {list(indices.shape)}"
        )
    lead = input.shape[:-dims]
    count = math.prod(sizes)
    wrong = indices._array[(indices._array < 0) | (indices._array >= count)]
    if wrong.size:
        raise RuntimeError(
            f"Found an invalid max index: {wrong[0]} (output volumes are of size "
            f"{'x'.join(map(str, sizes))}"
        )
    places, numbers = (x.reshape(*lead, math.prod(x.shape[-dims:])) for x in (indices, input))
    out = input.new_zeros(*lead, count).scatter(-1, places, numbers).reshape(*lead, *sizes)
    return named_as(out, f"MaxUnpool{max(dims, 2)}DBackward0")


@in_float32
def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Pair, stride: Pair | None = None,
    padding: Pair = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """What `max_pool1d` kept, put back where it was, and zeros elsewhere."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


@in_float32
def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Pair, stride: Pair | None = None,
    padding: Pair = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """What `max_pool2d` kept, put back where it was, and zeros elsewhere.

    Raises ValueError for an `output_size` that pooling cannot come from, RuntimeError for indices
    outside it.

    >>> F = torch.nn.functional
    >>> values, indices = F.max_pool2d(torch.eye(2).reshape(1, 2, 2), 2, return_indices=True)
    >>> F.max_unpool2d(values, indices, 2)
    tensor([[[1., 0.],
             [0., 0.]]])
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


@in_float32
def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Pair, stride: Pair | None = None,
    padding: Pair = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """What `max_pool3d` kept, put back where it was, and zeros elsewhere."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
