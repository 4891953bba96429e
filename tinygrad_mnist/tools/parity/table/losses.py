"""Losses other than those of class labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_REDUCTIONS = ("mean", "sum", "none")
_ERRORS = (sample(_matrix, _matrix, reduction="most"), sample(_matrix, np.ones((3, 2), np.float32)))


def _distance(**options: tuple[Any, ...]):  # type: ignore[no-untyped-def]
    """Two tensors of one shape and dtype, and how to reduce."""

    def inputs(make: Maker) -> Sample:
        shape, kind = make.shape(), make.dtype()
        chosen = {name: make.choice(*values) for name, values in options.items()}
        x, y = make.array(shape, dtype=kind), make.array(shape, dtype=kind)
        return make.sample(x, y, reduction=make.choice(*_REDUCTIONS), **chosen)

    return inputs


def _divergence(make: Maker) -> Sample:
    """Log-probabilities, and probabilities or their logarithms."""
    shape, kind = make.shape(), make.floating()
    log_target = make.flag()
    x = make.array(shape, "ordinary", kind)
    target = make.array(shape, "ordinary" if log_target else "unit", kind)
    reduction = make.choice(*_REDUCTIONS, *(["batchmean"] if shape else []))
    return make.sample(x, target, log_target=log_target, reduction=reduction)


def _probabilities(numbers: str):  # type: ignore[no-untyped-def]
    """Predictions and targets in [0, 1], perhaps weights."""

    def inputs(make: Maker) -> Sample:
        shape, kind = make.shape(), make.floating()
        x = make.array(shape, numbers, kind)
        if numbers == "unit":
            x = np.asarray(np.clip(x, 0, 1))
        target = make.in_situation("ordinary").array(shape, "unit", kind)
        options: dict[str, Any] = {"reduction": make.choice(*_REDUCTIONS)}
        if make.flag():
            options["weight"] = Given(
                make.in_situation("ordinary").array(shape, "unit", kind), False
            )
        if numbers != "unit" and make.flag():
            options["pos_weight"] = Given(np.asarray(1.5, kind), False)
        return make.sample(x, Given(target, make.flag()), **options)

    return inputs


OPERATIONS = [
    Operation("nn.functional.mse_loss", _distance(), ulp=4, scale="largest", primitives=(),
              errors=_ERRORS),
    Operation("nn.functional.l1_loss", _distance(), ulp=4, scale="largest", primitives=(),
              errors=_ERRORS),
    Operation("nn.functional.smooth_l1_loss", _distance(beta=(1.0, 0.5, 0.0)), ulp=4,
              scale="largest", primitives=(), errors=_ERRORS),
    Operation("nn.functional.huber_loss", _distance(delta=(1.0, 0.5)), ulp=4, scale="largest",
              primitives=(), errors=_ERRORS),
    Operation("nn.functional.kl_div", _divergence, ulp=8, scale="largest", primitives=(),
              errors=(sample(_matrix, _matrix, reduction="most"),)),
    Operation("nn.functional.binary_cross_entropy", _probabilities("unit"), ulp=8,
              scale="largest",
              primitives=("binary_cross_entropy", "binary_cross_entropy_backward"),
              errors=(sample(2 * _matrix, _matrix), sample(_matrix, np.ones(2, np.float32)))),
    Operation("nn.functional.binary_cross_entropy_with_logits", _probabilities("ordinary"), ulp=8,
              scale="largest", primitives=(),
              errors=(sample(_matrix, np.ones(2, np.float32)),)),
]  # fmt: skip
