"""softmax and the losses of classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Maker, Sample, sample
from .operation import Operation, gradient_of

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)


def _along(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, make.dim(x.ndim))


def _with_gradient(make: Maker) -> Sample:
    x, dim = _along(make).arguments
    return make.sample(make.array(x.shape, dtype=x.dtype), x, dim)


def _labelled(make: Maker) -> Sample:
    """Scores (n, classes, …), int64 labels, and the options of the losses."""
    shape = make.shape(1, 3)
    kind = make.dtype()
    x = make.array(shape, dtype=kind)
    classes = shape[0] if len(shape) == 1 else shape[1] if len(shape) > 1 else 1
    batch = () if len(shape) < 2 else (shape[0], *shape[2:])
    random = np.random.default_rng(make.seed())
    options: dict[str, Any] = {"reduction": make.choice("mean", "sum", "none")}
    if make.flag():
        weight = np.asarray(random.uniform(0.5, 2, classes), x.dtype)
        options["weight"] = Given(weight, False)
    if make.flag():
        options["ignore_index"] = 0
    target = np.asarray(random.integers(0, max(classes, 1), batch))
    return make.sample(x, target, **options)


def _loss_gradient(make: Maker) -> Sample:
    given = _labelled(make)
    x, target = given.arguments
    shape = target.shape if given.options["reduction"] == "none" else ()
    above = make.array(shape, dtype=x.dtype)
    return make.sample(above, Given(x, False), target, **given.options)


def _nll_loss(engine: Any, *arguments: Any, **options: Any) -> Any:
    return engine.nn.functional.nll_loss(*arguments, **options)


_TARGETS = (
    sample(_matrix, np.array([0, 3])),
    sample(_matrix, np.array([0, 1, 2])),
    sample(_matrix, np.array([0, 1], np.int32)),
    sample(_matrix, np.array([0, 1]), reduction="most"),
    sample(_matrix, np.array([0, 1]), weight=Given(np.ones(2, np.float32), False)),
)

OPERATIONS = [
    Operation("softmax", _along, ulp=4, scale="largest",
              errors=(sample(_matrix, 2), sample(np.ones(2, np.int64), 0))),
    Operation("log_softmax", _along, ulp=4, scale="largest",
              errors=(sample(_matrix, 2), sample(np.ones(2, np.int64), 0))),
    Operation("gradient of log_softmax", _with_gradient,
              gradient_of(lambda t, x, dim: t.log_softmax(x, dim)), ulp=8, scale="sight",
              primitives=("log_softmax_backward",), public=False),
    Operation("nn.functional.nll_loss", _labelled, ulp=4, scale="terms",
              errors=_TARGETS),
    Operation("gradient of nll_loss", _loss_gradient, gradient_of(_nll_loss), ulp=4,
              scale="terms", primitives=("nll_loss_backward",), public=False),
    Operation("nn.functional.cross_entropy", _labelled, ulp=8, scale="sight",
              primitives=("log_softmax", "nll_loss"), errors=_TARGETS),
]  # fmt: skip
