"""Sums, products, powers: element-wise arithmetic, broadcast."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_binary
from tinygrad_mnist.engine.node import named_as, not_freed
from tinygrad_mnist.engine.primitive import Primitive, no_derivative, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Operand
from tinygrad_mnist.kernels import elementwise as one_pass

from .arguments import (
    check_number_fits,
    check_some_tensor,
    check_tensors,
    not_implemented,
    operation,
)
from .casting import cast_to, clone, rounded_once, zeros
from .conditional import where
from .elementwise import bitwise_or, composed, elementwise, eq, ge, isnan, le, log, of_tensors

Values = tuple[Any, ...]
_PLAIN = (int, float)


_add = elementwise("add", "x + y", np.add, dtypes.promote, input=lambda g: g, other=lambda g: g)


@operation
def add(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """x + alpha · y, broadcast.

    >>> torch.add(torch.tensor([1, 2]), 10)
    tensor([11, 12])
    """
    return _add(input, _scaled(dtypes.promote, input, other, alpha))


def _refuse_bool_subtraction(values: Values) -> dtypes.dtype:
    kinds = {v.dtype.kind if isinstance(v, np.ndarray) else type(v).__name__[0] for v in values}
    if "b" not in kinds:
        return dtypes.promote(values)
    if len(kinds) == 1:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        )
    raise RuntimeError(
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
        "trying to invert a mask, use the `~` or `logical_not()` operator instead."
    )


_sub = elementwise(
    "sub", "x − y", np.subtract, _refuse_bool_subtraction, input=lambda g: g, other=lambda g: -g
)  # fmt: skip


@operation
def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """x − alpha · y, broadcast.

    >>> torch.sub(torch.tensor([1.0, 2.0]), torch.tensor(1.0), alpha=2)
    tensor([-1.,  0.])
    """
    return _sub(input, _scaled(_refuse_bool_subtraction, input, other, alpha))


@operation
def rsub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """y − alpha · x, broadcast: `sub` with its operands exchanged."""
    out = call_binary(_sub, other, _scaled(_refuse_bool_subtraction, other, input, alpha))
    return named_as(out, "RsubBackward0" if isinstance(other, Tensor) else "RsubBackward1")


def _scaled(promotion: Callable[[Values], dtypes.dtype], input: Any, other: Any, alpha: Any) -> Any:
    """alpha · other, if PyTorch allows this alpha for the types at hand."""
    if alpha.__class__ is int and alpha == 1:
        return other
    values = tuple([v._array if isinstance(v, Tensor) else v for v in (input, other)])
    kind = promotion(values)
    if isinstance(alpha, bool) and kind is not dtypes.bool:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and not kind.is_floating_point:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    if isinstance(other, Tensor):
        return not_freed(mul(cast_to(other, kind), bool(alpha) if kind is dtypes.bool else alpha))
    return (float(other) if kind.is_floating_point and isinstance(other, int) else other) * alpha


mul = elementwise("mul", "x · y", np.multiply, dtypes.promote,
                  input=lambda g, other: g * other, other=lambda g, input: g * input)  # fmt: skip
_div = elementwise("div", "x / y", np.divide,
                   input=lambda g, other: g / other,
                   other=lambda g, input, other: -g * ((input / other) / other))  # fmt: skip


@operation
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """x / y, rounded towards zero for "trunc", downwards for "floor".

    Without a rounding mode integers divide to the default floating-point type.

    >>> torch.div(torch.tensor([-7.0]), 2, rounding_mode="trunc")
    tensor([-3.])
    """
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' "
            f"but found '{rounding_mode}'"
        )
    return _rounded_div(input, other, rounding_mode=rounding_mode)


@primitive(promotion=dtypes.promote, grad_fn="DivBackward2")
def _rounded_div(input: Array, other: Array, *, rounding_mode: str) -> Any:
    """⌊x / y⌋, or x / y without its fraction"""
    _refuse_zero_divisor(f"div_{rounding_mode}", input, other)
    if rounding_mode == "floor":
        return np.floor_divide(input, other)
    if input.dtype.kind in dtypes.FLOATS:
        return np.trunc(input / other)
    return (input - np.fmod(input, other)) // other


_rounded_div.derivatives(input=lambda g: zeros(g), other=lambda g: zeros(g))


@primitive(promotion=dtypes.promote, grad_fn="NotImplemented")
def floor_divide(input: Array, other: Array) -> Any:
    """⌊x / y⌋"""
    _refuse_zero_divisor("div_floor", input, other)
    return np.floor_divide(input, other)


floor_divide.derivatives(
    input=no_derivative("aten::floor_divide"), other=no_derivative("aten::floor_divide")
)


def _refuse_zero_divisor(name: str, input: Array, other: Array) -> None:
    if input.dtype == bool:
        raise not_implemented(f"{name}_cpu", input.dtype)
    if input.dtype.kind not in dtypes.FLOATS and not np.all(other):
        raise RuntimeError("ZeroDivisionError")


def _modulo(name: str, says: str, of: Callable[..., Any], mode: str) -> Primitive:
    def body(input: Array, other: Array) -> Any:
        _refuse_zero_divisor(name, np.asarray(input), other)
        return of(input, other)

    return elementwise(
        name, says, body, dtypes.promote, input=lambda g: g,
        other=lambda g, input, other: -g * _rounded_div(input, other, rounding_mode=mode),
    )  # fmt: skip


def _with_divisor_sign(x: Array, y: Any) -> Any:
    """What ⌊x / y⌋ leaves; NumPy gives a 0 the sign of y, PyTorch that of x."""
    if np.asarray(x).dtype.kind not in dtypes.FLOATS:
        return np.remainder(x, y)
    rest = np.fmod(x, y)
    return np.where((rest != 0) & (np.less(y, 0) != (rest < 0)), rest + y, rest)


_remainder = _modulo("remainder", "x − y · ⌊x / y⌋", _with_divisor_sign, "floor")
_fmod = _modulo("fmod", "x − y · trunc(x / y)", np.fmod, "trunc")


@primitive(grad_fn="NotImplemented")
def _number_remainder(other: Array, *, number: Any) -> Any:
    """number − y · ⌊number / y⌋"""
    kind = dtypes.promote((number, other)).numpy
    return _remainder(np.asarray(number, kind), other.astype(kind))


_number_remainder.derivatives(other=no_derivative("aten::remainder"))


@operation
def remainder(input: Operand, other: Operand) -> Tensor:
    """What ⌊x / y⌋ leaves over, with the sign of y, as Python's % does.

    >>> torch.remainder(torch.tensor([-3.0, 5.0]), 2)
    tensor([1., 1.])
    """
    if not isinstance(input, Tensor):
        return _number_remainder(other, number=input)
    return named_as(_remainder(input, other), f"RemainderBackward{isinstance(other, Tensor):d}")


@operation
def fmod(input: Tensor, other: Operand) -> Tensor:
    """What x / y without its fraction leaves over, with the sign of x, as C's fmod does.

    >>> torch.fmod(torch.tensor([-3.0, 5.0]), 2)
    tensor([-1.,  1.])
    """
    return named_as(_fmod(input, other), f"FmodBackward{isinstance(other, Tensor):d}")


@primitive(promotion=dtypes.promote, grad_fn="PowBackward1")
def _pow(input: Array, exponent: Any) -> Any:
    """xʸ"""
    kind = input.dtype if input.__class__ is np.ndarray else np.asarray(input).dtype
    if kind.kind == "b":
        raise not_implemented("pow", kind)
    if kind.kind not in dtypes.FLOATS and np.any(np.less(exponent, 0)):
        return _integer_power(input, exponent)
    number = exponent.__class__ is not np.ndarray
    power = exponent if number else float(exponent) if not exponent.ndim else None
    product = _PRODUCTS.get(power)
    return input**exponent if product is None else product(input)


_PRODUCTS: dict[Any, Callable[[Array], Any]] = {
    2: np.square,
    3: lambda x: x * x * x,
    -2: lambda x: 1 / (x * x),
    -0.5: lambda x: 1 / np.sqrt(x),
}
"""Powers that PyTorch computes in this way too: a hundred times as fast as a power."""


def _integer_power(input: Array, exponent: Array) -> Array:
    """xʸ for integers of which some y are negative: those give 0 unless x is 1 or −1."""
    unit = np.where(input == 1, 1, np.where(input == -1, 1 - 2 * (exponent % 2), 0))
    power = input ** np.maximum(exponent, 0)
    return np.where(exponent < 0, unit.astype(power.dtype), power)


_pow.derivatives(
    input=lambda g, input, exponent: _power_rule(g, input, exponent),
    exponent=lambda g, input, exponent, out: (
        g * where((input == 0) & (exponent >= 0), 0.0, out * log(input))
    ),
)


def _power_rule(g: Any, x: Any, exponent: Any) -> Any:
    """g · exponent · x^(exponent − 1), and 0 for exponent 0 whatever x is."""
    if isinstance(exponent, int | float):
        return g * (exponent * _pow(x, exponent - 1)) if exponent else zeros(g)
    return where(exponent == 0, 0.0, g * (exponent * x ** (exponent - 1)))


@operation
def pow(input: Operand, exponent: Operand) -> Tensor:
    """xʸ, broadcast; one of the two may be a number.

    Raises RuntimeError for integers to a negative power given as a number.

    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if not isinstance(exponent, Tensor):
        if not isinstance(input, Tensor):
            check_some_tensor("pow", input, exponent)
        kind = input._array.dtype.kind if isinstance(input, Tensor) else "f"
        if kind not in dtypes.FLOATS and isinstance(exponent, int) and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        if kind not in dtypes.FLOATS and isinstance(exponent, int):
            check_number_fits(exponent, dtypes.int64)
        if kind == "b" and isinstance(exponent, bool):
            return bitwise_or(input, not exponent)
        return named_as(call_binary(_pow, input, exponent), "PowBackward0")
    out = call_binary(_pow, input, exponent)
    return out if isinstance(input, Tensor) else named_as(out, "PowBackward2")


@operation
def float_power(input: Operand, exponent: Operand) -> Tensor:
    """xʸ computed in float64."""
    check_some_tensor("float_power", input, exponent)
    operands = [
        cast_to(v, dtypes.float64) if isinstance(v, Tensor) else float(v) for v in (input, exponent)
    ]
    return pow(*operands)


square = composed("square", "x²", lambda input: call_binary(_pow, input, 2), "PowBackward0")


@primitive
def neg(input: Array) -> Any:
    """−x"""
    if input.dtype == bool:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return -input


@primitive
def abs(input: Array) -> Any:
    """|x|"""
    if input.dtype == bool:
        raise not_implemented("abs_cpu", input.dtype)
    return np.abs(input)


@primitive
def sign(input: Array) -> Any:
    """−1, 0 or 1; 0 for NaN"""
    if input.dtype.kind not in dtypes.FLOATS:
        return input.copy() if input.dtype == bool else np.sign(input)
    return one_pass.sign(input)


neg.derivatives(input=lambda g: -g)
abs.derivatives(input=lambda g, input: g * sign(input))
sign.derivatives(input=lambda g: zeros(g))
reciprocal = elementwise("reciprocal", "1 / x", lambda input: 1 / input,
                         input=lambda g, out: g * -(out * out))  # fmt: skip


@operation
def positive(input: Tensor) -> Tensor:
    """x itself; RuntimeError for a bool tensor."""
    if input._array.dtype == bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@operation
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """x + value · y · z, broadcast."""
    kind = input._array.dtype
    alike = kind is tensor1._array.dtype and kind is tensor2._array.dtype and kind.kind == "f"
    if alike and value.__class__ in _PLAIN and value == 1:
        product = call_binary(mul, tensor1, tensor2)
        return named_as(call_binary(_add, input, product), "AddcmulBackward0")
    operands, value = _alike((input, tensor1, tensor2), value)
    if operands[0]._array.dtype == bool:
        raise not_implemented("addcmul_cpu_out", operands[0]._array.dtype)
    return named_as(operands[0] + _multiple(operands[1], value) * operands[2], "AddcmulBackward0")


def _alike(operands: tuple[Tensor, ...], value: Any) -> tuple[list[Tensor], Any]:
    """The operands in their common type, and a factor cut to a whole number for whole numbers."""
    kind = dtypes.promote(tuple([operand._array for operand in operands]))
    fitting = value if kind.is_floating_point else int(value)
    check_number_fits(value, kind)
    return [cast_to(operand, kind) for operand in operands], fitting


def _multiple(x: Tensor, factor: Any) -> Tensor:
    """factor · x"""
    return x if not isinstance(factor, Tensor) and factor == 1 else mul(x, factor)


@operation
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """x + value · y / z, broadcast; RuntimeError for integers."""
    if not (tensor1.is_floating_point() or tensor2.is_floating_point()):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes."
        )
    operands, value = _alike((input, tensor1, tensor2), value)
    return named_as(operands[0] + _multiple(operands[1], value) / operands[2], "AddcdivBackward0")


@operation
@rounded_once
def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """x + weight · (y − x): the point that lies `weight` of the way from `input` to `end`."""
    given: tuple[Any, ...] = input, end
    if not (isinstance(given[0], Tensor) and isinstance(given[1], Tensor)):
        check_tensors("lerp", input=input, end=end)
    if input._array.dtype is not end._array.dtype:
        _check_lerp(input, "end", end)
    share: Operand
    if not isinstance(weight, Tensor):
        if weight.__class__ not in _PLAIN and (not np.isscalar(weight) or isinstance(weight, str)):
            check_tensors("lerp", weight=weight)
        kernel = "scalar"
        near = weight < 0.5 and weight > -0.5
        start, share = (input, weight) if near else (end, weight - 1)
    else:
        kernel = "tensor"
        if weight._array.ndim:
            _check_lerp(input, "weight", weight)
        (input, end, weight), _ = _alike((input, end, weight), 1)
        if input._array.dtype.kind == "b":
            raise not_implemented("lerp_kernel_tensor", input._array.dtype)
        nearer = weight.abs() < 0.5
        start, share = where(nearer, input, end), where(nearer, weight, weight - 1)
    if input._array.dtype.kind not in dtypes.FLOATS:
        raise not_implemented(f"lerp_kernel_{kernel}", input._array.dtype)
    part = call_binary(mul, call_binary(_sub, end, input), share)
    name = "LerpBackward1" if kernel == "tensor" else "LerpBackward0"
    return named_as(call_binary(_add, start, part), name)


def _check_lerp(input: Tensor, name: str, other: Tensor) -> None:
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(
            f"expected dtype {input.dtype.cpp_name} for `{name}` but got dtype "
            f"{other.dtype.cpp_name}"
        )


absolute, divide, true_divide = abs, div, div
multiply, negative, subtract = mul, neg, sub


# Signs, infinities, NaN


sgn = composed("sgn", "`sign`: for real numbers the two are the same.", lambda input: sign(input))


_copysign = elementwise("copysign", "|x| with the sign of y", np.copysign,
                        input=lambda g, input, out: g * where(input == 0, 0.0, out / input),
                        other=lambda g: zeros(g))  # fmt: skip


@operation
def copysign(input: Tensor, other: Operand) -> Tensor:
    """|x| with the sign of y (a tensor or a number), broadcast.

    >>> torch.copysign(torch.tensor([1.0, -2.0]), -1)
    tensor([-1., -2.])
    """
    return named_as(_copysign(input, other), f"CopysignBackward{not isinstance(other, Tensor):d}")


def _beside_nan(name: str, says: str, wins: Any) -> Any:
    def of(input: Tensor, other: Tensor) -> Tensor:
        kind = dtypes.promote((input._array, other._array))
        x, y = cast_to(input, kind), cast_to(other, kind)
        return where(wins(x, y) | isnan(y), x, y)

    return composed(name, f"{says} at each place, broadcast; NaN only where both are NaN.", of)


fmax = _beside_nan("fmax", "The larger number", ge)
fmin = _beside_nan("fmin", "The smaller number", le)


@operation
def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """The numbers with NaN replaced by `nan`, ∞ by `posinf`, −∞ by `neginf`.

    The largest and the lowest number of the type unless given. Whole numbers stay as they are.

    >>> torch.nan_to_num(torch.tensor([float("nan"), 1.0]))
    tensor([0., 1.])
    """
    if input._array.dtype.kind not in dtypes.FLOATS:
        return clone(input)
    limits = dtypes.finfo(input.dtype)
    x = input.detach()
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    out = where(isnan(x), 0.0 if nan is None else nan, input)
    out = where(x == -math.inf, low, where(x == math.inf, high, out))
    return named_as(out, "NanToNumBackward0")


@primitive(grad_fn="NotImplemented")
def _heaviside(input: Array, values: Array) -> Any:
    """0 where x < 0, 1 where x > 0, y where x = 0"""
    return np.where(input == 0, values, input > 0).astype(input.dtype)


_heaviside.derivatives(
    input=no_derivative("aten::heaviside"), values=no_derivative("aten::heaviside")
)


@operation
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 for negative numbers, 1 for positive ones, and `values` where they are 0."""
    if input._array.dtype != values._array.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return _heaviside(input, values)


def _of_floats(
    name: str, says: str, of: Callable[[Array, Array], Any], **derivatives: Any
) -> Primitive:
    def body(input: Array, other: Array) -> Any:
        if input.dtype.kind not in dtypes.FLOATS:
            raise not_implemented(f"{name}_cpu", input.dtype)
        return of(input, other)

    return elementwise(name, says, body, dtypes.promote, **derivatives)


_hypot = _of_floats("hypot", "√(x² + y²)", one_pass.hypot,
                    input=lambda g, input, out: g * input / out,
                    other=lambda g, other, out: g * other / out)  # fmt: skip
_nextafter = _of_floats("nextafter", "the next number from x towards y", np.nextafter,
                        input=lambda g, input, other: where(input == other, 0.0, g),
                        other=lambda g: zeros(g))  # fmt: skip
hypot = of_tensors(_hypot, "√(x² + y²), broadcast, without overflow.")
nextafter = of_tensors(_nextafter, "The next number of the type, from x towards y, broadcast.")


# Whole numbers


def _of_integers(name: str, kernel: str, says: str, of: Any) -> Primitive:
    def body(input: Array, other: Array) -> Any:
        if input.dtype.kind in "bf":
            raise not_implemented(kernel, input.dtype)
        return of(input, other)

    return elementwise(name, says, body, dtypes.promote)


def _beyond(x: Array, step: Array) -> Any:
    """Where a shift moves all bits out: PyTorch's answer to a shift that C leaves undefined."""
    return (step < 0) | (step >= x.dtype.itemsize * 8)


def _shifted_right(x: Array, step: Array) -> Any:
    if x.dtype.kind == "u":
        return np.right_shift(x, step)
    last = x.dtype.itemsize * 8 - 1
    return np.right_shift(x, np.where(_beyond(x, step), last, step).astype(x.dtype))


_gcd = _of_integers("gcd", "gcd_cpu", "the largest number that divides x and y", np.gcd)
_lcm = _of_integers("lcm", "lcm_cpu", "the smallest number that x and y divide", np.lcm)
_left_shift = _of_integers(
    "left_shift", "lshift_cpu", "x · 2ʸ: bits shifted out are lost",
    lambda x, step: np.where(_beyond(x, step), x.dtype.type(0), np.left_shift(x, step)),
)  # fmt: skip
_right_shift = _of_integers("right_shift", "rshift_cpu", "⌊x / 2ʸ⌋", _shifted_right)

gcd = of_tensors(_gcd, "The greatest common divisor, broadcast.")
lcm = of_tensors(_lcm, "The least common multiple, broadcast.")
ldexp = composed("ldexp", "x · 2ʸ, broadcast, in floating point.",
                 lambda input, other: mul(input, pow(2.0, other)))  # fmt: skip


@operation
def bitwise_left_shift(input: Tensor | int, other: Tensor | int) -> Tensor:
    """x · 2ʸ for whole numbers, broadcast; one may be a number."""
    check_some_tensor("bitwise_left_shift", input, other)
    return _left_shift(input, other)


@operation
def bitwise_right_shift(input: Tensor | int, other: Tensor | int) -> Tensor:
    """⌊x / 2ʸ⌋ for whole numbers, broadcast; one may be a number."""
    check_some_tensor("bitwise_right_shift", input, other)
    return _right_shift(input, other)


# What PyTorch asks of complex numbers, answered for real ones


@operation
def conj(input: Tensor) -> Tensor:
    """The tensor itself: its numbers are real."""
    return input


@operation
def isreal(input: Tensor) -> Tensor:
    """Whether each number is real: all are."""
    return eq(input, input) | isnan(input)


@operation
def angle(input: Tensor) -> Tensor:
    """π for negative numbers, 0 for others."""
    x = cast_to(input, dtypes.to_floating(input.dtype))
    nothing = abs(sign(x)) * 0
    known = where(x.detach() < 0, math.pi, nothing)
    return named_as(where(isnan(x), x.detach(), known), "AngleBackward0")


resolve_conj, resolve_neg = conj, conj


@operation
def conj_physical(input: Tensor) -> Tensor:
    """The tensor itself, as `conj`: its numbers are real."""
    return conj(input)
