"""Making tensors: filled by a rule, or with random numbers from PyTorch's streams."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..twins import Given
from .families import unary
from .maker import Maker, Sample, sample
from .operation import Operation, find

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_SHAPE_ERRORS = (sample(-1), sample("text"), sample((2, -3)))


def _sized(make: Maker) -> Sample:
    shape = make.shape()
    return make.sample(*shape) if make.flag() and shape else make.sample(shape)


def _of_dtype(make: Maker) -> Sample:
    return make.sample(make.shape(), dtype=make.dtype())


def _typed(name: str) -> Any:
    """The call with `dtype` given by name."""

    def function(engine: Any, *arguments: Any, dtype: str, **options: Any) -> Any:
        return find(engine, name)(*arguments, dtype=getattr(engine, dtype), **options)

    return function


def _steps(make: Maker) -> Sample:
    if make.flag():
        start = make.integer(-3, 3)
        return make.sample(start, start + make.integer(0, 9), make.integer(1, 3))
    return make.sample(make.choice(0, 0.0, -1.5), make.choice(2, 3.5), make.choice(0.5, 0.3, 1))


def _spaced(make: Maker) -> Sample:
    return make.sample(make.choice(0, -2.5, 1), make.choice(1, 4.5, -3), make.integer(0, 7))


def _nested(make: Maker) -> Sample:
    return make.sample(make.array().tolist())


_FILLED = [
    *[Operation(name, _sized, primitives=(), errors=_SHAPE_ERRORS) for name in ("zeros", "ones")],
    *[Operation(f"{name} of a dtype", _of_dtype, _typed(name), primitives=())
      for name in ("zeros", "ones")],
    *[Operation(name, unary(), primitives=None if name == "zeros_like" else (),
                errors=(sample("text"),))
      for name in ("zeros_like", "ones_like")],
    Operation("full", lambda make: make.sample(make.shape(), make.number()), primitives=(),
              errors=(sample((2,), "text"), sample((-1,), 1.0))),
    Operation("full_like", lambda make: make.sample(make.array(), make.choice(2, True, 3.0)),
              primitives=()),
    Operation("arange", _steps, primitives=(), ulp=1,
              errors=(sample(0, 5, 0), sample(0, 5, -1), sample("text"))),
    Operation("linspace", _spaced, primitives=(), ulp=2, scale="largest",
              errors=(sample(0, 1, -1),)),
    Operation("logspace", _spaced, primitives=(), ulp=4, errors=(sample(0, 1, -1),)),
    Operation("eye", lambda make: make.sample(make.integer(0, 4), make.integer(0, 4)),
              primitives=(), errors=(sample(-1), sample("text"))),
    Operation("tensor", _nested, primitives=(),
              errors=(sample([1, [2]]), sample([[1], [2, 3]]), sample("text"), sample([None]))),
    Operation("as_tensor", unary(), primitives=(), errors=(sample("text"),)),
    Operation("scalar_tensor", lambda make: make.sample(make.choice(1, 2.5)), primitives=()),
    *[Operation(f"Tensor.{name}", lambda make: make.sample(make.array(), make.shape()),
                primitives=(), errors=(sample(_matrix, -1),))
      for name in ("new_zeros", "new_ones")],
    Operation("Tensor.new_full", lambda make: make.sample(make.array(), make.shape(), 2),
              primitives=()),
    Operation("Tensor.new_tensor", lambda make: make.sample(make.array(), [1, 2]), primitives=()),
]  # fmt: skip


def _seeded(name: str) -> Any:
    """The call after `manual_seed`, and the number that is drawn next."""

    def function(engine: Any, seed: int, *arguments: Any, **options: Any) -> Any:
        engine.manual_seed(seed)
        return find(engine, name)(*arguments, **options), engine.rand(1)

    return function


def _long(make: Maker) -> Any:
    """A shape, of more than 16 numbers often enough: normal numbers come in blocks of 16."""
    return make.shape() if make.flag() else (make.integer(15, 70),)


def _drawn(*options: Any):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        return make.sample(make.seed(), *[make.choice(*o) for o in options], _long(make))

    return inputs


def _like(make: Maker) -> Sample:
    return make.sample(make.seed(), make.array())


def _probability(make: Maker) -> Sample:
    return make.sample(make.seed(), Given(make.array(numbers="unit"), False))


def _weights(make: Maker) -> Sample:
    rows = make.integer(1, 3)
    weights = Maker(make.draw, "float64" if make.flag() else "ordinary").array((rows, 5), "unit")
    replacement = make.flag()
    return make.sample(make.seed(), Given(weights, False), make.integer(1, 5), replacement)


_RANDOM = [
    Operation("rand", _drawn(), _seeded("rand"), primitives=(), errors=(sample(0, -1),)),
    Operation("randn", _drawn(), _seeded("randn"), primitives=(), ulp=4, errors=(sample(0, -1),)),
    Operation("randint", _drawn((0, -5), (1, 10, 2**40)), _seeded("randint"), primitives=(),
              errors=(sample(0, 5, 5, (2,)),)),
    Operation("randperm", lambda make: make.sample(make.seed(), make.integer(0, 40)),
              _seeded("randperm"), primitives=(), errors=(sample(0, -1),)),
    Operation("normal", _drawn((0.0, 2.0), (1.0, 0.5)), _seeded("normal"), primitives=(), ulp=4,
              errors=(sample(0, 0.0, -1.0, (2,)),)),
    Operation("rand_like", _like, _seeded("rand_like"), primitives=()),
    Operation("randn_like", _like, _seeded("randn_like"), primitives=(), ulp=4),
    Operation("bernoulli", _probability, _seeded("bernoulli"), primitives=None,
              errors=(sample(0, 2 * _matrix),)),
    Operation("multinomial", _weights, _seeded("multinomial"), primitives=(),
              errors=(sample(0, -_matrix, 1), sample(0, _matrix, 9))),
]  # fmt: skip

OPERATIONS = [*_FILLED, *_RANDOM]
