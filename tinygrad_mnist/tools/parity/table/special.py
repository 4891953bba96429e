"""Further operations number by number: angles, logarithms, signs, limits, whole numbers."""

from __future__ import annotations

import numpy as np

from .families import BROADCAST_ERRORS, NOT_A_TENSOR, unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["IN_PLACE", "OPERATIONS"]


def _share(make: Maker) -> Sample:
    """Numbers between −1 and 1, not near the ends, where the slopes of inverses grow."""
    x = make.array()
    if x.dtype.kind == "f" and make.situation != "special":
        x = (np.tanh(x) * 0.9).astype(x.dtype)
    return make.sample(x)


def _above_one(make: Maker) -> Sample:
    x = make.array(numbers="positive")
    return make.sample((x + 2).astype(x.dtype) if x.dtype.kind == "f" else x)


def _pair(make: Maker) -> Sample:
    return make.sample(*make.arrays(2))


def _with_positive(make: Maker) -> Sample:
    shape, other = make.shapes(2)
    return make.sample(make.array(shape), make.array(other, "positive"))


def _whole_pair(make: Maker) -> Sample:
    shapes = make.shapes(2)
    return make.sample(*[make.array(shape, dtype="int64") for shape in shapes])


def _shifted(make: Maker) -> Sample:
    x, y = _whole_pair(make).arguments
    return make.sample(x, np.abs(y) % 8)


def _without_bools(given: Sample) -> bool:
    """PyTorch's formula subtracts the other operand, and refuses to where that is a bool."""
    return all(each.dtype != bool for each in given.arguments)


_HOLES = np.array([1.0, 2.0], np.float32)

OPERATIONS = [
    Operation("sinh", unary(), ulp=4, errors=NOT_A_TENSOR),
    Operation("cosh", unary(), ulp=4, errors=NOT_A_TENSOR),
    *[Operation(name, _share, ulp=8, scale="largest", errors=NOT_A_TENSOR)
      for name in ("asin", "acos", "atanh")],
    *[Operation(name, unary(), ulp=4, scale="largest", errors=NOT_A_TENSOR)
      for name in ("atan", "asinh")],
    Operation("acosh", _above_one, ulp=8, scale="largest", errors=NOT_A_TENSOR),
    Operation("atan2", _pair, ulp=8, scale="largest", errors=BROADCAST_ERRORS),
    Operation("deg2rad", unary(), ulp=2, primitives=()),
    Operation("rad2deg", unary(), ulp=2, primitives=()),
    Operation("erfc", unary(), ulp=4),
    Operation("sgn", unary(), primitives=("sign",)),
    Operation("fmax", _pair, primitives=(), errors=BROADCAST_ERRORS),
    Operation("fmin", _pair, primitives=(), errors=BROADCAST_ERRORS),
    Operation("hypot", _pair, ulp=4, errors=BROADCAST_ERRORS),
    Operation("nan_to_num", unary(nan=(0.0, 2.5), posinf=(None, 3.0)), primitives=()),
    Operation("nextafter", _pair, differentiable=False, errors=BROADCAST_ERRORS),
    Operation("logaddexp", _pair, ulp=8, scale="largest", differentiable=_without_bools,
              errors=BROADCAST_ERRORS),
    Operation("logaddexp2", _pair, ulp=16, scale="largest", differentiable=_without_bools,
              primitives=("logaddexp",)),
    Operation("logcumsumexp", lambda make: make.sample(make.array(make.shape(1)), 0), ulp=64,
              differentiable=lambda sample: sample.finite,
              scale="largest"),
    Operation("xlogy", _with_positive, ulp=4, scale="largest", errors=BROADCAST_ERRORS),
    Operation("gcd", _whole_pair, errors=BROADCAST_ERRORS),
    Operation("lcm", _whole_pair, errors=BROADCAST_ERRORS),
    Operation("bitwise_left_shift", _shifted, primitives=("left_shift",),
              errors=(sample(_HOLES, _HOLES),)),
    Operation("bitwise_right_shift", _shifted, primitives=("right_shift",),
              errors=(sample(_HOLES, _HOLES),)),
    Operation("angle", unary(), ulp=1, primitives=()),
    Operation("isreal", unary(), primitives=()),
    *[Operation(name, unary(), primitives=())
      for name in ("conj", "conj_physical", "resolve_conj", "resolve_neg")],
]  # fmt: skip

_HAVE_GRADIENTS_HERE_ALONE = ("acosh", "asinh", "atanh")
IN_PLACE = [row for row in OPERATIONS if row.name not in _HAVE_GRADIENTS_HERE_ALONE]
"""The rows to try in place: PyTorch has no derivatives of the others there."""
