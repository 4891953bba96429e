"""The functions of a network's layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)


def _ones(*shapes: tuple[int, ...]) -> Sample:
    return sample(*[np.ones(shape, np.float32) for shape in shapes])


def _affine(make: Maker) -> Sample:
    lead, kind = make.shape(0, 2), make.floating()
    n, m = make.integer(1, 4), make.integer(1, 4)
    operands = [make.array((*lead, n), dtype=kind), make.array((m, n), dtype=kind)]
    return make.sample(*operands, *([make.array((m,), dtype=kind)] if make.flag() else []))


def _squarable(make: Maker, shape: tuple[int, ...], kind: str) -> Any:
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


def _batch(make: Maker) -> Sample:
    """(n, channels, …), running statistics, perhaps a weight and a bias; in training or not.

    `eps` is not small, for the reason given above.
    """
    shape, kind = make.shape(2) or (2, 1), make.floating()
    channels = (shape[1],)
    training = make.flag()
    # Of their own memory: PyTorch writes them where numbers share a place, too.
    apart = make.in_situation("ordinary") if make.situation == "expanded" else make
    statistics = [Given(apart.array(channels, numbers, kind), False)
                  for numbers in ("unit", "positive")]  # fmt: skip
    options: dict[str, Any] = {"training": training, "momentum": make.choice(0.1, 0.5)}
    options["eps"] = make.choice(0.1, 1.0)
    if make.flag():
        options["weight"] = make.array(channels, dtype=kind)
        options["bias"] = make.array(channels, dtype=kind)
    return make.sample(_squarable(make, shape, kind), *statistics, **options)


def _looked_up(make: Maker) -> Sample:
    rows, kind = make.integer(1, 4), make.floating()
    random = np.random.default_rng(make.seed())
    index = np.asarray(random.integers(0, rows, make.shape()))
    options: dict[str, Any] = {}
    if make.flag():
        options["padding_idx"] = make.integer(-rows, rows - 1)
    weight = make.array((rows, make.integer(1, 3)), dtype=kind)
    # Where nothing is looked up, PyTorch fails to go backward.
    return make.sample(index, weight if index.size else Given(weight, False), **options)


def _classes(make: Maker) -> Sample:
    random = np.random.default_rng(make.seed())
    labels = np.asarray(random.integers(0, 4, make.shape()))
    return make.sample(labels, make.choice(-1, 4, 6) if labels.size else 4)


def _dropped(name: str) -> Any:
    def function(engine: Any, seed: int, *arguments: Any) -> Any:
        engine.manual_seed(seed)
        return getattr(engine.nn.functional, name)(*arguments), engine.rand(1)

    return function


def _to_drop(min_dims: int, max_dims: int) -> Any:
    def inputs(make: Maker) -> Sample:
        x = make.array(make.shape(min_dims, max_dims), dtype=make.floating())
        return make.sample(make.seed(), x, make.choice(0.5, 0.0, 1.0, 0.2), make.flag())

    return inputs


def _finite(make: Maker) -> Maker:
    """What lies near infinity or has no spread is decided by the order of the computation."""
    usual = make.situation in ("special", "halves", "expanded", "empty")
    return make.in_situation("ordinary") if usual else make


def _normalised_without_bias(make: Maker) -> Sample:
    given = _normalised(make)
    given.options.pop("bias", None)
    return given


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
    x, _ = given.arguments
    return make.sample(x, **given.options)


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
    return make.sample(*[maker.array(shape, dtype=kind) for _ in range(3)],
                       is_causal=make.flag())  # fmt: skip


OPERATIONS = [
    Operation("nn.functional.linear", _affine, ulp=4, scale="terms",
              errors=(_ones((2, 3), (2, 2)), _ones((2, 3), (2, 3), (3,)), sample(_matrix, "text"))),
    Operation("nn.functional.layer_norm", _normalised, ulp=16, scale="sight", primitives=(),
              errors=(sample(_matrix, (2,)), sample(_matrix, (3,), np.ones(2, np.float32)))),
    Operation("nn.functional.batch_norm", _batch, ulp=16, scale="sight", primitives=("add_bias",),
              errors=(_ones((2, 3), (2,), (2,)), _ones((3,), (3,), (3,)))),
    Operation("nn.functional.embedding", _looked_up, ulp=4, scale="terms", primitives=("index",),
              errors=(sample(np.array([5]), _matrix), sample(_matrix, _matrix))),
    Operation("nn.functional.one_hot", _classes, primitives=(),
              errors=(sample(np.array([4]), 3), sample(np.array([-1])), sample(_matrix))),
    Operation("nn.functional.dropout", _to_drop(0, 3), _dropped("dropout"), ulp=1, primitives=(),
              errors=(sample(0, _matrix, 1.5),)),
    Operation("nn.functional.dropout1d", _to_drop(2, 3), _dropped("dropout1d"), ulp=1,
              primitives=(), errors=(sample(0, _matrix, 1.5),)),
    Operation("nn.functional.dropout3d", _to_drop(4, 5), _dropped("dropout3d"), ulp=1,
              primitives=(), errors=(sample(0, _matrix, 1.5),)),
    *[Operation(f"nn.functional.{name}", _to_drop(2, 4), _dropped(name), ulp=8, scale="sight",
                primitives=(), errors=(sample(0, _matrix, 1.5),))
      for name in ("alpha_dropout", "feature_alpha_dropout")],
    Operation("nn.functional.gumbel_softmax", _to_choose, _dropped("gumbel_softmax"), ulp=32,
              scale="sight", primitives=(), errors=(sample(0, "text"),)),
    Operation("nn.functional.rms_norm", _normalised_without_bias, ulp=16, scale="sight",
              primitives=(), errors=(sample(_matrix, (2,)),)),
    Operation("nn.functional.group_norm", _grouped, ulp=32, gradient_ulp=128, scale="sight",
              primitives=(), errors=(sample(_matrix, 2), sample(_matrix[0], 1))),
    Operation("nn.functional.instance_norm", _instances, ulp=32, gradient_ulp=128, scale="sight",
              primitives=(), errors=(sample(_matrix[:, :, None]),)),
    Operation("nn.functional.local_response_norm", _neighbours, ulp=16, gradient_ulp=64,
              scale="sight", primitives=(), errors=(sample(_matrix, 2),)),
    Operation("nn.functional.bilinear", _two_sided, ulp=16, gradient_ulp=64, scale="terms",
              primitives=("mm",),
              errors=(_ones((2, 3), (2, 3), (4, 2, 2), (4,)),)),
    Operation("nn.functional.scaled_dot_product_attention", _attending, ulp=32, gradient_ulp=256,
              scale="sight", primitives=(), second_order=False,
              errors=(_ones((2, 3), (2, 3), (3, 3)),)),
    Operation("nn.functional.dropout2d", _to_drop(3, 4), _dropped("dropout2d"), ulp=1,
              primitives=(), errors=(sample(0, _matrix, 1.5),)),
]  # fmt: skip
