"""Random numbers, which are those of PyTorch's CPU streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Maker, Sample, sample
from .operation import Operation, find

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)


def _seeded(name: str) -> Callable[..., Any]:
    """The call after `manual_seed`, and the number that is drawn next."""

    def function(engine: Any, seed: int, *arguments: Any, **options: Any) -> Any:
        engine.manual_seed(seed)
        return find(engine, name)(*arguments, **options), engine.rand(1)

    return function


def _refilled(name: str) -> Callable[..., Any]:
    """The method, called on a copy after `manual_seed`, and the number that is drawn next."""

    def function(engine: Any, seed: int, x: Any, *arguments: Any) -> Any:
        engine.manual_seed(seed)
        return getattr(x.clone(), name)(*arguments), engine.rand(1)

    return function


def _long(make: Maker) -> Any:
    """A shape, of more than 16 numbers often enough: normal numbers come in blocks of 16."""
    return make.shape() if make.flag() else (make.integer(15, 70),)


def _drawn(*options: tuple[Any, ...]) -> Callable[[Maker], Sample]:
    def inputs(make: Maker) -> Sample:
        return make.sample(make.seed(), *[make.choice(*each) for each in options], _long(make))

    return inputs


def _like(make: Maker) -> Sample:
    return make.sample(make.seed(), make.array())


def _means(make: Maker) -> Sample:
    """Each number with a mean or a deviation of its own, or with both."""
    mean, std = make.array(_long(make)), 0.5
    way = make.choice("mean", "deviation", "both")
    if way == "mean":
        return make.sample(make.seed(), mean, std)
    deviations = make.array(mean.shape, "positive")
    return make.sample(make.seed(), mean if way == "both" else 1.5, deviations)


def _probability(make: Maker) -> Sample:
    return make.sample(make.seed(), make.array(numbers="unit"))


def _weights(make: Maker) -> Sample:
    rows, kind = make.integer(1, 3), make.floating()
    weights = make.in_situation("ordinary").array((rows, 5), "unit", kind)
    return make.sample(make.seed(), Given(weights, False), make.integer(1, 5), make.flag())


def _filled(*options: tuple[Any, ...]) -> Callable[[Maker], Sample]:
    """A tensor to fill, and parameters."""

    def inputs(make: Maker) -> Sample:
        chosen = [make.choice(*each) for each in options]
        return make.sample(make.seed(), make.array(_long(make)), *chosen)

    return inputs


def _chances(make: Maker) -> Sample:
    """A tensor to fill with one probability, or with one for each number."""
    x = make.array(_long(make))
    if make.flag():
        return make.sample(make.seed(), x, make.choice(0.0, 0.3, 1.0))
    chances = make.in_situation("ordinary").array(x.shape, "unit", make.floating())
    return make.sample(make.seed(), x, Given(chances, False))


_FACTORIES = [
    Operation("rand", _drawn(), _seeded("rand"), primitives=("uniform",), errors=(sample(0, -1),)),
    Operation("randn", _drawn(), _seeded("randn"), primitives=("normal",), ulp=4,
              errors=(sample(0, -1),)),
    Operation("randint", _drawn((0, -5), (1, 10, 2**40)), _seeded("randint"),
              primitives=("random_from_to",), errors=(sample(0, 5, 5, (2,)),)),
    Operation("randperm", lambda make: make.sample(make.seed(), make.integer(0, 40)),
              _seeded("randperm"), errors=(sample(0, -1),)),
    Operation("normal", _drawn((0.0, 2.0), (1.0, 0.5)), _seeded("normal"), ulp=4,
              errors=(sample(0, 0.0, -1.0, (2,)),)),
    Operation("normal of tensors", _means, _seeded("normal"), ulp=4, scale="largest",
              primitives=("normal_of_means", "normal_of_stds", "normal_of_both"),
              errors=(sample(0, _matrix, -_matrix),)),
    Operation("rand_like", _like, _seeded("rand_like"), primitives=("uniform",)),
    Operation("randn_like", _like, _seeded("randn_like"), primitives=("normal",), ulp=4),
    Operation("randint_like", lambda make: make.sample(make.seed(), make.array(), 1, 9),
              _seeded("randint_like"), primitives=("random_from_to",)),
    Operation("bernoulli", _probability, _seeded("bernoulli"), primitives=("bernoulli_of",),
              errors=(sample(0, 2 * _matrix),)),
    Operation("multinomial", _weights, _seeded("multinomial"),
              errors=(sample(0, -_matrix, 1), sample(0, _matrix, 9))),
]  # fmt: skip

_METHODS = [
    Operation("Tensor.uniform_", _filled((0, -1.5), (1, 2.5)), _refilled("uniform_"), ulp=1,
              primitives=("uniform",), errors=(sample(0, _matrix, 2, 1),)),
    Operation("Tensor.normal_", _filled((0, -1.5), (1, 2.5)), _refilled("normal_"), ulp=4,
              scale="largest", primitives=("normal",), errors=(sample(0, _matrix, 0, -1),)),
    Operation("Tensor.log_normal_", _filled((0, 0.5), (1, 0.25)), _refilled("log_normal_"), ulp=8,
              scale="largest", primitives=("log_normal",), errors=(sample(0, _matrix, 0, -1),)),
    Operation("Tensor.exponential_", _filled((1, 0.5)), _refilled("exponential_"), ulp=4,
              primitives=("exponential",), errors=(sample(0, _matrix, -1),)),
    Operation("Tensor.cauchy_", _filled((0, 1.5), (1, 0.5)), _refilled("cauchy_"), ulp=8,
              scale="largest", primitives=("cauchy",), errors=(sample(0, _matrix, 0, -1),)),
    Operation("Tensor.geometric_", _filled((0.3, 0.9)), _refilled("geometric_"),
              primitives=("geometric",), errors=(sample(0, _matrix, 1.5),)),
    Operation("Tensor.bernoulli_", _chances, _refilled("bernoulli_"),
              primitives=("bernoulli", "bernoulli_each"), errors=(sample(0, _matrix, 1.5),)),
    Operation("Tensor.random_ from and to", _filled((0, 1), (2, 100)), _refilled("random_"),
              primitives=("random_from_to",), errors=(sample(0, _matrix, 2, 1),)),
    Operation("Tensor.random_ to", _filled((2, 100)), _refilled("random_"),
              primitives=("random_to",), errors=(sample(0, _matrix, 0),)),
    Operation("Tensor.random_", _filled(), _refilled("random_"), primitives=("random",)),
]  # fmt: skip

OPERATIONS = [*_FACTORIES, *_METHODS]
