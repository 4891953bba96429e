"""Operations number by number."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .families import BROADCAST_ERRORS, NOT_A_TENSOR, binary, unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_vector = np.ones(2, np.float32)


def _choices(make: Maker) -> Sample:
    condition, *shapes = make.shapes(3)
    x, y = [make.array(shape) for shape in shapes]
    if make.situation == "numbers":
        x, y = [(x, make.number()), (make.number(), y), (make.number(),) * 2][make.integer(0, 2)]
    return make.sample(make.array(condition, dtype="bool"), x, y)


def _bounds(make: Maker) -> Sample:
    x, low, high = make.arrays(3)
    if make.situation in ("broadcast", "mixed"):
        return make.sample(x, low if make.flag() else None, high)
    return make.sample(x, make.choice(None, -1, 0.5, 2), make.choice(0, 1, 1.5))


def _power(make: Maker) -> Sample:
    base, exponent = make.arrays(2, "positive")
    if make.situation == "numbers":
        if make.flag():
            return make.sample(make.choice(2, 0, 0.5, -2.0), exponent)
        return make.sample(base, make.choice(0, 1, 2, 3, -1, 0.5, -0.5, 2.5, True))
    return make.sample(base, exponent)


def _weighted(make: Maker) -> Sample:
    x, y = make.arrays(2)
    return make.sample(x, y, alpha=make.choice(1, 2, -3, True))


def _magnitudes(engine: Any, x: Any, y: Any, **options: Any) -> Any:
    """|x| + |y|: the sum of absolute terms of a difference."""
    return engine.add(x, y)


_UNARY = [
    Operation("neg", unary(), lambda t, x: -x),
    Operation("abs", unary(), errors=NOT_A_TENSOR),
    Operation("sign", unary()),
    Operation("exp", unary(), ulp=2, errors=NOT_A_TENSOR),
    Operation("log", unary("positive"), ulp=2),
    Operation("sqrt", unary("positive"), ulp=1),
    Operation("reciprocal", unary(), ulp=1),
    Operation("square", unary(), primitives=("pow",)),
    Operation("tanh", unary(), ulp=2),
    Operation("sigmoid", unary(), ulp=4),
    Operation("relu", unary(), errors=NOT_A_TENSOR),
    Operation("floor", unary()),
    Operation("ceil", unary()),
    Operation("trunc", unary()),
    Operation("round", unary(decimals=(0, 1, -1)), ulp=1),
    Operation("clone", unary(), lambda t, x: t.clone(x)),
]

_BINARY = [
    Operation("add", binary(first_number=True), lambda t, x, y: x + y, errors=BROADCAST_ERRORS),
    Operation("sub", binary(first_number=True), lambda t, x, y: x - y, errors=BROADCAST_ERRORS),
    Operation("mul", binary(first_number=True), lambda t, x, y: x * y, errors=BROADCAST_ERRORS),
    Operation("div", binary(first_number=True), lambda t, x, y: x / y, ulp=1,
              errors=BROADCAST_ERRORS),
    Operation("add with alpha", _weighted, lambda t, x, y, alpha: t.add(x, y, alpha=alpha), ulp=1,
              scale=_magnitudes, primitives=("add",)),
    Operation("sub with alpha", _weighted, lambda t, x, y, alpha: t.sub(x, y, alpha=alpha), ulp=1,
              scale=_magnitudes, primitives=("sub",)),
    Operation("div with rounding", binary(rounding_mode=("trunc", "floor")),
              lambda t, x, y, rounding_mode: t.div(x, y, rounding_mode=rounding_mode), ulp=1,
              second_order=False, primitives=("trunc",),
              errors=(sample(_vector, 2, rounding_mode="ceil"),)),
    Operation("rsub", binary(), primitives=("sub",)),
    Operation("floor_divide", binary(), lambda t, x, y: x // y, second_order=False,
              errors=(sample(np.array([1, 2]), 0),)),
    Operation("remainder", binary(), lambda t, x, y: x % y,
              errors=(sample(np.array([1, 2]), 0),)),
    Operation("pow", _power, lambda t, x, y: x**y, ulp=2,
              errors=(sample(np.array([1, 2]), -1), *BROADCAST_ERRORS[:2])),
    Operation("maximum", binary(), errors=BROADCAST_ERRORS),
    Operation("minimum", binary(), errors=BROADCAST_ERRORS),
    Operation("where", _choices,
              errors=(sample(_vector, _vector, _vector),
                      sample(np.array([True, False]), _vector, np.ones(3, np.float32)))),
    Operation("clamp", _bounds, errors=(sample(_vector), sample("text", 0, 1))),
]  # fmt: skip

_DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")

_CASTS = [
    Operation("Tensor.to", lambda make: make.sample(make.array(), make.choice(*_DTYPES)),
              lambda t, x, kind: x.to(getattr(t, kind)), primitives=("cast",)),
    *[Operation(f"Tensor.{name}", unary(), primitives=("cast",))
      for name in ("float", "double", "int", "long", "byte", "bool")],
]  # fmt: skip

_LOGIC = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def _compared(function: Any) -> Any:
    return lambda t, x, y: function(x, y)


def _whole_numbers(make: Maker) -> Sample:
    if make.situation in ("ordinary", "float64", "halves", "special"):
        return make.sample(*[make.array(s, dtype=make.choice("int64", "bool", "uint8"))
                             for s in make.shapes(2)])  # fmt: skip
    return binary(first_number=True)(make)


def _near(make: Maker) -> Sample:
    x, y = make.arrays(2, "halves")
    return make.sample(x, y, rtol=make.choice(1e-5, 0.5, 0.0), atol=make.choice(1e-8, 3.0),
                       equal_nan=make.flag())  # fmt: skip


_COMPARISONS = [
    *[Operation(name, binary(first_number=True), _compared(function), errors=BROADCAST_ERRORS[:2])
      for name, function in _LOGIC.items()],
    *[Operation(name, binary(), errors=BROADCAST_ERRORS[:2])
      for name in ("logical_and", "logical_or", "logical_xor")],
    *[Operation(name, _whole_numbers, errors=(sample(_vector, _vector),))
      for name in ("bitwise_and", "bitwise_or", "bitwise_xor")],
    Operation("bitwise_not", lambda make: make.sample(_whole_numbers(make).arguments[0]),
              errors=(sample(_vector),)),
    *[Operation(name, unary(), errors=NOT_A_TENSOR)
      for name in ("logical_not", "isnan", "isinf", "isfinite")],
    Operation("isclose", _near, errors=(sample(_vector, _vector, rtol=-1.0),)),
    Operation("allclose", _near, primitives=("isclose",)),
    Operation("equal", binary(), primitives=("eq",), errors=(sample(_vector, 1.0),)),
]  # fmt: skip

OPERATIONS = [*_UNARY, *_BINARY, *_CASTS, *_COMPARISONS]
