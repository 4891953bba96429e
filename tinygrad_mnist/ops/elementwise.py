"""Exponentials, logarithms, roots and their kin, number by number."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, TensorBase

from .arguments import check_some_tensor, check_tensors, not_implemented, read_dim, torch_arguments
from .casting import cast_to, clone, zeros
from .choosing import clamp, where

__all__ = [
    "acos",
    "acosh",
    "allclose",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "ceil",
    "cos",
    "cosh",
    "deg2rad",
    "eq",
    "equal",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "floor",
    "frac",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "le",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "lt",
    "ne",
    "not_equal",
    "rad2deg",
    "round",
    "rsqrt",
    "sigmoid",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    "xlogy",
]

_floating = dtypes.promote_to_floating


@primitive(promotion=_floating, ufunc=np.exp)
def exp(input: Array) -> Any:
    """eˣ"""
    return np.exp(input)


@primitive(promotion=_floating, ufunc=np.expm1)
def expm1(input: Array) -> Any:
    """eˣ − 1"""
    return np.expm1(input)


exp.derivatives(input=lambda g, out: g * out)
expm1.derivatives(input=lambda g, out: g * (out + 1))


@primitive(promotion=_floating, ufunc=np.log)
def log(input: Array) -> Any:
    """ln x"""
    return np.log(input)


@primitive(promotion=_floating)
def _log_to_base(input: Array, *, base: int) -> Any:
    """ln x / ln b"""
    x = input.astype(np.float64)
    return (np.log2(x) if base == 2 else np.log10(x)).astype(input.dtype)


@primitive(promotion=_floating, ufunc=np.log1p)
def log1p(input: Array) -> Any:
    """ln(1 + x)"""
    return np.log1p(input)


log.derivatives(input=lambda g, input: g / input)
_log_to_base.derivatives(input=lambda g, input, base: g / (input * math.log(base)))
log1p.derivatives(input=lambda g, input: g / (input + 1))


@primitive(promotion=_floating, ufunc=np.sqrt)
def sqrt(input: Array) -> Any:
    """√x"""
    return np.sqrt(input)


sqrt.derivatives(input=lambda g, out: g / (2 * out))


@primitive(promotion=_floating, ufunc=np.sin)
def sin(input: Array) -> Any:
    """sin x"""
    return np.sin(input)


@primitive(promotion=_floating, ufunc=np.cos)
def cos(input: Array) -> Any:
    """cos x"""
    return np.cos(input)


@primitive(promotion=_floating, ufunc=np.tanh)
def tanh(input: Array) -> Any:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"""
    return np.tanh(input)


@primitive(promotion=_floating)
def sigmoid(input: Array) -> Any:
    """1 / (1 + e⁻ˣ)"""
    return 1 / (1 + np.exp(-input))


sin.derivatives(input=lambda g, input: g * cos(input))
cos.derivatives(input=lambda g, input: -g * sin(input))
tanh.derivatives(input=lambda g, out: g * (1 - out * out))
sigmoid.derivatives(input=lambda g, out: g * (1 - out) * out)


@torch_arguments
def exp2(input: Tensor) -> Tensor:
    """2ˣ"""
    check_tensors("exp2", input=input)
    return named_as(2.0**input, "Exp2Backward0")


@torch_arguments
def log2(input: Tensor) -> Tensor:
    """log₂ x

    >>> import tinygrad_mnist as torch
    >>> torch.log2(torch.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    check_tensors("log2", input=input)
    return named_as(_log_to_base(input, base=2), "Log2Backward0")


@torch_arguments
def log10(input: Tensor) -> Tensor:
    """log₁₀ x

    >>> import tinygrad_mnist as torch
    >>> torch.log10(torch.tensor([1.0, 1000.0]))
    tensor([0., 3.])
    """
    check_tensors("log10", input=input)
    return named_as(_log_to_base(input, base=10), "Log10Backward0")


@torch_arguments
def rsqrt(input: Tensor) -> Tensor:
    """1 / √x"""
    check_tensors("rsqrt", input=input)
    return named_as(sqrt(input) ** -1, "RsqrtBackward0")


@torch_arguments
def tan(input: Tensor) -> Tensor:
    """sin x / cos x"""
    check_tensors("tan", input=input)
    return named_as(sin(input) / cos(input), "TanBackward0")


# trigonometry: Hyperbolic functions, the inverses of the circular and hyperbolic ones, and angles.


@primitive(promotion=_floating)
def _hyperbolic(input: Array, *, even: bool) -> Any:
    """(eˣ − e⁻ˣ) / 2, or with + in place of − where even"""
    return np.cosh(input) if even else np.sinh(input)


_hyperbolic.derivatives(input=lambda g, input, even: g * _hyperbolic(input, even=not even))


@primitive(promotion=_floating)
def _inverse(input: Array, *, of: str) -> Any:
    """the number whose sin, cos, tan, sinh, cosh or tanh is x"""
    inverse: Any = getattr(np, f"arc{of}")
    return inverse(input)


_SLOPES = {
    "sin": lambda x: 1 / sqrt(1 - x * x),
    "cos": lambda x: -1 / sqrt(1 - x * x),
    "tan": lambda x: 1 / (x * x + 1),
    "sinh": lambda x: 1 / sqrt(x * x + 1),
    "cosh": lambda x: 1 / sqrt(x * x - 1),
    "tanh": lambda x: 1 / (1 - x * x),
}
"""The derivatives of the inverses. Source: DLMF §4.24 and §4.38."""

_inverse.derivatives(input=lambda g, input, of: g * _SLOPES[of](input))


@primitive(promotion=_floating)
def _atan2(input: Array, other: Array) -> Any:
    """the angle of the point (y, x)"""
    return np.arctan2(input, other)


_atan2.derivatives(
    input=lambda g, input, other: g * _over_square(other, input, other),
    other=lambda g, input, other: g * _over_square(-input, input, other),
)


def _over_square(part: Any, y: Any, x: Any) -> Any:
    """part / (x² + y²), and 0 at the origin."""
    square = x * x + y * y
    return part * where(square == 0, 0.0, 1 / square)


@torch_arguments
def sinh(input: Tensor) -> Tensor:
    """(eˣ − e⁻ˣ) / 2"""
    check_tensors("sinh", input=input)
    return named_as(_hyperbolic(input, even=False), "SinhBackward0")


@torch_arguments
def cosh(input: Tensor) -> Tensor:
    """(eˣ + e⁻ˣ) / 2"""
    check_tensors("cosh", input=input)
    return named_as(_hyperbolic(input, even=True), "CoshBackward0")


def _inverted(name: str, of: str) -> Any:
    @torch_arguments
    def function(input: Tensor) -> Tensor:
        check_tensors(name, input=input)
        return named_as(_inverse(input, of=of), f"{name.capitalize()}Backward0")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The number whose {of} is x; NaN where there is none."
    return function


asin, acos, atan = _inverted("asin", "sin"), _inverted("acos", "cos"), _inverted("atan", "tan")
asinh, acosh = _inverted("asinh", "sinh"), _inverted("acosh", "cosh")
atanh = _inverted("atanh", "tanh")


@torch_arguments
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle, between −π and π, from the x-axis to the point (x, y) = (`other`, `input`).

    >>> import tinygrad_mnist as torch
    >>> torch.atan2(torch.tensor(1.0), torch.tensor(-1.0))
    tensor(2.3562)
    """
    check_tensors("atan2", input=input, other=other)
    return _atan2(input, other)


@torch_arguments
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians: x · π / 180."""
    check_tensors("deg2rad", input=input)
    return named_as(input * (math.pi / 180), "Deg2RadBackward0")


@torch_arguments
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees: x · 180 / π."""
    check_tensors("rad2deg", input=input)
    return named_as(input * (180 / math.pi), "Rad2DegBackward0")


@torch_arguments
def sinc(input: Tensor) -> Tensor:
    """sin πx / πx, and 1 at 0."""
    check_tensors("sinc", input=input)
    zero = input.detach() == 0
    angle = where(zero, 1.0, input * math.pi)
    return named_as(where(zero, 1.0, sin(angle) / angle), "SincBackward0")


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh


# logarithms: Functions made of logarithms, without overflow where the numbers are large.


@torch_arguments
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """ln(x / (1 − x)), the inverse of `sigmoid`; `eps` holds x between eps and 1 − eps.

    >>> import tinygrad_mnist as torch
    >>> torch.logit(torch.tensor([0.5, 0.75]))
    tensor([0.0000, 1.0986])
    """
    check_tensors("logit", input=input)
    x = cast_to(input, dtypes.to_floating(input.dtype))
    held = x if eps is None else clamp(x, eps, 1 - eps)
    outside = (held.detach() < 0) | (held.detach() > 1)
    odds = where(outside, math.nan, held / (1 - held))
    return named_as(log(odds), "LogitBackward0")


def _only_floats(values: tuple[Any, ...]) -> dtypes.dtype:
    """The common type; PyTorch's error for whole numbers."""
    kind = dtypes.promote(values)
    if not kind.is_floating_point:
        raise not_implemented("logaddexp_cpu", kind.numpy)
    return kind


@primitive(promotion=_only_floats, ufunc=np.logaddexp)
def _logaddexp(input: Array, other: Array) -> Any:
    """ln(eˣ + eʸ)"""
    return np.logaddexp(input, other)


_logaddexp.derivatives(
    input=lambda g, input, other: g / (1 + exp(other - input)),
    other=lambda g, input, other: g / (1 + exp(input - other)),
)


@torch_arguments
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """ln(eˣ + eʸ), broadcast.

    >>> import tinygrad_mnist as torch
    >>> torch.logaddexp(torch.tensor(1000.0), torch.tensor(1000.0))
    tensor(1000.6932)
    """
    check_tensors("logaddexp", input=input, other=other)
    return _logaddexp(input, other)


@torch_arguments
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log₂(2ˣ + 2ʸ), broadcast."""
    check_tensors("logaddexp2", input=input, other=other)
    _only_floats((input._array, other._array))
    total = _logaddexp(input * math.log(2), other * math.log(2))
    return named_as(total / math.log(2), "Logaddexp2Backward0")


@primitive(grad_fn="LogcumsumexpBackward0")
def _logcumsumexp(input: Array, *, dim: int, reverse: bool) -> Any:
    """ln Σ eˣ over the x up to each place (or from it on)"""
    x = np.flip(input, dim) if reverse else input
    total = np.logaddexp.accumulate(x.astype(np.float64), axis=dim)
    return (np.flip(total, dim) if reverse else total).astype(input.dtype)


def _logcumsumexp_rule(g: Any, input: Any, out: Any, dim: int, reverse: bool) -> Any:
    """Σ g · e^(x − out) over the later places, in logarithms; g's signs apart."""

    def part(size: Any) -> Any:
        share = where(out == -math.inf, -math.inf, log(size) - out)
        return exp(_logcumsumexp(share, dim=dim, reverse=not reverse) + input)

    return part(where(g > 0, g, 0.0)) - part(where(g < 0, -g, 0.0))


_logcumsumexp.derivatives(input=_logcumsumexp_rule)


@torch_arguments
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """ln Σ eˣ over the numbers up to each along `dim`.

    >>> import tinygrad_mnist as torch
    >>> torch.logcumsumexp(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor([1000.0000, 1000.6932])
    """
    check_tensors("logcumsumexp", input=input)
    axis = read_dim(dim, input._array.ndim)
    if input._array.dtype.kind != "f":
        raise not_implemented("logcumsumexp_out_cpu", input._array.dtype)
    if input._array.ndim == 0:
        return named_as(clone(input), "LogcumsumexpBackward0")
    return _logcumsumexp(input, dim=axis, reverse=False)


@primitive(promotion=dtypes.promote_to_floating)
def _xlogy(input: Array, other: Array) -> Any:
    """x · ln y, 0 where x is 0 and y no NaN"""
    return np.where((input == 0) & (other == other), 0, input * np.log(other))


_xlogy.derivatives(
    input=lambda g, input, other: g * where((input == 0) & (other <= 0), 0.0, log(other)),
    other=lambda g, input, other: g * input / other,
)


@torch_arguments
def xlogy(input: Any, other: Any) -> Tensor:
    """x · ln y, broadcast, and 0 where x is 0 (unless y is NaN); one may be a number."""
    check_some_tensor("xlogy", input, other)
    by_numbers = [isinstance(each, TensorBase) for each in (input, other)]
    name = f"XlogyBackward{1 if not by_numbers[0] else 0 if by_numbers[1] else 2}"
    return named_as(_xlogy(input, other), name)


# error_function: The error function.

_STEPS = 16
"""Points of expansion between two whole numbers: none is farther than 1/32 from one of them."""
_LAST = 6
"""From here on erf is 1 in float64."""
_DEGREE = 10


@functools.cache
def _expansions() -> Array:
    """The Taylor coefficients of erf at 0, 1/16, 2/16, … 6: (points, degrees).

    The derivative is f(x) = 2/√π · e^(−x²). As f' = −2x f, the coefficients of f at p obey
    (k + 1) aₖ₊₁ = −2 (p aₖ + aₖ₋₁); those of erf are aₖ₋₁ / k.
    """
    points = np.arange(_LAST * _STEPS + 1) / _STEPS
    slopes = [2 / math.sqrt(math.pi) * np.exp(-(points**2))]
    slopes.append(-2 * points * slopes[0])
    for k in range(1, _DEGREE - 1):
        slopes.append(-2 * (points * slopes[k] + slopes[k - 1]) / (k + 1))
    values = np.array([math.erf(point) for point in points])
    return np.stack([values, *[slope / (k + 1) for k, slope in enumerate(slopes)]], axis=1)


@primitive(promotion=dtypes.promote_to_floating)
def erf(input: Array) -> Any:
    """2/√π · ∫₀ˣ e^(−t²) dt"""
    x = np.minimum(np.abs(input), _LAST).astype(np.float64)
    nearest = np.rint(np.where(np.isnan(x), 0, x) * _STEPS).astype(np.intp)
    distance = x - nearest / _STEPS
    coefficients = _expansions()
    total = coefficients[nearest, _DEGREE - 1]
    for degree in range(_DEGREE - 2, -1, -1):
        total = total * distance + coefficients[nearest, degree]
    return np.copysign(total, input).astype(input.dtype)


erf.derivatives(input=lambda g, input: g * (2 / math.sqrt(math.pi)) * exp(-input * input))

_complement = np.frompyfunc(math.erfc, 1, 1)


@primitive(promotion=dtypes.promote_to_floating)
def erfc(input: Array) -> Any:
    """1 − erf(x), exact where that is small"""
    return np.asarray(_complement(input)).astype(input.dtype)


erfc.derivatives(input=lambda g, input: -g * (2 / math.sqrt(math.pi)) * exp(-input * input))


# rounding: Operations that round.


def _integers_unchanged(name: str, function: Callable[[Array], Array], input: Array) -> Array:
    if input.dtype == bool:
        raise not_implemented(f"{name}_vml_cpu", input.dtype)
    return function(input) if input.dtype.kind == "f" else input.copy()


@primitive
def floor(input: Array) -> Any:
    """⌊x⌋"""
    return _integers_unchanged("floor", np.floor, input)


@primitive
def ceil(input: Array) -> Any:
    """⌈x⌉"""
    return _integers_unchanged("ceil", np.ceil, input)


@primitive
def trunc(input: Array) -> Any:
    """x without its fraction"""
    return _integers_unchanged("trunc", np.trunc, input)


@primitive(grad_fn="RoundBackward0")
def _round(input: Array, *, decimals: int) -> Any:
    """x rounded to `decimals`, halves to even"""
    if decimals == 0:
        return _integers_unchanged("round", np.rint, input)
    return np.round(input, decimals)


floor.derivatives(input=lambda g: zeros(g))
ceil.derivatives(input=lambda g: zeros(g))
trunc.derivatives(input=lambda g: zeros(g))
_round.derivatives(input=lambda g: zeros(g))


@torch_arguments
def round(input: Tensor, *, decimals: int | None = None) -> Tensor:
    """Each number rounded to `decimals` places, halves to the even neighbour.

    >>> import tinygrad_mnist as torch
    >>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    """
    check_tensors("round", input=input)
    if decimals is None:
        return _round(input, decimals=0)
    if input._array.dtype.kind != "f":
        raise not_implemented("round_cpu", input._array.dtype)
    return named_as(_round(input, decimals=decimals), "RoundBackward1")


@torch_arguments
def frac(input: Tensor) -> Tensor:
    """The fraction of each number, with its sign: x − trunc(x)."""
    check_tensors("frac", input=input)
    if input._array.dtype.kind != "f":
        raise not_implemented("frac_cpu", input._array.dtype)
    return named_as(input - trunc(input), "FracBackward0")


fix = trunc


# comparisons: Comparisons and tests: operations whose result is bool and that no gradient passes.


def _after_a_tensor(values: tuple[Any, ...]) -> dtypes.dtype:
    """The common type, if the first operand is a Tensor: PyTorch compares in this order only."""
    if not isinstance(values[0], np.ndarray):
        raise TypeError(
            "comparisons take a Tensor first, then a Tensor or a number, "
            f"not {type(values[0]).__name__} first"
        )
    return dtypes.promote(values)


@primitive(promotion=_after_a_tensor, ufunc=np.equal)
def eq(input: Array, other: Array) -> Any:
    """x = y"""
    return np.equal(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.not_equal)
def ne(input: Array, other: Array) -> Any:
    """x ≠ y"""
    return np.not_equal(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.less)
def lt(input: Array, other: Array) -> Any:
    """x < y"""
    return np.less(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.less_equal)
def le(input: Array, other: Array) -> Any:
    """x ≤ y"""
    return np.less_equal(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.greater)
def gt(input: Array, other: Array) -> Any:
    """x > y"""
    return np.greater(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.greater_equal)
def ge(input: Array, other: Array) -> Any:
    """x ≥ y"""
    return np.greater_equal(input, other)


@primitive
def isnan(input: Array) -> Any:
    """whether x is not a number"""
    return np.isnan(input)


@primitive
def isinf(input: Array) -> Any:
    """whether x is ∞ or −∞"""
    return np.isinf(input)


@primitive
def isposinf(input: Array) -> Any:
    """whether x is ∞"""
    return np.equal(input, np.inf)


@primitive
def isneginf(input: Array) -> Any:
    """whether x is −∞"""
    return np.equal(input, -np.inf)


@primitive
def isfinite(input: Array) -> Any:
    """whether x is neither infinite nor NaN"""
    return np.isfinite(input)


@primitive
def signbit(input: Array) -> Any:
    """whether x bears a minus sign"""
    return np.signbit(input) if input.dtype.kind == "f" else np.less(input, 0)


@primitive
def logical_not(input: Array) -> Any:
    """not x"""
    return np.logical_not(input)


@primitive
def _logical_and(input: Array, other: Array) -> Any:
    """x and y"""
    return np.logical_and(input, other)


@primitive
def _logical_or(input: Array, other: Array) -> Any:
    """x or y"""
    return np.logical_or(input, other)


@primitive
def _logical_xor(input: Array, other: Array) -> Any:
    """x or y, not both"""
    return np.logical_xor(input, other)


@torch_arguments
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Where neither is zero, broadcast."""
    check_tensors("logical_and", input=input, other=other)
    return _logical_and(input, other)


@torch_arguments
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Where not both are zero, broadcast."""
    check_tensors("logical_or", input=input, other=other)
    return _logical_or(input, other)


@torch_arguments
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Where just one is zero, broadcast."""
    check_tensors("logical_xor", input=input, other=other)
    return _logical_xor(input, other)


def _of_a_tensor(values: tuple[Any, ...]) -> dtypes.dtype:
    """The common type; TypeError for numbers alone."""
    if not any(isinstance(value, np.ndarray) for value in values):
        given = ", ".join(type(value).__name__ for value in values)
        raise TypeError(f"bitwise operations take a Tensor and a Tensor or a number, not ({given})")
    return dtypes.promote(values)


def _refuse_floats(name: str, *operands: Any) -> None:
    for operand in operands:
        kind = np.asarray(operand).dtype
        if kind.kind == "f":
            raise not_implemented(f"{name}_cpu", kind)


@primitive(promotion=_of_a_tensor, ufunc=np.bitwise_and)
def bitwise_and(input: Array, other: Array) -> Any:
    """x & y, bit by bit"""
    _refuse_floats("bitwise_and", input, other)
    return np.bitwise_and(input, other)


@primitive(promotion=_of_a_tensor, ufunc=np.bitwise_or)
def bitwise_or(input: Array, other: Array) -> Any:
    """x | y, bit by bit"""
    _refuse_floats("bitwise_or", input, other)
    return np.bitwise_or(input, other)


@primitive(promotion=_of_a_tensor, ufunc=np.bitwise_xor)
def bitwise_xor(input: Array, other: Array) -> Any:
    """x ^ y, bit by bit"""
    _refuse_floats("bitwise_xor", input, other)
    return np.bitwise_xor(input, other)


@primitive
def bitwise_not(input: Array) -> Any:
    """~x, bit by bit"""
    _refuse_floats("bitwise_not", input)
    return np.bitwise_not(input)


@primitive
def _isclose(input: Array, other: Array, *, rtol: float, atol: float, equal_nan: bool) -> Any:
    """|x − y| ≤ atol + rtol · |y|"""
    if input.dtype.kind != "f":
        difference = np.abs(np.subtract(input, other, dtype=np.float64))
        return difference <= atol + rtol * np.abs(np.asarray(other, np.float64))
    near = np.abs(input - other) <= atol + np.abs(rtol * other)
    close = np.equal(input, other) | (near & np.isfinite(input) & np.isfinite(other))
    return close | (np.isnan(input) & np.isnan(other)) if equal_nan else close


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where |input − other| ≤ atol + rtol · |other|, as a bool tensor.

    Raises RuntimeError when the two have different types.
    """
    check_tensors("isclose", input=input, other=other)
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"{input.dtype.legacy_name} did not match {other.dtype.legacy_name}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value:g}")
    return _isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether `isclose` holds everywhere.

    >>> import tinygrad_mnist as torch
    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether the two have the same shape and the same numbers.

    >>> import tinygrad_mnist as torch
    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    check_tensors("equal", input=input, other=other)
    if input._array.shape != other._array.shape:
        return False
    return bool(eq(input, other)._array.all())


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
