"""Distances, and losses that ask for distances or differences of some size."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Array, Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_REDUCTIONS = ("mean", "sum", "none")


def _rows(make: Maker) -> tuple[int, ...]:
    """(n, features)"""
    return {"empty": (0, 3), "single": (1, 1)}.get(make.situation) or (make.integer(1, 4), 3)


def _numbers(make: Maker, shape: tuple[int, ...]) -> Array:
    """Numbers without ties, NaN and infinities, where distances have no second derivative."""
    usual = make.situation in ("halves", "special")
    maker = make.in_situation("ordinary") if usual else make
    return maker.array(shape, dtype=make.floating())


def _vectors(count: int, *, reduced: bool = False, **options: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        shape = _rows(make)
        chosen = {name: make.choice(*values) for name, values in options.items()}
        if reduced:
            chosen["reduction"] = make.choice(*_REDUCTIONS)
        return make.sample(*[_numbers(make, shape) for _ in range(count)], **chosen)

    return inputs


def _several(make: Maker) -> Sample:
    """At least two rows in one piece of memory: with others PyTorch's process dies."""
    x = make.in_situation("ordinary").array((make.integer(2, 4), 3), dtype=make.floating())
    return make.sample(x, make.choice(2.0, 1.0))


def _signed(count: int, flat: bool, **options: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    """Tensors, and for each number, or each row, a target of 1 or −1."""

    def inputs(make: Maker) -> Sample:
        shape = _rows(make)
        random = np.random.default_rng(make.seed())
        sign = random.choice([-1.0, 1.0], shape[:1] if flat else shape)
        target = Given(np.asarray(sign, make.floating()), False)
        chosen = {name: make.choice(*values) for name, values in options.items()}
        chosen["reduction"] = make.choice(*_REDUCTIONS)
        return make.sample(*[_numbers(make, shape) for _ in range(count)], target, **chosen)

    return inputs


def _classed(several: bool, **options: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    """Scores, and the class of each row, or several classes ended by −1."""

    def inputs(make: Maker) -> Sample:
        rows, classes = make.integer(1, 4), 3  # the mean over no row is any number in PyTorch
        random = np.random.default_rng(make.seed())
        target = random.integers(0, classes, rows)
        if several:
            target = np.full((rows, classes), -1)
            target[:, 0] = random.integers(0, classes, rows)
        chosen = {name: make.choice(*values) for name, values in options.items()}
        chosen["reduction"] = make.choice(*_REDUCTIONS)
        return make.sample(_numbers(make, (rows, classes)), target, **chosen)

    return inputs


def _likely(**options: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    """Predictions, and targets that require no gradient."""

    def inputs(make: Maker) -> Sample:
        shape = _rows(make)
        chosen = {name: make.choice(*values) for name, values in options.items()}
        chosen["reduction"] = make.choice(*_REDUCTIONS)
        target = np.abs(_numbers(make, shape))
        x = _numbers(make, shape)
        x = x if chosen.get("log_input", True) else np.abs(x)
        return make.sample(x, Given(target, False), **chosen)

    return inputs


def _with_variance(make: Maker) -> Sample:
    shape = _rows(make)
    x, y, variance = (_numbers(make, shape) for _ in range(3))
    full, reduction = make.flag(), make.choice(*_REDUCTIONS)
    return make.sample(x, y, np.abs(variance) + 1, full=full, reduction=reduction)


def _between(make: Maker) -> Sample:
    shape = _rows(make)
    anchor, positive, negative = (_numbers(make, shape) for _ in range(3))
    return make.sample(anchor, positive, negative, margin=make.choice(1.0, 5.0),
                       reduction=make.choice(*_REDUCTIONS))  # fmt: skip


def _loss(name: str, inputs: Any, *errors: Sample, **options: Any) -> Operation:
    chosen = {"second_order": True, **options}
    return Operation(f"nn.functional.{name}", inputs, ulp=32, gradient_ulp=128, scale="sight",
                     primitives=(), errors=errors, **chosen)  # fmt: skip


_text = sample("text")
_ONCE: dict[str, Any] = {"second_order": False}
"""PyTorch has no second derivative of these; here there is one."""

OPERATIONS = [
    _loss("normalize", _vectors(1, p=(2.0, 1.0), dim=(1, 0)), sample(_matrix, 2.0, 3)),
    _loss("cosine_similarity", _vectors(2, dim=(1, 0)), sample(_matrix, "text")),
    _loss("pairwise_distance", _vectors(2, p=(2.0, 1.0), keepdim=(False, True)),
          sample(_matrix, "text")),
    _loss("pdist", _several, sample(np.ones(2, np.float32)),
          sample(_matrix, -1.0), **_ONCE),
    _loss("margin_ranking_loss", _signed(2, False, margin=(0.0, 1.0)),
          sample(_matrix, _matrix, np.ones(2, np.float32))),
    _loss("hinge_embedding_loss", _signed(1, False, margin=(1.0, 2.0)), _text),
    _loss("soft_margin_loss", _signed(1, False), _text),
    _loss("cosine_embedding_loss", _signed(2, True, margin=(0.0, 0.5)),
          sample(_matrix, _matrix, _matrix)),
    _loss("multi_margin_loss", _classed(False, p=(1, 2), margin=(1.0, 0.5)),
          sample(_matrix, np.array([0, 3])), sample(_matrix, np.array([0, 1]), 3),
          **_ONCE),
    _loss("multilabel_margin_loss", _classed(True), sample(_matrix, np.array([0])), **_ONCE),
    _loss("multilabel_soft_margin_loss", _likely(), _text),
    _loss("poisson_nll_loss", _likely(log_input=(True, False), full=(False, True)), _text),
    _loss("gaussian_nll_loss", _with_variance,
          sample(_matrix, _matrix, -_matrix), sample(_matrix, _matrix, np.ones(4, np.float32))),
    _loss("triplet_margin_loss", _between, sample(_matrix, _matrix, np.ones(3, np.float32))),
    _loss("triplet_margin_with_distance_loss", _between,
          sample(_matrix, _matrix, np.ones(3, np.float32))),
]  # fmt: skip
