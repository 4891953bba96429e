"""Making tensors that are filled by a rule."""

from __future__ import annotations

from typing import Any

import numpy as np

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


def _from_buffer(engine: Any, count: int) -> Any:
    return engine.frombuffer(bytearray(range(8 * count)), dtype=engine.int32)


OPERATIONS = [
    *[Operation(name, _sized, primitives=(), errors=_SHAPE_ERRORS) for name in ("zeros", "ones")],
    *[Operation(f"{name} of a dtype", _of_dtype, _typed(name), primitives=())
      for name in ("zeros", "ones")],
    *[Operation(name, unary(), primitives=(),
                errors=(sample("text"),))
      for name in ("zeros_like", "ones_like")],
    Operation("full", lambda make: make.sample(make.shape(), make.number()), primitives=(),
              errors=(sample((2,), "text"), sample((-1,), 1.0))),
    Operation("full_like", lambda make: make.sample(make.array(), make.choice(2, True, 3.0)),
              primitives=()),
    Operation("arange", _steps, primitives=(), ulp=1, scale="largest",
              errors=(sample(0, 5, 0), sample(0, 5, -1), sample("text"))),
    Operation("linspace", _spaced, primitives=(), ulp=2, scale="largest",
              errors=(sample(0, 1, -1),)),
    Operation("logspace", _spaced, primitives=(), ulp=4, errors=(sample(0, 1, -1),)),
    Operation("eye", lambda make: make.sample(make.integer(0, 4), make.integer(0, 4)),
              primitives=(), errors=(sample(-1), sample("text"))),
    Operation("tensor", _nested, primitives=(),
              errors=(sample([1, [2]]), sample([[1], [2, 3]]), sample("text"), sample([None]))),
    Operation("asarray", unary(), primitives=(), errors=(sample("text"),)),
    Operation("as_tensor", unary(), primitives=(), errors=(sample("text"),)),
    Operation("frombuffer", lambda make: make.sample(make.integer(1, 4)), _from_buffer,
              primitives=(), errors=(sample(0),)),
    Operation("scalar_tensor", lambda make: make.sample(make.choice(1, 2.5)), primitives=()),
    *[Operation(f"Tensor.{name}", lambda make: make.sample(make.array(), make.shape()),
                primitives=(), errors=(sample(_matrix, -1),))
      for name in ("new_zeros", "new_ones")],
    Operation("Tensor.new_full", lambda make: make.sample(make.array(), make.shape(), 2),
              primitives=()),
    Operation("Tensor.new", lambda make: make.sample(make.array(), [1, 2]), primitives=()),
    Operation("Tensor.new_tensor", lambda make: make.sample(make.array(), [1, 2]), primitives=()),
]  # fmt: skip
