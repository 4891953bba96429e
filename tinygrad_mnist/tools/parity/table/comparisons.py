"""Comparisons and tests, whose result is bool, and operations on bits."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .families import BROADCAST_ERRORS, NOT_A_TENSOR, binary, unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_vector = np.ones(2, np.float32)

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
    if make.situation in ("integers", "bools", "mixed", "numbers"):
        return binary(first_number=True)(make)
    shapes = make.shapes(2)
    return make.sample(
        *[make.array(s, dtype=make.choice("int64", "bool", "uint8")) for s in shapes]
    )


def _near(make: Maker) -> Sample:
    x, y = make.arrays(2, "halves")
    rtol, atol = make.choice(1e-5, 0.5, 0.0), make.choice(1e-8, 3.0)
    return make.sample(x, y, rtol=rtol, atol=atol, equal_nan=make.flag())


OPERATIONS = [
    *[Operation(name, binary(first_number=True), _compared(function), errors=BROADCAST_ERRORS[:2])
      for name, function in _LOGIC.items()],
    *[Operation(name, binary(), errors=(*BROADCAST_ERRORS[:2], sample(_vector, 1.0)))
      for name in ("logical_and", "logical_or", "logical_xor")],
    Operation("logical_not", unary(), errors=NOT_A_TENSOR),
    *[Operation(name, _whole_numbers, errors=(sample(_vector, _vector),))
      for name in ("bitwise_and", "bitwise_or", "bitwise_xor")],
    Operation("bitwise_not", lambda make: make.sample(make.array(dtype=make.choice(
        "int64", "int32", "uint8", "bool"))), errors=(sample(_vector),)),
    *[Operation(name, unary(), errors=NOT_A_TENSOR)
      for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")],
    Operation("isclose", _near, errors=(sample(_vector, _vector, rtol=-1.0),)),
    Operation("allclose", _near, primitives=("isclose",)),
    Operation("equal", binary(), primitives=("eq",), errors=(sample(_vector, 1.0),)),
    Operation("is_nonzero", unary(), primitives=(), errors=NOT_A_TENSOR),
    Operation("is_floating_point", unary(), primitives=()),
    Operation("is_complex", unary(), primitives=()),
    Operation("numel", unary(), primitives=()),
]  # fmt: skip
