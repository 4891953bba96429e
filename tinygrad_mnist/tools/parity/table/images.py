"""Convolutions, pooling and borders."""

from __future__ import annotations

from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_image = np.ones((1, 2, 4, 4), np.float32)
_signal = np.ones((1, 2, 4), np.float32)
_matrix = np.ones((2, 3), np.float32)


def _ones(*shape: int) -> Any:
    return np.ones(shape, np.float32)


def _pair(make: Maker, low: int, high: int, count: int) -> Any:
    """One number for all dimensions, or one for each."""
    if make.flag():
        return make.integer(low, high)
    return tuple(make.integer(low, high) for _ in range(count))


def _images(make: Maker, channels: int, count: int, low: int) -> Any:
    """(n, channels, …), or without n; the situations "empty" and "single" are about n."""
    sizes = tuple(make.integer(low, 6) for _ in range(count))
    lead = {"empty": (0,), "single": (1,)}.get(make.situation) or make.choice((), (1,), (2,))
    return make.array((*lead, channels, *sizes), dtype=make.floating())


def _convolved(count: int, transposed: bool = False):  # type: ignore[no-untyped-def]
    """Images, filters, perhaps biases, and how to slide."""

    def inputs(make: Maker) -> Sample:
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

    return inputs


def _pooled(count: int, distinct: bool = False, **flags: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    """Images, and windows that slide over them."""

    def inputs(make: Maker) -> Sample:
        x = _images(make, 2, count, 4)
        if distinct:
            order = np.random.default_rng(make.seed()).permutation(x.size)
            x = np.asarray(order.reshape(x.shape) - x.size // 2).astype(x.dtype)
        options: dict[str, Any] = {"kernel_size": _pair(make, 1, 3, count)}
        if make.flag():
            options["stride"] = _pair(make, 1, 3, count)
        size = options["kernel_size"]
        options["padding"] = make.integer(0, (size if isinstance(size, int) else min(size)) // 2)
        options |= {name: make.choice(*values) for name, values in flags.items()}
        return make.sample(x, **options)

    return inputs


def _resized(count: int):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        size = make.integer(1, 4) if count == 1 else _pair(make, 1, 4, 2)
        return make.sample(_images(make, 2, count, 1), size)

    return inputs


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


def _sums(name: str, inputs: Any, primitives: tuple[str, ...], *errors: Sample) -> Operation:
    """Sums of up to 36 products, added up in another order than PyTorch's."""
    return Operation(f"nn.functional.{name}", inputs, ulp=16, gradient_ulp=64, scale="terms",
                     primitives=primitives, errors=errors)  # fmt: skip


_CONVOLUTION = ("conv2d", "conv2d_input", "conv2d_weight")
_AVERAGES: dict[str, Any] = {"ceil_mode": (False, True), "count_include_pad": (True, False)}

OPERATIONS = [
    _sums("conv1d", _convolved(1), _CONVOLUTION, sample(_signal, _ones(1, 1, 2)),
          sample(_signal, _ones(2, 2, 5)), sample(_matrix[0], _ones(1, 2, 1))),
    _sums("conv2d", _convolved(2), _CONVOLUTION, sample(_image, _ones(1, 1, 2, 2)),
          sample(_image, _ones(1, 2, 5, 5)), sample(_image, _ones(1, 2, 1, 1), stride=0),
          sample(_image, _ones(1, 2, 2, 2), padding="same", stride=2),
          sample(_image, np.ones((1, 2, 1, 1))), sample(_image, _ones(1, 2, 1, 1), _ones(3))),
    _sums("conv_transpose1d", _convolved(1, True), _CONVOLUTION, sample(_signal, _ones(1, 1, 2)),
          sample(_signal, _ones(2, 1, 1), padding=2)),
    _sums("conv_transpose2d", _convolved(2, True), _CONVOLUTION,
          sample(_image, _ones(1, 1, 2, 2))),
    _sums("avg_pool1d", _pooled(1, **_AVERAGES), (), sample(_signal, 5), sample(_signal, 2, 1, 2)),
    _sums("avg_pool2d", _pooled(2, **_AVERAGES, divisor_override=(None, 3)),
          ("window_sum", "window_spread"),
          sample(_image, 5), sample(_image, 2, 1, 2), sample(_image, 0)),
    _sums("adaptive_avg_pool1d", _resized(1), (), sample(_matrix[0], 1), sample(_signal, -1)),
    _sums("adaptive_avg_pool2d", _resized(2), ("read",),
          sample(_matrix, 1), sample(_image, (1, -1))),
    *[Operation(f"nn.functional.max_pool{count}d",
                _pooled(count, True, ceil_mode=(False, True), dilation=(1, 2),
                        return_indices=(False, True)),
                ulp=0, gradient_ulp=4, scale="terms", primitives=("place_of_max", "gather"),
                errors=(sample(given, 5), sample(given, 2, 1, 2), sample(given, 0)))
      for count, given in ((1, _signal), (2, _image))],
    *[Operation(f"max_pool{count}d",
                _pooled(count, True, ceil_mode=(False, True), dilation=(1, 2)), gradient_ulp=4,
                scale="terms", primitives=("place_of_max", "gather"), errors=(sample(given, 5),))
      for count, given in ((1, _signal), (2, _image))],
    Operation("nn.functional.pad", _bordered, primitives=("index_put",),
              errors=(sample(_matrix, (1,)), sample(_matrix, (1,) * 6), sample(_matrix, (-2, -2)),
                      sample(_matrix, (1, 1), "text"))),
    Operation("nn.functional.pad in other modes", _mirrored,
              lambda t, x, borders, mode: t.nn.functional.pad(x, borders, mode), ulp=4,
              scale="terms", primitives=("index",),
              errors=(sample(_matrix, (3, 3), "reflect"), sample(_matrix, (4, 4), "circular"))),
]  # fmt: skip
