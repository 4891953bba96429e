"""The methods that change a tensor in place: PyTorch marks them with a final underscore."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist import names as later
from tinygrad_mnist.engine.record import TensorBase
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import arithmetic, shapes

from . import in_place
from .methods import OPERATIONS, find, parameter_names
from .scalars import type_name

_OVER_THEIR_INPUT = [
    "abs", "absolute", "acos", "acosh", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr",
    "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "baddbmm",
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical",
    "copysign", "cos", "cosh", "deg2rad", "digamma", "div", "divide", "eq", "erf", "erfc", "erfinv",
    "exp", "exp2", "expm1", "fix", "floor", "floor_divide", "fmod", "frac", "ge",
    "gcd", "greater", "greater_equal", "gt", "heaviside", "hypot", "lcm", "index_add", "index_copy",
    "index_fill", "index_reduce", "ldexp", "le", "lerp", "less", "less_equal", "lgamma", "log",
    "log10", "log1p", "log2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "lt", "masked_fill", "masked_scatter", "mul", "multiply", "nan_to_num", "ne",
    "neg", "negative", "nextafter", "not_equal", "pow", "rad2deg", "reciprocal", "relu",
    "remainder", "renorm", "round", "rsqrt", "scatter", "scatter_add", "scatter_reduce", "sgn",
    "sigmoid", "sign", "sin",
    "sinc", "sinh", "sqrt", "square", "tan", "tanh", "tril", "triu", "true_divide", "trunc",
    "xlogy",
]  # fmt: skip
"""PyTorch's operations that may write their result over their first input."""

_NEW_SHAPES = ("squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze")


def _written(name: str) -> Any:
    def change(self: Tensor, *others: Any, **named: Any) -> Tensor:
        operation = find(name)
        check_operands(f"{name}_", operation, others)
        return in_place.in_place(operation, self, *others, **named)

    change.__name__ = change.__qualname__ = f"{name}_"
    change.__doc__ = f"`{name}`, written into the tensor."
    return change


def _reshaped(name: str) -> Any:
    operation = getattr(shapes, name)

    def change(self: Tensor, *arguments: Any) -> Tensor:
        return in_place.become(self, operation(self, *arguments))

    change.__name__ = change.__qualname__ = f"{name}_"
    change.__doc__ = f"`{name}`, of the tensor itself."
    return change


_OPERANDS = (TensorBase, int, float, np.generic, type(None))


def check_operands(name: str, operation: Any, others: tuple[Any, ...]) -> None:
    """TypeError, in PyTorch's words, for an operand that is neither a Tensor nor a number."""
    for position, other in enumerate(others, 1):
        if isinstance(other, _OPERANDS):
            continue
        raise TypeError(
            f"{name}(): argument '{parameter_names(operation)[position]}' (position {position}) "
            f"must be Tensor, not {type_name(other)}"
        )


class InPlace(TensorBase):
    """Methods that change a tensor: each returns the tensor itself.

    Under records, a leaf that requires a gradient refuses with PyTorch's RuntimeError, and a
    computed tensor gets a newer record.
    """

    __slots__ = ()

    copy_ = in_place.copy
    fill_ = in_place.fill
    zero_ = in_place.zero

    def add_(self, other: Any, *, alpha: Any = 1) -> Tensor:
        """x + alpha · y, written into the tensor."""
        check_operands("add_", arithmetic.add, (other,))
        return in_place.scaled_update(self, other, alpha, 1)

    def sub_(self, other: Any, *, alpha: Any = 1) -> Tensor:
        """x − alpha · y, written into the tensor."""
        check_operands("sub_", arithmetic.sub, (other,))
        return in_place.scaled_update(self, other, alpha, -1)

    subtract_ = sub_

    def index_put_(self, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
        """`index_put`, written into the tensor."""
        return in_place.in_place(find("index_put"), self, indices, values, accumulate)

    def cumsum_(self, dim: int, *, dtype: Any = None) -> Tensor:
        """`cumsum` in the tensor's own type, written into the tensor."""
        return in_place.in_place(find("cumsum"), self, dim, dtype=dtype or self.dtype)  # type: ignore[attr-defined]

    def cumprod_(self, dim: int, *, dtype: Any = None) -> Tensor:
        """`cumprod` in the tensor's own type, written into the tensor."""
        return in_place.in_place(find("cumprod"), self, dim, dtype=dtype or self.dtype)  # type: ignore[attr-defined]

    def float_power_(self, exponent: Any) -> Tensor:
        """xʸ, written into the tensor; RuntimeError unless it is float64, as the result is."""
        if self._array.dtype != np.float64:
            kind = dtypes.from_numpy_dtype(self._array.dtype).legacy_name
            raise RuntimeError(
                f"the base given to float_power_ has dtype {kind} but the operation's result "
                "requires dtype Double"
            )
        return in_place.in_place(arithmetic.float_power, self, exponent)


for _name in _OVER_THEIR_INPUT:
    if _name in OPERATIONS or _name in later.METHODS:
        setattr(InPlace, f"{_name}_", _written(_name))
for _name in _NEW_SHAPES:
    setattr(InPlace, f"{_name}_", _reshaped(_name))
