"""Operations number by number: arithmetic, exponentials, rounding, choosing, conversion."""

from __future__ import annotations

from typing import Any

import numpy as np

from .families import BROADCAST_ERRORS, NOT_A_TENSOR, binary, unary
from .maker import Maker, Sample, sample
from .operation import Operation, gradient_of

__all__ = ["OPERATIONS"]

_vector = np.ones(2, np.float32)
_three = np.ones(3, np.float32)
_whole = np.array([1, 2])


def _slope_one(name: str) -> Any:
    """For a gradient g · (1 − y²): the value's own scale, and the gradient's term g."""

    def scale(engine: Any, x: Any) -> Any:
        return getattr(engine, name)(x).detach() + x - x.detach()

    return scale


_UNARY = [
    Operation("neg", unary(), lambda t, x: -x, errors=NOT_A_TENSOR),
    Operation("positive", unary(), primitives=()),
    Operation("abs", unary(), errors=NOT_A_TENSOR),
    Operation("sign", unary(), errors=NOT_A_TENSOR),
    Operation("signbit", unary(), errors=NOT_A_TENSOR),
    Operation("square", unary(), primitives=("pow",)),
    Operation("reciprocal", unary(), ulp=1, errors=NOT_A_TENSOR),
    Operation("sqrt", unary("positive"), ulp=1, errors=NOT_A_TENSOR),
    Operation("rsqrt", unary("positive"), ulp=2, primitives=("sqrt", "reciprocal")),
    Operation("exp", unary(), ulp=2, errors=NOT_A_TENSOR),
    Operation("exp2", unary(), ulp=2, primitives=()),
    Operation("expm1", unary(), ulp=2, scale="terms"),
    Operation("log", unary("positive"), ulp=2, errors=NOT_A_TENSOR),
    Operation("log2", unary("positive"), ulp=2, errors=NOT_A_TENSOR),
    Operation("log10", unary("positive"), ulp=2, errors=NOT_A_TENSOR),
    Operation("log1p", unary("positive"), ulp=2),
    Operation("sin", unary(), ulp=2, errors=NOT_A_TENSOR),
    Operation("cos", unary(), ulp=2),
    Operation("tan", unary(), ulp=4, scale="largest", primitives=()),
    Operation("erf", unary(), ulp=4),
    Operation("tanh", unary(), ulp=2, scale=_slope_one("tanh")),
    Operation("sigmoid", unary(), ulp=4),
    Operation("relu", unary(), errors=NOT_A_TENSOR),
    Operation("floor", unary(), errors=NOT_A_TENSOR),
    Operation("ceil", unary()),
    Operation("trunc", unary()),
    Operation("frac", unary(), primitives=("trunc",)),
    Operation("round", unary(), errors=NOT_A_TENSOR),
    Operation("round to decimals", unary(decimals=(0, 1, 2, -1)), lambda t, x, decimals:
              t.round(x, decimals=decimals), ulp=1, primitives=("round",)),
    Operation("clone", unary(), lambda t, x: t.clone(x), errors=NOT_A_TENSOR),
]  # fmt: skip


def _power(make: Maker) -> Sample:
    base, exponent = make.arrays(2, "positive")
    if make.situation == "numbers":
        if make.flag():
            return make.sample(make.choice(2, 0, 0.5, -2.0), exponent)
        return make.sample(base, make.choice(0, 1, 2, 3, -1, 0.5, -0.5, 2.5, True))
    if exponent.dtype.kind == "b" and base.dtype.kind == "f":
        exponent = exponent.astype(np.int64)  # PyTorch's formula fails: it subtracts 1 from a bool
    return make.sample(base, exponent)


def _with_value(make: Maker) -> Sample:
    x, y, z = make.arrays(3)
    return make.sample(x, y, z, value=make.choice(1, 2, -0.5))


def _between(make: Maker) -> Sample:
    x, y, weight = make.arrays(3)
    return make.sample(x, y, make.choice(0.25, 0.75, 2) if make.flag() else weight)


def _sum_of_terms(engine: Any, x: Any, y: Any, *rest: Any, **options: Any) -> Any:
    """|x| + |y|: the sum of absolute terms of a sum or difference."""
    return x + y


_BINARY = [
    Operation("add", binary(first_number=True), lambda t, x, y: x + y, errors=BROADCAST_ERRORS),
    Operation("sub", binary(first_number=True), lambda t, x, y: x - y, errors=BROADCAST_ERRORS),
    Operation("mul", binary(first_number=True), lambda t, x, y: x * y, errors=BROADCAST_ERRORS),
    Operation("div", binary(first_number=True), lambda t, x, y: x / y, ulp=1,
              errors=BROADCAST_ERRORS),
    Operation("add with alpha", binary(alpha=(1, 2, -3, True, 0.5)), lambda t, x, y, alpha:
              t.add(x, y, alpha=alpha), ulp=1, scale=_sum_of_terms, primitives=("add",)),
    Operation("sub with alpha", binary(alpha=(1, 2, -3, True, 0.5)), lambda t, x, y, alpha:
              t.sub(x, y, alpha=alpha), ulp=1, scale=_sum_of_terms, primitives=("sub",)),
    Operation("rsub", binary(), primitives=("sub",)),
    Operation("div with rounding", binary(rounding_mode=("trunc", "floor")),
              lambda t, x, y, rounding_mode: t.div(x, y, rounding_mode=rounding_mode),
              primitives=("rounded_div",), errors=(sample(_vector, 2, rounding_mode="ceil"),)),
    Operation("floor_divide", binary(), lambda t, x, y: x // y, errors=(sample(_whole, 0),)),
    Operation("remainder", binary(), errors=(sample(_whole, 0), *BROADCAST_ERRORS[:2])),
    Operation("remainder of a number", lambda make: make.sample(make.number(), make.array()),
              lambda t, number, x: number % x, primitives=("number_remainder",),
              errors=(sample(5, np.array([0])),)),
    Operation("fmod", binary(), errors=(sample(_whole, 0), *BROADCAST_ERRORS[:2])),
    Operation("pow", _power, lambda t, x, y: x**y, ulp=2,
              errors=(sample(_whole, -1), *BROADCAST_ERRORS[:2])),
    Operation("float_power", _power, ulp=2, primitives=("pow",)),
    Operation("addcmul", _with_value, ulp=2, scale=lambda t, x, y, z, value: x + abs(value) * y * z,
              primitives=(), errors=(sample(_vector, _vector, _three), sample(_vector, 1.0, 2.0))),
    Operation("addcdiv", _with_value, ulp=2, scale=lambda t, x, y, z, value: x + abs(value) * y / z,
              primitives=(), errors=(sample(_vector, _vector, _three), sample(_vector, 1.0, 2.0))),
    Operation("lerp", _between, ulp=4, scale=lambda t, x, y, w: x + (x + y) * w, primitives=(),
              errors=(sample(_vector, _three, 0.5), sample(_vector, 1.0, 0.5))),
]  # fmt: skip


def _choices(make: Maker) -> Sample:
    condition, *shapes = make.shapes(3)
    x, y = [make.array(shape) for shape in shapes]
    mask = make.array(condition, dtype="bool")
    if make.situation == "numbers":
        operands = [(x, make.number()), (make.number(), y), (make.number(), make.number())]
        return make.sample(mask, *operands[make.integer(0, 2)])
    return make.sample(mask, x, y)


def _chosen(make: Maker) -> Sample:
    """The same with the tensor that is kept first."""
    condition, x, y = _choices(make).arguments
    if not isinstance(x, np.ndarray):
        x = make.array(condition.shape)
    return make.sample(x, condition, y)


def _bounds(make: Maker) -> Sample:
    x, low, high = make.arrays(3)
    if make.situation in ("broadcast", "mixed"):
        # One bound: PyTorch fails to sum the gradients of two that have different shapes.
        return make.sample(x, *[(low, None), (None, high)][make.integer(0, 1)])
    return make.sample(x, make.choice(None, -1, 0.5, 2), make.choice(0, 1, 1.5))


def _masked(make: Maker) -> Sample:
    shape, other = make.shapes(2)
    value = make.choice(0.5, 2, -1, True) if make.flag() else make.array(())
    return make.sample(make.array(shape), make.array(other, dtype="bool"), value)


_CHOOSING = [
    Operation("maximum", binary(), errors=BROADCAST_ERRORS),
    Operation("minimum", binary(), errors=BROADCAST_ERRORS),
    Operation("where", _choices,
              errors=(sample(_vector, _vector, _vector),
                      sample(np.array([True, False]), _vector, _three))),
    Operation("Tensor.where", _chosen, ulp=0, gradient_ulp=4, scale="terms",
              errors=(sample(_vector, _vector, _vector),)),
    Operation("clamp", _bounds, errors=(sample(_vector), *NOT_A_TENSOR)),
    Operation("clamp_min", binary(), primitives=(), errors=NOT_A_TENSOR),
    Operation("clamp_max", binary(), primitives=(), errors=NOT_A_TENSOR),
    Operation("masked_fill", _masked, gradient_ulp=4, scale="terms", primitives=("where",),
              errors=(sample(_vector, _vector, 1.0), sample(_vector, np.array([True]), "text"))),
]  # fmt: skip

_DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")


def _converted(make: Maker) -> Sample:
    """Finite numbers that every dtype holds: what else becomes is up to the processor."""
    content = "positive" if make.situation != "special" else "halves"
    x = make.array(numbers=content) if make.situation != "special" else np.abs(_halves(make))
    return make.sample(x, make.choice(*_DTYPES))


def _halves(make: Maker) -> Any:
    return make.in_situation("halves").array()


_CONVERSION = [
    Operation("Tensor.to", _converted, lambda t, x, kind: x.to(getattr(t, kind)),
              primitives=("cast",), errors=(sample(_vector, "text"),)),
    *[Operation(f"Tensor.{name}", lambda make: make.sample(_converted(make).arguments[0]),
                primitives=("cast",))
      for name in ("float", "double", "int", "long", "byte", "bool")],
    Operation("Tensor.type_as", lambda make: make.sample(_converted(make).arguments[0],
                                                         make.array()), primitives=("cast",)),
]  # fmt: skip


def _with_gradient(make: Maker) -> Sample:
    x = make.array(dtype=make.floating())
    return make.sample(make.array(x.shape, dtype=x.dtype), x)


_GRADIENTS = [
    Operation("gradient of sign", _with_gradient, gradient_of(lambda t, x: t.sign(x)),
              primitives=("zeros",), public=False),
    Operation("gradient of relu", _with_gradient, gradient_of(lambda t, x: t.relu(x)),
              primitives=("threshold_backward",), public=False),
]  # fmt: skip

OPERATIONS = [*_UNARY, *_BINARY, *_CHOOSING, *_CONVERSION, *_GRADIENTS]
