"""Operations that work number by number, broadcasting their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import label, state, TensorBase

__all__ = [
    "abs",
    "absolute",
    "add",
    "ceil",
    "clamp",
    "clip",
    "clone",
    "div",
    "divide",
    "exp",
    "floor",
    "floor_divide",
    "log",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "neg",
    "negative",
    "pow",
    "reciprocal",
    "relu",
    "remainder",
    "round",
    "rsub",
    "sigmoid",
    "sign",
    "sqrt",
    "square",
    "sub",
    "subtract",
    "tanh",
    "true_divide",
    "trunc",
    "where",
]

Tensor = Any


def _same(kind: dtypes.dtype) -> dtypes.dtype:
    return kind


@primitive(promotion=_same, ufunc=np.add)
def _add(input, other):
    """x + y"""
    return input + other


_add.derivatives(input=lambda g: g, other=lambda g: g)


def add(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """x + alpha · y, broadcast.

    >>> import tinygrad_mnist as torch
    >>> torch.add(torch.tensor([1, 2]), 10)
    tensor([11, 12])
    """
    return _add(input, other if alpha == 1 else mul(other, alpha))


@primitive(promotion=_same, ufunc=np.subtract)
def _sub(input, other):
    """x − y"""
    _refuse_bool("Subtraction, the `-` operator", input, other)
    return input - other


_sub.derivatives(input=lambda g: g, other=lambda g: -g)


def _refuse_bool(what, *operands):
    if all([getattr(operand, "dtype", None) == bool for operand in operands]):
        raise RuntimeError(
            f"{what}, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )


def sub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """x − alpha · y, broadcast."""
    return _sub(input, other if alpha == 1 else mul(other, alpha))


@primitive(promotion=_same, ufunc=np.multiply)
def mul(input, other):
    """x · y"""
    return input * other


mul.derivatives(input=lambda g, other: g * other, other=lambda g, input: g * input)


@primitive(promotion=dtypes.to_floating, ufunc=np.divide)
def _div(input, other):
    """x / y"""
    return input / other


_div.derivatives(
    input=lambda g, other: g / other,
    other=lambda g, input, other: -g * ((input / other) / other),
)


def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """x / y, rounded towards zero for "trunc", downwards for "floor".

    >>> import tinygrad_mnist as torch
    >>> torch.div(torch.tensor([-7.0]), 2, rounding_mode="trunc")
    tensor([-3.])
    """
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' "
            f"but found '{rounding_mode}'"
        )
    values = tuple([v._array if isinstance(v, TensorBase) else v for v in (input, other)])
    return cast_to(trunc(_div(input, other)), dtypes.promote(values))


def _not_differentiable(name):
    def formula(g):
        raise RuntimeError(f"derivative for aten::{name} is not implemented")

    return formula


@primitive(promotion=_same)
def floor_divide(input, other):
    """⌊x / y⌋"""
    _refuse_zero_divisor(input, other)
    return np.floor_divide(input, other)


floor_divide.derivatives(
    input=_not_differentiable("floor_divide"), other=_not_differentiable("floor_divide")
)


@primitive(promotion=_same)
def remainder(input, other):
    """x − y · ⌊x / y⌋"""
    _refuse_zero_divisor(input, other)
    return np.remainder(input, other)


remainder.derivatives(
    input=lambda g: g,
    other=lambda g, input, other: -g * floor_divide(input, other),
)


def _refuse_zero_divisor(input, other):
    if np.asarray(input).dtype.kind != "f" and not np.all(other):
        raise RuntimeError("ZeroDivisionError")


@primitive(promotion=_same)
def pow(input, exponent):
    """xʸ"""
    if np.asarray(input).dtype.kind != "f" and np.any(np.less(exponent, 0)):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return input**exponent


pow.derivatives(
    input=lambda g, input, exponent: g * _power_rule(input, exponent),
    exponent=lambda g, input, exponent, out: (
        g * where((input == 0) & (exponent >= 0), 0.0, out * log(input))
    ),
)


def _power_rule(x, exponent):
    """exponent · x^(exponent − 1), and 0 for exponent 0 whatever x is."""
    if isinstance(exponent, int | float):
        return exponent * x ** (exponent - 1) if exponent else zeros_like(x)
    return where(exponent == 0, 0.0, exponent * x ** (exponent - 1))


@primitive
def neg(input):
    """−x"""
    return -input


neg.derivatives(input=lambda g: -g)


@primitive(promotion=dtypes.to_floating, ufunc=np.exp)
def exp(input):
    """eˣ"""
    return np.exp(input)


exp.derivatives(input=lambda g, out: g * out)


@primitive(promotion=dtypes.to_floating, ufunc=np.log)
def log(input):
    """ln x"""
    return np.log(input)


log.derivatives(input=lambda g, input: g / input)


@primitive(promotion=dtypes.to_floating, ufunc=np.sqrt)
def sqrt(input):
    """√x"""
    return np.sqrt(input)


sqrt.derivatives(input=lambda g, out: g / (2 * out))


@primitive(promotion=dtypes.to_floating, ufunc=np.tanh)
def tanh(input):
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"""
    return np.tanh(input)


tanh.derivatives(input=lambda g, out: g * (1 - out * out))


@primitive(promotion=dtypes.to_floating)
def sigmoid(input):
    """1 / (1 + e⁻ˣ)"""
    return 1 / (1 + np.exp(-input))


sigmoid.derivatives(input=lambda g, out: g * (1 - out) * out)


@primitive
def relu(input):
    """max(x, 0)"""
    if input.dtype == bool:
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.maximum(input, 0)


relu.derivatives(input=lambda g, out: where(out <= 0, 0.0, g))


@primitive
def abs(input):
    """|x|"""
    if input.dtype == bool:
        raise RuntimeError("abs: boolean tensors have no absolute value; use them as they are")
    return np.abs(input)


abs.derivatives(input=lambda g, input: g * sign(input))


@primitive
def zeros_like(input):
    """0"""
    return np.zeros(input.shape, input.dtype)


@primitive
def sign(input):
    """−1, 0 or 1; 0 for NaN"""
    if input.dtype == bool:
        return input.copy()
    return np.sign(np.nan_to_num(input, copy=True) if input.dtype.kind == "f" else input)


sign.derivatives(input=lambda g: zeros_like(g))


def _integer_unchanged(function, input):
    return function(input) if input.dtype.kind == "f" else input.copy()


@primitive
def floor(input):
    """⌊x⌋"""
    return _integer_unchanged(np.floor, input)


@primitive
def ceil(input):
    """⌈x⌉"""
    return _integer_unchanged(np.ceil, input)


@primitive
def trunc(input):
    """x without its fraction"""
    return _integer_unchanged(np.trunc, input)


@primitive(grad_fn="RoundBackward0")
def _round(input, *, decimals):
    """x rounded to `decimals`, halves to even"""
    if decimals == 0:
        return _integer_unchanged(np.rint, input)
    return np.round(input, decimals)


floor.derivatives(input=lambda g: zeros_like(g))
ceil.derivatives(input=lambda g: zeros_like(g))
trunc.derivatives(input=lambda g: zeros_like(g))
_round.derivatives(input=lambda g: zeros_like(g))


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Each number rounded to `decimals` places, halves to the even neighbour.

    >>> import tinygrad_mnist as torch
    >>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    """
    return _round(input, decimals=decimals)


@primitive(promotion=_same)
def maximum(input, other):
    """max(x, y)"""
    return np.maximum(input, other)


@primitive(promotion=_same)
def minimum(input, other):
    """min(x, y)"""
    return np.minimum(input, other)


def _winner_takes(g, mine, theirs):
    """g where `mine` won, half of it where both are equal."""
    return where(mine == theirs, g / 2, where(mine < theirs, 0.0, g))


maximum.derivatives(
    input=lambda g, input, other: _winner_takes(g, input, other),
    other=lambda g, input, other: _winner_takes(g, other, input),
)
minimum.derivatives(
    input=lambda g, input, other: _winner_takes(g, -input, -other),
    other=lambda g, input, other: _winner_takes(g, -other, -input),
)


@primitive(grad_fn="WhereBackward0")
def _where(condition, input, other):
    """x where the condition holds, y elsewhere"""
    return np.where(condition, input, other)


_where.derivatives(
    input=lambda g, condition: where(condition, g, 0.0),
    other=lambda g, condition: where(condition, 0.0, g),
)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Tensor:
    """`input` where `condition` holds, `other` elsewhere; all three broadcast.

    With the condition alone: the indices where it holds, one int64 tensor a dimension. Raises
    RuntimeError unless the condition is bool (or uint8).

    >>> import tinygrad_mnist as torch
    >>> x = torch.tensor([-1.0, 2.0])
    >>> torch.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    mask = condition._array if isinstance(condition, TensorBase) else condition
    if mask.dtype != bool and mask.dtype != np.uint8:
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{dtypes.from_numpy_dtype(mask.dtype).legacy_name}"
        )
    values = [v._array if isinstance(v, TensorBase) else v for v in (input, other)]
    kind = dtypes.promote(tuple(values))
    chosen = [_as_type(v, kind) for v in (input, other)]
    return _where(condition, *chosen)


def _as_type(value, kind):
    if isinstance(value, TensorBase):
        return cast_to(value, kind)
    return dtypes.cast(value, kind)


@primitive(grad_fn="ClampBackward1")
def _clamp(input, *, min, max):
    """x held between min and max"""
    return np.minimum(input if min is None else np.maximum(input, min), np.inf if max is None else max)


def _within(x, low, high):
    """Where x lies between the bounds, the bounds included; None bounds nothing."""
    if low is None:
        return x <= high
    return x >= low if high is None else (x >= low) & (x <= high)


_clamp.derivatives(input=lambda g, input, min, max: where(_within(input, min, max), g, 0.0))


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Each number held between `min` and `max` (numbers or tensors); None leaves a side open.

    Raises RuntimeError when both are None.

    >>> import tinygrad_mnist as torch
    >>> torch.clamp(torch.tensor([-2.0, 0.5, 9.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, TensorBase) or isinstance(max, TensorBase):
        held = input if min is None else maximum(input, min)
        return label(held if max is None else minimum(held, max), "ClampBackward0")
    bounds = tuple(bound for bound in (min, max) if bound is not None)
    kind = dtypes.promote((input._array, *bounds))
    return _clamp_numbers(cast_to(input, kind), min, max)


def _clamp_numbers(input, low, high):
    return _clamp(input, min=low, max=high)


@primitive(grad_fn="ToCopyBackward0")
def _cast(input, *, dtype):
    """x in another type"""
    return input.astype(dtype)


_cast.derivatives(input=lambda g: g)


def cast_to(input: Tensor, kind: dtypes.dtype) -> Tensor:
    """`input` as a tensor of type `kind`: itself when it is one already."""
    if input._array.dtype == kind.numpy:
        return input
    return _cast(input, dtype=kind.numpy)


@primitive(grad_fn="CloneBackward0")
def _clone(input):
    """x, copied"""
    return input.copy()


_clone.derivatives(input=lambda g: g)


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with memory of its own; gradients flow through it."""
    return _clone(input)


def square(input: Tensor) -> Tensor:
    """x²"""
    return pow(input, 2)


@primitive(promotion=dtypes.to_floating)
def reciprocal(input):
    """1 / x"""
    return 1 / input


reciprocal.derivatives(input=lambda g, out: -g * out * out)


def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`other` − alpha · `input`."""
    scaled = input if alpha == 1 else input * alpha
    return label(_sub(other, scaled), "RsubBackward1")


absolute, clip, divide, true_divide = abs, clamp, div, div
multiply, negative, subtract = mul, neg, sub
