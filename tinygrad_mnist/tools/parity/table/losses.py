"""softmax, losses, and distances."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Inputs, Maker, Sample, Shape, parametrized, sample
from tinygrad_mnist.tools.parity.twins import Array, Given

from .families import MATRIX, THREE, TWO, along, ones
from .operation import Operation, gradient_of, rows

_REDUCTIONS = ("mean", "sum", "none")


def _with_gradient(make: Maker) -> Sample:
    x, dim = along(make).arguments
    return make.sample(make.array(x.shape, dtype=x.dtype), x, dim)


def _labelled(make: Maker) -> Sample:
    """Scores (n, classes, …), int64 labels, and the options of the losses."""
    shape = make.shape(1, 3)
    x = make.array(shape, dtype=make.dtype())
    classes = shape[0] if len(shape) == 1 else shape[1] if len(shape) > 1 else 1
    batch = () if len(shape) < 2 else (shape[0], *shape[2:])
    random = make.random()
    options: dict[str, Any] = {"reduction": make.choice(*_REDUCTIONS)}
    if make.flag():
        options["weight"] = Given(np.asarray(random.uniform(0.5, 2, classes), x.dtype), False)
    if make.flag():
        options["ignore_index"] = 0
    return make.sample(x, np.asarray(random.integers(0, max(classes, 1), batch)), **options)


def _loss_gradient(make: Maker) -> Sample:
    given = _labelled(make)
    x, target = given.arguments
    shape = target.shape if given.options["reduction"] == "none" else ()
    above = make.array(shape, dtype=x.dtype)
    return make.sample(above, Given(x, False), target, **given.options)


_LABELS = np.array([0, 1])
_TARGETS = (
    sample(MATRIX, np.array([0, 3])),
    sample(MATRIX, np.array([0, 1, 2])),
    sample(MATRIX, np.array([0, 1], np.int32)),
    sample(MATRIX, _LABELS, reduction="most"),
    sample(MATRIX, _LABELS, weight=Given(TWO, False)),
)

_CLASSIFICATION = [
    *rows("softmax", along, ulp=4, scale="sight",  # the sum in its gradient cancels
          errors=(sample(MATRIX, 2), sample(np.ones(2, np.int64), 0))),
    *rows("log_softmax", along, ulp=4, scale="largest",
          errors=(sample(MATRIX, 2), sample(np.ones(2, np.int64), 0))),
    Operation("gradient of log_softmax", _with_gradient,
              gradient_of(lambda t, x, dim: t.log_softmax(x, dim)), ulp=8, scale="sight",
              primitives="log_softmax_backward", public=False),
    Operation("nn.functional.nll_loss", _labelled, ulp=4, scale="terms", errors=_TARGETS),
    Operation("gradient of nll_loss", _loss_gradient,
              gradient_of(lambda t, *given, **options: t.nn.functional.nll_loss(*given, **options)),
              ulp=4, scale="terms", primitives="nll_loss_backward", public=False),
    Operation("nn.functional.cross_entropy", _labelled, ulp=8, scale="sight",
              primitives="log_softmax nll_loss", errors=_TARGETS),
]  # fmt: skip


# Losses other than those of class labels


@parametrized
def _distance(make: Maker, /, **options: tuple[Any, ...]) -> Sample:
    """Two tensors of one shape and dtype, and how to reduce."""
    shape, kind = make.shape(), make.dtype()
    chosen = make.choices(options)
    x, y = make.array(shape, dtype=kind), make.array(shape, dtype=kind)
    return make.sample(x, y, reduction=make.choice(*_REDUCTIONS), **chosen)


def _divergence(make: Maker) -> Sample:
    """Log-probabilities, and probabilities or their logarithms."""
    shape, kind = make.shape(), make.floating()
    log_target = make.flag()
    x = make.array(shape, "ordinary", kind)
    target = make.array(shape, "ordinary" if log_target else "unit", kind)
    reduction = make.choice(*_REDUCTIONS, *(["batchmean"] if shape else []))
    return make.sample(x, target, log_target=log_target, reduction=reduction)


@parametrized
def _probabilities(make: Maker, numbers: str) -> Sample:
    """Predictions and targets in [0, 1], perhaps weights."""
    shape, kind = make.shape(), make.floating()
    x = make.array(shape, numbers, kind)
    if numbers == "unit":
        x = np.asarray(np.clip(x, 0, 1))
    ordinary = make.in_situation("ordinary")
    target = ordinary.array(shape, "unit", kind)
    options: dict[str, Any] = {"reduction": make.choice(*_REDUCTIONS)}
    if make.flag():
        options["weight"] = Given(ordinary.array(shape, "unit", kind), False)
    if numbers != "unit" and make.flag():
        options["pos_weight"] = Given(np.asarray(1.5, kind), False)
    return make.sample(x, Given(target, make.flag()), **options)


_ERRORS = (sample(MATRIX, MATRIX, reduction="most"), sample(MATRIX, ones(3, 2)))
_regression = partial(Operation, ulp=4, scale="largest", primitives="", errors=_ERRORS)

_LOSSES = [
    _regression("nn.functional.mse_loss", _distance()),
    _regression("nn.functional.l1_loss", _distance()),
    _regression("nn.functional.smooth_l1_loss", _distance(beta=(1.0, 0.5, 0.0)),
                primitives="smooth_l1"),
    _regression("nn.functional.huber_loss", _distance(delta=(1.0, 0.5)), primitives="huber"),
    Operation("nn.functional.kl_div", _divergence, ulp=8, scale="largest", primitives="",
              errors=_ERRORS[:1]),
    Operation("nn.functional.binary_cross_entropy", _probabilities("unit"), ulp=8, scale="largest",
              primitives="binary_cross_entropy binary_cross_entropy_backward",
              errors=(sample(2 * MATRIX, MATRIX), sample(MATRIX, TWO))),
    Operation("nn.functional.binary_cross_entropy_with_logits", _probabilities("ordinary"), ulp=8,
              scale="largest", primitives="binary_cross_entropy_with_logits",
              errors=(sample(MATRIX, TWO),)),
]  # fmt: skip


# Distances, and losses that ask for distances or differences of some size


def _rows(make: Maker) -> Shape:
    """(n, features)"""
    return {"empty": (0, 3), "single": (1, 1)}.get(make.situation) or (make.integer(1, 4), 3)


def _numbers(make: Maker, shape: Shape) -> Array:
    """Numbers without ties, NaN and infinities, where distances have no second derivative."""
    return make.ordinary_in("halves", "special").array(shape, dtype=make.floating())


@parametrized
def _vectors(make: Maker, /, count: int, **options: tuple[Any, ...]) -> Sample:
    shape = _rows(make)
    chosen = make.choices(options)
    return make.sample(*[_numbers(make, shape) for _ in range(count)], **chosen)


def _several(make: Maker) -> Sample:
    """At least two rows in one piece of memory: with others PyTorch's process dies."""
    x = make.in_situation("ordinary").array((make.integer(2, 4), 3), dtype=make.floating())
    return make.sample(x, make.choice(2.0, 1.0))


@parametrized
def _signed(make: Maker, /, count: int, flat: bool, **options: tuple[Any, ...]) -> Sample:
    """Tensors, and for each number, or each row, a target of 1 or −1."""
    shape = _rows(make)
    sign = make.random().choice([-1.0, 1.0], shape[:1] if flat else shape)
    target = Given(np.asarray(sign, make.floating()), False)
    chosen = make.choices({**options, "reduction": _REDUCTIONS})
    return make.sample(*[_numbers(make, shape) for _ in range(count)], target, **chosen)


@parametrized
def _classed(make: Maker, /, several: bool, **options: tuple[Any, ...]) -> Sample:
    """Scores, and the class of each row, or several classes ended by −1."""
    count, classes = make.integer(1, 4), 3  # the mean over no row is any number in PyTorch
    random = make.random()
    target = random.integers(0, classes, count)
    if several:
        target = np.full((count, classes), -1)
        target[:, 0] = random.integers(0, classes, count)
    chosen = make.choices({**options, "reduction": _REDUCTIONS})
    return make.sample(_numbers(make, (count, classes)), target, **chosen)


@parametrized
def _likely(make: Maker, /, **options: tuple[Any, ...]) -> Sample:
    """Predictions, and targets that require no gradient."""
    shape = _rows(make)
    chosen = make.choices({**options, "reduction": _REDUCTIONS})
    target = np.abs(_numbers(make, shape))
    x = _numbers(make, shape)
    x = x if chosen.get("log_input", True) else np.abs(x)
    return make.sample(x, Given(target, False), **chosen)


def _with_variance(make: Maker) -> Sample:
    shape = _rows(make)
    x, y, variance = (_numbers(make, shape) for _ in range(3))
    full, reduction = make.flag(), make.choice(*_REDUCTIONS)
    return make.sample(x, y, np.abs(variance) + 1, full=full, reduction=reduction)


def _between(make: Maker) -> Sample:
    shape = _rows(make)
    vectors = [_numbers(make, shape) for _ in range(3)]
    return make.sample(*vectors, **make.choices({"margin": (1.0, 5.0), "reduction": _REDUCTIONS}))


def _spoken(make: Maker) -> Sample:
    """What each of some times says of 3 labels and a blank, labels that fit, and the lengths."""
    maker, random = make.ordinary_in("empty", "special"), make.random()
    time, batch = maker.integer(4, 6), maker.integer(1, 3)
    x = maker.array((time, batch, 4), dtype=maker.floating())
    logs = x - np.logaddexp.reduce(x.astype(np.float64), -1, keepdims=True).astype(x.dtype)
    lengths = random.integers(0, 3, batch)
    times = random.integers(4, time + 1, batch)
    options = {"reduction": make.choice(*_REDUCTIONS), "zero_infinity": make.flag()}
    return make.sample(logs, random.integers(1, 4, (batch, 2)), times, lengths, **options)


def _loss(name: str, inputs: Inputs, *errors: Sample, second_order: bool = True) -> Operation:
    return Operation(f"nn.functional.{name}", inputs, ulp=32, gradient_ulp=128, scale="sight",
                     primitives="", errors=errors, second_order=second_order)  # fmt: skip


_misfit = sample(MATRIX, MATRIX, THREE)
_once = partial(_loss, second_order=False)
"""PyTorch has no second derivative of these; here there is one."""

_DISTANCES = [
    _loss("normalize", _vectors(1, p=(2.0, 1.0), dim=(1, 0)), sample(MATRIX, 2.0, 3)),
    _loss("cosine_similarity", _vectors(2, dim=(1, 0)), sample(MATRIX, "text")),
    _loss("pairwise_distance", _vectors(2, p=(2.0, 1.0), keepdim=(False, True)),
          sample(MATRIX, "text")),
    _once("pdist", _several, sample(TWO), sample(MATRIX, -1.0)),
    _loss("margin_ranking_loss", _signed(2, False, margin=(0.0, 1.0)), sample(MATRIX, MATRIX, TWO)),
    _loss("hinge_embedding_loss", _signed(1, False, margin=(1.0, 2.0))),
    _loss("soft_margin_loss", _signed(1, False)),
    _loss("cosine_embedding_loss", _signed(2, True, margin=(0.0, 0.5)),
          sample(MATRIX, MATRIX, MATRIX)),
    _once("multi_margin_loss", _classed(False, p=(1, 2), margin=(1.0, 0.5)),
          sample(MATRIX, np.array([0, 3])), sample(MATRIX, _LABELS, 3)),
    _once("multilabel_margin_loss", _classed(True), sample(MATRIX, np.array([0]))),
    _loss("multilabel_soft_margin_loss", _likely()),
    _loss("poisson_nll_loss", _likely(log_input=(True, False), full=(False, True))),
    _loss("gaussian_nll_loss", _with_variance,
          sample(MATRIX, MATRIX, -MATRIX), sample(MATRIX, MATRIX, ones(4))),
    Operation("nn.functional.ctc_loss", _spoken, ulp=256, gradient_ulp=512, scale="sight",
              primitives="ctc_loss ctc_loss_backward", second_order=False, errors=(
        sample(ones(2, 1, 3), np.array([[1]]), (3,), (1,)),
        sample(ones(2, 1, 3), np.array([[1]]), (2,), (2,)),
        sample(ones(2, 1, 3), np.array([[1]]), (2, 2), (1,)),
        sample(ones(2, 1, 3), np.array([[1]]), (2,), (1,), 5))),
    _loss("triplet_margin_loss", _between, _misfit),
    _loss("triplet_margin_with_distance_loss", _between, _misfit),
]  # fmt: skip

OPERATIONS = [*_CLASSIFICATION, *_LOSSES, *_DISTANCES]
