"""The functions of a network's layers: linear, normalization, dropout, convolution, pooling."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import (
    SITUATIONS,
    Inputs,
    Maker,
    Sample,
    Shape,
    parametrized,
    sample,
)
from tinygrad_mnist.tools.parity.twins import Array, Given

from .families import MATRIX, all_ones, ones
from .operation import Operation

_VOLUME, _IMAGE, _SIGNAL = ones(1, 2, 4, 4, 4), ones(1, 2, 4, 4), ones(1, 2, 4)


def _row(name: str, inputs: Inputs, *errors: Sample, **options: Any) -> Operation:
    """Sums of many products, added up in another order than PyTorch's."""
    chosen = {"ulp": 16, "gradient_ulp": 64, "scale": "terms", "primitives": "", **options}
    return Operation(f"nn.functional.{name}", inputs, errors=errors, **chosen)


_in_sight = partial(_row, scale="sight")


# Convolutions, pooling and borders


def _pair(make: Maker, low: int, high: int, count: int) -> Any:
    """One number for all dimensions, or one for each."""
    if make.flag():
        return make.integer(low, high)
    return tuple(make.integer(low, high) for _ in range(count))


def _images(make: Maker, channels: int, count: int, low: int) -> Array:
    """(n, channels, …), or without n; the situations "empty" and "single" are about n."""
    sizes = tuple(make.integer(low, 6) for _ in range(count))
    lead = {"empty": (0,), "single": (1,)}.get(make.situation) or make.choice((), (1,), (2,))
    return make.array((*lead, channels, *sizes), dtype=make.floating())


@parametrized
def _convolved(make: Maker, count: int, transposed: bool = False) -> Sample:
    """Images, filters, perhaps biases, and how to slide."""
    groups, inner, outer = (make.integer(1, 2) for _ in range(3))
    kernel = [make.integer(1, 3) for _ in range(count)]
    ends = (groups * inner, outer) if transposed else (groups * outer, inner)
    kind = make.floating()
    x = _images(make, groups * inner, count, 5 if transposed else 2)
    arguments = [x, make.array((*ends, *kernel), dtype=kind)]
    if make.flag():
        arguments.append(make.array((groups * outer,), dtype=kind))
    options: dict[str, Any] = {
        "stride": _pair(make, 1, 3, count),
        "padding": _pair(make, 0, 2, count),
        "dilation": _pair(make, 1, 2, count),
        "groups": groups,
    }
    if not transposed and make.integer(0, 3) == 0:
        options |= {"padding": "same", "stride": 1}
    return make.sample(*arguments, **options)


def _shuffled(make: Maker, x: Array) -> Array:
    """Different numbers in the shape of `x`, so that the largest is one of them."""
    order = make.random().permutation(x.size)
    return np.asarray(order.reshape(x.shape) - x.size // 2).astype(x.dtype)


@parametrized
def _pooled(make: Maker, /, count: int, distinct: bool = False, **flags: tuple[Any, ...]) -> Sample:
    """Images, and windows that slide over them."""
    x = _images(make, 2, count, 4)
    if distinct:
        x = _shuffled(make, x)
    options: dict[str, Any] = {"kernel_size": _pair(make, 1, 3, count)}
    if make.flag():
        options["stride"] = _pair(make, 1, 3, count)
    size = options["kernel_size"]
    options["padding"] = make.integer(0, (size if isinstance(size, int) else min(size)) // 2)
    return make.sample(x, **options, **make.choices(flags))


@parametrized
def _averaged(make: Maker, count: int) -> Sample:
    """Images, and how many means to take."""
    size = make.integer(1, 4) if count == 1 else _pair(make, 1, 4, count)
    return make.sample(_images(make, 2, count, 1), size)


def _shuffled_averaged(make: Maker) -> Sample:
    x = _shuffled(make, _images(make, 2, 3, 1))
    return make.sample(x, _pair(make, 1, 3, 3), make.flag())


@parametrized
def _unpooled(make: Maker, count: int) -> Sample:
    """Numbers, a different place for each, and the windows they come from."""
    x = _images(make, 2, count, 2)
    lead, sizes = x.shape[:-count], x.shape[-count:]
    room = math.prod(sizes) * 2**count
    places = [make.random().permutation(room)[: math.prod(sizes)] for _ in range(math.prod(lead))]
    return make.sample(x, np.array(places, np.int64).reshape(x.shape), 2)


def _bordered(make: Maker) -> Sample:
    """A tensor, borders of some of its last dimensions, positive or negative, and a number."""
    x = make.array(make.shape(1))
    count = make.integer(0, x.ndim)
    borders = tuple(make.integer(0, 2) for _ in range(2 * count))
    if x.size and min(x.shape, default=0) > 1 and borders:
        borders = (-1, *borders[1:])
    return make.sample(x, borders, "constant", make.choice(None, 1, 2.0))


def _mirrored(make: Maker) -> Sample:
    """Sizes of 3 or 4, and borders that are smaller."""
    count = make.integer(1, 2)
    lead = (make.integer(1, 2),) * make.integer(1, 2)
    shape = (*lead, *[make.integer(3, 4) for _ in range(count)])
    borders = tuple(make.integer(0, 2) for _ in range(2 * count))
    x = make.array(shape, dtype=make.floating())
    return make.sample(x, borders, make.choice("reflect", "replicate", "circular"))


_convolution = partial(_row, primitives="conv2d conv2d_input conv2d_weight")
_FINITE = tuple(each for each in SITUATIONS if each != "special")
"""Volumes meet their borders' zeros in another order: infinite numbers become NaN elsewhere."""
_AVERAGES: dict[str, Any] = {"ceil_mode": (False, True), "count_include_pad": (True, False)}
_MAXIMA: dict[str, Any] = {"ceil_mode": (False, True), "dilation": (1, 2)}
_max_pool = partial(Operation, gradient_ulp=4, scale="terms", primitives="place_of_max gather")

_IMAGES = [
    _convolution("conv1d", _convolved(1), sample(_SIGNAL, ones(1, 1, 2)),
                 sample(_SIGNAL, ones(2, 2, 5)), sample(MATRIX[0], ones(1, 2, 1))),
    _convolution("conv2d", _convolved(2), sample(_IMAGE, ones(1, 1, 2, 2)),
                 sample(_IMAGE, ones(1, 2, 5, 5)), sample(_IMAGE, ones(1, 2, 1, 1), stride=0),
                 sample(_IMAGE, ones(1, 2, 2, 2), padding="same", stride=2),
                 sample(_IMAGE, np.ones((1, 2, 1, 1))), sample(_IMAGE, ones(1, 2, 1, 1), ones(3)),
                 primitives="conv2d conv2d_input conv2d_weight add_bias"),
    _convolution("conv_transpose1d", _convolved(1, True), sample(_SIGNAL, ones(1, 1, 2)),
                 sample(_SIGNAL, ones(2, 1, 1), padding=2)),
    _convolution("conv_transpose2d", _convolved(2, True), sample(_IMAGE, ones(1, 1, 2, 2))),
    _row("avg_pool1d", _pooled(1, **_AVERAGES), sample(_SIGNAL, 5), sample(_SIGNAL, 2, 1, 2)),
    _row("avg_pool2d", _pooled(2, **_AVERAGES, divisor_override=(None, 3)), sample(_IMAGE, 5),
         sample(_IMAGE, 2, 1, 2), sample(_IMAGE, 0), primitives="window_sum window_spread"),
    _row("adaptive_avg_pool1d", _averaged(1), sample(MATRIX[0], 1), sample(_SIGNAL, -1)),
    _row("adaptive_avg_pool2d", _averaged(2), sample(MATRIX, 1), sample(_IMAGE, (1, -1)),
         primitives="through"),
    _convolution("conv3d", _convolved(3), sample(_VOLUME, ones(1, 1, 2, 2, 2)),
                 sample(_VOLUME, ones(1, 2, 5, 5, 5)), sample(_IMAGE[0, 0], ones(1, 2, 1, 1, 1)),
                 situations=_FINITE),
    _convolution("conv_transpose3d", _convolved(3, transposed=True),
                 sample(_VOLUME, ones(3, 1, 2, 2, 2)), situations=_FINITE),
    _row("avg_pool3d", _pooled(3, **_AVERAGES, divisor_override=(None, 3)), sample(_IMAGE[0, 0], 2),
         sample(_VOLUME, 2, 1, 2), sample(_VOLUME, 2, 0)),
    _row("adaptive_avg_pool3d", _averaged(3), sample(_VOLUME, (1, 1))),
    _max_pool("nn.functional.adaptive_max_pool3d", _shuffled_averaged, primitives="",
              errors=(sample(_IMAGE[0], 1), sample(_VOLUME, -1))),
    *[_max_pool(f"nn.functional.max_unpool{count}d", _unpooled(count), primitives="", errors=(
        sample(given, np.full(given.shape, 99), 2), sample(given, np.zeros((1, 1), int), 2)))
      for count, given in ((1, _SIGNAL), (2, _IMAGE), (3, _VOLUME))],
    *[_max_pool(name, _pooled(3, True, **_MAXIMA), primitives="",
                errors=(sample(_VOLUME, 5), sample(_VOLUME, 2, 1, 2), sample(_VOLUME, 2, 0)))
      for name in ("nn.functional.max_pool3d", "max_pool3d")],
    *[_max_pool(f"nn.functional.max_pool{count}d",
                _pooled(count, True, **_MAXIMA, return_indices=(False, True)),
                errors=(sample(given, 5), sample(given, 2, 1, 2), sample(given, 0)))
      for count, given in ((1, _SIGNAL), (2, _IMAGE))],
    *[_max_pool(f"max_pool{count}d", _pooled(count, True, **_MAXIMA), errors=(sample(given, 5),))
      for count, given in ((1, _SIGNAL), (2, _IMAGE))],
    Operation("nn.functional.pad", _bordered, primitives="index_put",
              errors=(sample(MATRIX, (1,)), sample(MATRIX, (1,) * 6), sample(MATRIX, (-2, -2)),
                      sample(MATRIX, (1, 1), "text"))),
    Operation("nn.functional.pad in other modes", _mirrored,
              lambda t, x, borders, mode: t.nn.functional.pad(x, borders, mode), ulp=4,
              scale="terms", primitives="index",
              errors=(sample(MATRIX, (3, 3), "reflect"), sample(MATRIX, (4, 4), "circular"))),
]  # fmt: skip


# Images in other sizes, orders and pieces; pooling other than means over windows


def _sized(make: Maker, channels: int, *sizes: int) -> Array:
    """(n, channels, …); no image in the situation "empty"."""
    count = 0 if make.situation == "empty" else make.integer(1, 2)
    return make.array((count, channels, *sizes), dtype=make.floating())


def _present(make: Maker) -> Maker:
    """PyTorch fails to go back to no image, and leaves out some products of 0 and infinity."""
    return make.ordinary_in("empty", "special")


@parametrized
def _squared(make: Maker, channels: int, height: int, *arguments: Any) -> Sample:
    return make.sample(_sized(_present(make), channels, height, height), *arguments)


@parametrized
def _resized(make: Maker, /, **options: tuple[Any, ...]) -> Sample:
    x = _sized(_present(make), 2, make.integer(1, 4), make.integer(1, 4))
    chosen = make.choices(options)
    if make.flag():
        return make.sample(x, size=make.choice(3, (2, 5)), **chosen)
    return make.sample(x, scale_factor=make.choice(2.0, 1.5), **chosen)


def _pieces(make: Maker) -> Sample:
    x = _sized(make, 2, make.integer(3, 5), make.integer(3, 5))
    return make.sample(x, make.integer(1, 2), 1, make.integer(0, 1), make.integer(1, 2))


def _together(make: Maker) -> Sample:
    kernel = make.integer(1, 2)
    height, width = make.integer(kernel, 4), make.integer(kernel, 4)
    places = (height - kernel + 1) * (width - kernel + 1)
    return make.sample(_sized(make, 2 * kernel * kernel, places), (height, width), kernel)


@parametrized
def _parts(make: Maker, count: int, *flags: Any) -> Sample:
    """Images of different numbers, and how many parts."""
    x = _shuffled(make, _sized(make, 2, *[make.integer(1, 5) for _ in range(count)]))
    return make.sample(x, make.integer(1, 3), *flags)


@parametrized
def _powers(make: Maker, count: int) -> Sample:
    """Positive numbers: a power of a negative one need not exist."""
    x = np.abs(_sized(make.ordinary_in("special"), 2, *[4] * count)) + 1
    return make.sample(x, make.choice(2.0, 1.0, 3.0), make.integer(1, 2))


def _sent(make: Maker) -> Sample:
    """Matrices, and the size of what they send."""
    count, kind, n = make.integer(2, 3), make.floating(), make.integer(1, 2)
    matrices = make.array((n, count, count + 1), dtype=kind)
    size = (n, 1, *[make.integer(1, 3) for _ in range(count)])
    return make.sample(matrices, size, align_corners=make.flag() and min(size[2:]) > 1)


def _read_at(make: Maker) -> Sample:
    """Images, and places in them and beside them, none exactly on a pixel or between two."""
    make, count = _present(make), make.integer(2, 3)
    x = _sized(make, 2, *[make.integer(1, 4) for _ in range(count)])
    places = make.random().uniform(-1.3, 1.3, (len(x), *[2] * count, count)).astype(x.dtype)
    mode = make.choice("bilinear", "nearest", "bicubic" if count == 2 else "nearest")
    outside = make.choice("zeros", "border", "reflection")
    return make.sample(x, places, mode, outside, align_corners=make.flag())


_PLACES = np.zeros((1, 1, 1, 2))
_LARGEST = "pick place_of_part_max put_back"

_RESAMPLING = [
    _in_sight("pixel_shuffle", _squared(8, 2, 2), sample(_IMAGE, 3), sample(_IMAGE, 0)),
    _in_sight("pixel_unshuffle", _squared(2, 4, 2), sample(_IMAGE, 3)),
    _in_sight("channel_shuffle", _squared(4, 2, 2), sample(_IMAGE, 3), sample(_IMAGE, 0)),
    _in_sight("unfold", _pieces, sample(_IMAGE, 9), sample(MATRIX, 1)),
    _in_sight("fold", _together, sample(_SIGNAL, (2, 2), 3)),
    _in_sight("interpolate", _resized(mode=("nearest", "bilinear", "bicubic", "nearest-exact")),
              sample(_IMAGE), sample(_IMAGE, 2, 2.0), sample(_IMAGE, 2, mode="most")),
    _in_sight("upsample", _resized(mode=("nearest", "bilinear")), sample(_IMAGE)),
    _in_sight("upsample_nearest", _resized(), sample(_IMAGE)),
    _in_sight("upsample_bilinear", _resized(), sample(_IMAGE)),
    _in_sight("affine_grid", _sent, sample(MATRIX, (1, 1, 2, 2)), sample(MATRIX, (1, 2))),
    _in_sight("grid_sample", _read_at, sample(_IMAGE, MATRIX), sample(_IMAGE, _PLACES, "most"),
              sample(_IMAGE, _PLACES, padding_mode="most"), sample(_VOLUME, _PLACES)),
    _in_sight("adaptive_max_pool1d", _parts(1), sample(MATRIX[0], 1), primitives=_LARGEST),
    _in_sight("adaptive_max_pool2d", _parts(2, True), sample(MATRIX, 1), primitives=_LARGEST),
    Operation("adaptive_max_pool1d", _parts(1), gradient_ulp=4, scale="terms",
              primitives=_LARGEST, errors=(sample(MATRIX[0], 1),)),
    _in_sight("lp_pool1d", _powers(1), sample(_SIGNAL, 2.0, 5)),
    _in_sight("lp_pool2d", _powers(2), sample(_IMAGE, 2.0, 5)),
    _in_sight("lp_pool3d", _powers(3), sample(_VOLUME, 2.0, 2, 0)),
]  # fmt: skip


# Linear layers, normalization, embeddings, dropout, attention


def _affine(make: Maker) -> Sample:
    lead, kind = make.shape(0, 2), make.floating()
    n, m = make.integer(1, 4), make.integer(1, 4)
    operands = [make.array((*lead, n), dtype=kind), make.array((m, n), dtype=kind)]
    return make.sample(*operands, *([make.array((m,), dtype=kind)] if make.flag() else []))


def _squarable(make: Maker, shape: Shape, kind: str) -> Array:
    """Numbers whose squares do not overflow.

    Otherwise the order of the computation decides between infinity and NaN.
    """
    x = make.array(shape, dtype=kind)
    large = np.isfinite(x) & (np.abs(x) > 1e18)
    return np.where(large, np.asarray(7, x.dtype), x) if large.any() else x


def _normalised(make: Maker) -> Sample:
    """A tensor, its last dimensions, and perhaps a weight and a bias for these.

    Where all numbers are equal, rounding is multiplied by 1/√eps: so eps is not small here.
    """
    shape, kind = make.shape(1) or (1,), make.floating()
    inner = shape[make.integer(0, len(shape) - 1) :]
    options: dict[str, Any] = {"eps": make.choice(0.1, 1.0)}
    if make.flag():
        options["weight"] = make.array(inner, dtype=kind)
        if make.flag():
            options["bias"] = make.array(inner, dtype=kind)
    return make.sample(_squarable(make, shape, kind), inner, **options)


def _normalised_without_bias(make: Maker) -> Sample:
    given = _normalised(make)
    given.options.pop("bias", None)
    return given


def _batch(make: Maker) -> Sample:
    """(n, channels, …), running statistics, perhaps a weight and a bias; in training or not.

    `eps` is not small, for the reason given above.
    """
    shape, kind = make.shape(2) or (2, 1), make.floating()
    channels = (shape[1],)
    training = make.flag()
    # Of their own memory: PyTorch writes them where numbers share a place, too.
    apart = make.ordinary_in("expanded")
    statistics = [Given(apart.array(channels, numbers, kind), False)
                  for numbers in ("unit", "positive")]  # fmt: skip
    options = {"training": training, **make.choices({"momentum": (0.1, 0.5), "eps": (0.1, 1.0)})}
    if make.flag():
        options |= {name: make.array(channels, dtype=kind) for name in ("weight", "bias")}
    return make.sample(_squarable(make, shape, kind), *statistics, **options)


def _looked_up(make: Maker) -> Sample:
    count, kind = make.integer(1, 4), make.floating()
    index = np.asarray(make.random().integers(0, count, make.shape()))
    options = {"padding_idx": make.integer(-count, count - 1)} if make.flag() else {}
    weight = make.array((count, make.integer(1, 3)), dtype=kind)
    # Where nothing is looked up, PyTorch fails to go backward.
    return make.sample(index, weight if index.size else Given(weight, False), **options)


def _classes(make: Maker) -> Sample:
    labels = np.asarray(make.random().integers(0, 4, make.shape()))
    return make.sample(labels, make.choice(-1, 4, 6) if labels.size else 4)


def _dropped(name: str, engine: Any, seed: int, *arguments: Any) -> Any:
    """The call after `manual_seed`, and the number that is drawn next."""
    engine.manual_seed(seed)
    return getattr(engine.nn.functional, name)(*arguments), engine.rand(1)


@parametrized
def _to_drop(make: Maker, min_dims: int, max_dims: int) -> Sample:
    x = make.array(make.shape(min_dims, max_dims), dtype=make.floating())
    return make.sample(make.seed(), x, make.choice(0.5, 0.0, 1.0, 0.2), make.flag())


def _finite(make: Maker) -> Maker:
    """What lies near infinity or has no spread is decided by the order of the computation."""
    return make.ordinary_in("special", "halves", "expanded", "empty")


def _to_choose(make: Maker) -> Sample:
    x = _finite(make).array((2, 3), dtype=make.floating())
    return make.sample(make.seed(), x, make.choice(1.0, 0.5))


def _grouped(make: Maker) -> Sample:
    maker = _finite(make)
    x = maker.array((make.integer(1, 3), 4, make.integer(2, 3)), dtype=make.floating())
    options: dict[str, Any] = {"eps": 0.1}
    if make.flag():
        options |= {name: maker.array((4,), dtype=x.dtype) for name in ("weight", "bias")}
    return make.sample(x, make.choice(1, 2), **options)


def _instances(make: Maker) -> Sample:
    given = _grouped(make)
    return make.sample(given.arguments[0], **given.options)


def _neighbours(make: Maker) -> Sample:
    x = _finite(make).array((make.integer(1, 2), make.integer(1, 4), 3), dtype=make.floating())
    return make.sample(x, make.integer(1, 3), make.choice(1e-4, 0.5))


def _two_sided(make: Maker) -> Sample:
    lead, kind = make.shape(0, 2), make.floating()
    sizes = [(*lead, 2), (*lead, 3), (4, 2, 3), (4,)]
    return make.sample(*[_finite(make).array(size, dtype=kind) for size in sizes])


def _attending(make: Maker) -> Sample:
    maker, kind = _finite(make), make.floating()
    shape = (make.integer(1, 2), make.integer(1, 4), 3)
    vectors = [maker.array(shape, dtype=kind) for _ in range(3)]
    if make.flag():
        return make.sample(*vectors, is_causal=make.flag())
    lengths = shape[1], shape[1]
    mask = make.random().random(lengths) < 0.5
    return make.sample(*vectors, mask if make.flag() else maker.array(lengths, dtype=kind))


def _with_heads(make: Maker) -> Sample:
    """Sequences, the parameters of two heads, and perhaps masks that leave each the first key."""
    maker, kind = _finite(make), make.floating()
    queries, keys, batch = (make.integer(1, 3) for _ in range(3))
    vectors = [maker.array((n, batch, 4), dtype=kind) for n in (queries, keys, keys)]
    weight, bias, out, shift = (
        maker.array(shape, dtype=kind) for shape in ((12, 4), (12,), (4, 4), (4,))
    )
    options: dict[str, Any] = {"need_weights": make.flag()}
    if make.flag():
        options["attn_mask"] = np.triu(np.ones((queries, keys), bool), 1)
        options["is_causal"] = make.flag()
    if make.flag():
        options["key_padding_mask"] = np.arange(keys)[None, :] > np.arange(batch)[:, None]
    settings = 4, 2, weight, bias, None, None, make.flag(), 0.0, out, shift
    return make.sample(*vectors, *settings, **options)


def _dropout(name: str, inputs: Inputs, *errors: Sample, **options: Any) -> Operation:
    chosen = {"ulp": 1, "primitives": "", "errors": errors or (sample(0, MATRIX, 1.5),), **options}
    return Operation(f"nn.functional.{name}", inputs, partial(_dropped, name), **chosen)


_LAYERS = [
    _row("linear", _affine, all_ones((2, 3), (2, 2)), all_ones((2, 3), (2, 3), (3,)),
         sample(MATRIX, "text"), ulp=4, gradient_ulp=None, primitives=None),
    _in_sight("layer_norm", _normalised, sample(MATRIX, (2,)), sample(MATRIX, (3,), ones(2)),
              gradient_ulp=None, primitives="normalised normalised_backward"),
    _in_sight("batch_norm", _batch, all_ones((2, 3), (2,), (2,)), all_ones((3,), (3,), (3,)),
              gradient_ulp=None, primitives="normalised normalised_backward"),
    _row("embedding", _looked_up, sample(np.array([5]), MATRIX), sample(MATRIX, MATRIX),
         ulp=4, gradient_ulp=None, primitives="index"),
    Operation("nn.functional.one_hot", _classes, primitives="",
              errors=(sample(np.array([4]), 3), sample(np.array([-1])), sample(MATRIX))),
    _dropout("dropout", _to_drop(0, 3)),
    _dropout("dropout1d", _to_drop(2, 3)),
    _dropout("dropout2d", _to_drop(3, 4)),
    _dropout("dropout3d", _to_drop(4, 5)),
    _dropout("alpha_dropout", _to_drop(2, 4), ulp=8, scale="sight"),
    _dropout("feature_alpha_dropout", _to_drop(2, 4), ulp=8, scale="sight"),
    _dropout("gumbel_softmax", _to_choose, sample(0, "text"), ulp=32, scale="sight"),
    _in_sight("rms_norm", _normalised_without_bias, sample(MATRIX, (2,)), gradient_ulp=None),
    _in_sight("group_norm", _grouped, sample(MATRIX, 2), sample(MATRIX[0], 1), ulp=32,
              gradient_ulp=128),
    _in_sight("instance_norm", _instances, sample(MATRIX[:, :, None]), ulp=32, gradient_ulp=128),
    _in_sight("local_response_norm", _neighbours, sample(MATRIX, 2)),
    _row("bilinear", _two_sided, all_ones((2, 3), (2, 3), (4, 2, 2), (4,)), primitives="mm"),
    _in_sight("scaled_dot_product_attention", _attending, all_ones((2, 3), (2, 3), (3, 3)), ulp=32,
              gradient_ulp=256, second_order=False),
    _in_sight("multi_head_attention_forward", _with_heads,
              sample(*[ones(2, 1, 4)] * 3, 5, 1, *all_ones((12, 4), (12,)).arguments, None, None,
                     False, 0.0, *all_ones((4, 4), (4,)).arguments), ulp=64, gradient_ulp=512,
              second_order=False),
]  # fmt: skip

OPERATIONS = [*_IMAGES, *_RESAMPLING, *_LAYERS]
