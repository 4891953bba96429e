"""Images in other sizes, orders and pieces; pooling other than means over windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_image = np.ones((1, 2, 4, 4), np.float32)
_signal = np.ones((1, 2, 4), np.float32)
_matrix = np.ones((2, 3), np.float32)
_text = sample("text")


def _images(make: Maker, channels: int, *sizes: int) -> Any:
    """(n, channels, …); no image in the situation "empty"."""
    count = 0 if make.situation == "empty" else make.integer(1, 2)
    return make.array((count, channels, *sizes), dtype=make.floating())


def _squared(channels: int, height: int, *arguments: Any):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        return make.sample(_images(_present(make), channels, height, height), *arguments)

    return inputs


def _present(make: Maker) -> Maker:
    """PyTorch fails to go back to no image, and leaves out some products of 0 and infinity."""
    usual = make.situation in ("empty", "special")
    return make.in_situation("ordinary") if usual else make


def _resized(**options: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        x = _images(_present(make), 2, make.integer(1, 4), make.integer(1, 4))
        chosen = {name: make.choice(*values) for name, values in options.items()}
        if make.flag():
            return make.sample(x, size=make.choice(3, (2, 5)), **chosen)
        return make.sample(x, scale_factor=make.choice(2.0, 1.5), **chosen)

    return inputs


def _pieces(make: Maker) -> Sample:
    x = _images(make, 2, make.integer(3, 5), make.integer(3, 5))
    return make.sample(x, make.integer(1, 2), 1, make.integer(0, 1), make.integer(1, 2))


def _together(make: Maker) -> Sample:
    kernel = make.integer(1, 2)
    height, width = make.integer(kernel, 4), make.integer(kernel, 4)
    places = (height - kernel + 1) * (width - kernel + 1)
    return make.sample(_images(make, 2 * kernel * kernel, places), (height, width), kernel)


def _parts(count: int, *flags: Any):  # type: ignore[no-untyped-def]
    """Different numbers, so that the largest is one of them; and how many parts."""

    def inputs(make: Maker) -> Sample:
        x = _images(make, 2, *[make.integer(1, 5) for _ in range(count)])
        order = np.random.default_rng(make.seed()).permutation(x.size)
        x = np.asarray(order.reshape(x.shape) - x.size // 2).astype(x.dtype)
        return make.sample(x, make.integer(1, 3), *flags)

    return inputs


def _powers(count: int):  # type: ignore[no-untyped-def]
    """Positive numbers: a power of a negative one need not exist."""

    def inputs(make: Maker) -> Sample:
        maker = make if make.situation != "special" else make.in_situation("ordinary")
        x = np.abs(_images(maker, 2, *[4] * count)) + 1
        return make.sample(x, make.choice(2.0, 1.0, 3.0), make.integer(1, 2))

    return inputs


def _row(name: str, inputs: Any, *errors: Sample, **options: Any) -> Operation:
    chosen = {"primitives": (), "ulp": 16, "gradient_ulp": 64, "scale": "sight", **options}
    return Operation(f"nn.functional.{name}", inputs, errors=errors, **chosen)


_LARGEST = ("pick", "place_of_part_max", "put_back")

OPERATIONS = [
    _row("pixel_shuffle", _squared(8, 2, 2), sample(_image, 3), sample(_image, 0)),
    _row("pixel_unshuffle", _squared(2, 4, 2), sample(_image, 3)),
    _row("channel_shuffle", _squared(4, 2, 2), sample(_image, 3), sample(_image, 0)),
    _row("unfold", _pieces, sample(_image, 9), sample(_matrix, 1)),
    _row("fold", _together, sample(_signal, (2, 2), 3)),
    _row("interpolate", _resized(mode=("nearest", "bilinear", "bicubic", "nearest-exact")),
         sample(_image), sample(_image, 2, 2.0), sample(_image, 2, mode="most")),
    _row("upsample", _resized(mode=("nearest", "bilinear")), sample(_image)),
    _row("upsample_nearest", _resized(), sample(_image)),
    _row("upsample_bilinear", _resized(), sample(_image)),
    _row("adaptive_max_pool1d", _parts(1), sample(_matrix[0], 1), primitives=_LARGEST),
    _row("adaptive_max_pool2d", _parts(2, True), sample(_matrix, 1), primitives=_LARGEST),
    Operation("adaptive_max_pool1d", _parts(1), gradient_ulp=4, scale="terms",
              primitives=_LARGEST, errors=(sample(_matrix[0], 1),)),
    _row("lp_pool1d", _powers(1), sample(_signal, 2.0, 5)),
    _row("lp_pool2d", _powers(2), sample(_image, 2.0, 5)),
]  # fmt: skip
