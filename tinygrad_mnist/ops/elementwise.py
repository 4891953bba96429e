"""Element-wise operations: most are a line that says what is computed and how it is derived.

`elementwise` makes a primitive of a function of NumPy's; `composed` makes an operation of others,
whose record is called as PyTorch calls it. Comparisons give bool tensors, and no gradient.

>>> torch.log2(torch.tensor([1.0, 8.0]))
tensor([0., 3.])
>>> torch.atan2(torch.tensor(1.0), torch.tensor(-1.0))
tensor(2.3562)
>>> torch.logaddexp(torch.tensor(1000.0), torch.tensor(1000.0))
tensor(1000.6932)
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_binary, call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import Primitive, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.kernels import elementwise as one_pass

from .arguments import Function, check_some_tensor, not_implemented, operation
from .casting import cast_to, zeros
from .conditional import clamp, where

Parameters = ParamSpec("Parameters")
Values = tuple[Any, ...]
Promotion = Callable[[Values], dtypes.dtype]
_floating = dtypes.promote_to_floating


def _one(of: np.ufunc) -> Callable[..., Any]:
    def body(input: Array) -> Any:
        return of(input)

    return body


def _two(of: np.ufunc) -> Callable[..., Any]:
    def body(input: Array, other: Array) -> Any:
        return of(input, other)

    return body


def elementwise(
    name: str,
    says: str,
    of: Callable[..., Any],
    promotion: Promotion | None = _floating,
    *,
    ufunc: np.ufunc | None = None,
    **derivatives: Callable[..., Any],
) -> Primitive:
    """The primitive `name` that computes `of` one array or two, with its derivatives by input.

    `promotion` gives the type to compute in (None: the inputs' own). `ufunc` is what is run where
    types need no care, if `of` is no ufunc itself.
    """
    body = of
    if isinstance(of, np.ufunc):
        ufunc, body = of, _one(of) if of.nin == 1 else _two(of)
    body.__name__, body.__doc__ = name, says
    made = Primitive(body, promotion, ufunc)
    made.derivatives(**derivatives)
    return made


def composed(
    name: str, says: str, of: Callable[Parameters, Any], grad_fn: str | None = None
) -> Callable[Parameters, Tensor]:
    """The operation `name` that computes `of` Tensors; its record is called `grad_fn`."""
    title = grad_fn or name.title().replace("_", "") + "Backward0"
    return operation(_named(of, name, says), title)


def of_tensors(primitive: Primitive, says: str | None = None) -> Callable[..., Tensor]:
    """`primitive` for Tensors alone, where it would take arrays, and numbers beside a Tensor."""
    one = lambda input: call_unary(primitive, input)  # noqa: E731
    two = lambda input, other: call_binary(primitive, input, other)  # noqa: E731
    of = one if len(primitive.inputs) == 1 else two
    of.__module__ = sys._getframe(1).f_globals["__name__"]  # where it is found, as for a namedtuple
    return operation(_named(of, primitive.name, says or primitive.says))


def _named(of: Function, name: str, says: str | None) -> Function:
    """A function of Tensors, given its name and what it says of itself."""
    inputs = of.__code__.co_varnames[: of.__code__.co_argcount]
    of.__name__ = of.__qualname__ = name
    of.__doc__ = says
    of.__annotations__ = dict.fromkeys((*inputs, "return"), "Tensor")
    return of


# Exponentials, logarithms, roots

exp = elementwise("exp", "eˣ", np.exp, input=lambda g, out: g * out)
expm1 = elementwise("expm1", "eˣ − 1", np.expm1, input=lambda g, out: g * (out + 1))
exp2 = composed("exp2", "2ˣ", lambda input: 2.0**input)
log = elementwise("log", "ln x", np.log, input=lambda g, input: g / input)
log1p = elementwise("log1p", "ln(1 + x)", np.log1p, input=lambda g, input: g / (input + 1))
sqrt = elementwise("sqrt", "√x", np.sqrt, input=lambda g, out: g / (2 * out))
rsqrt = composed("rsqrt", "1 / √x", lambda input: sqrt(input) ** -1)


def over_one_plus_exp_of_minus(y: Any, x: Array) -> Any:
    """y / (1 + e⁻ˣ), of an array or of 1"""
    out = np.negative(x)
    if out.__class__ is not np.ndarray:
        return y / (1 + np.exp(out))
    np.exp(out, out)
    one = one_pass.ONE.get(out.dtype, 1)
    np.add(out, one, out)
    return np.divide(y if y.__class__ is np.ndarray else one, out, out)


sigmoid = elementwise("sigmoid", "1 / (1 + e⁻ˣ)",
                      lambda input: over_one_plus_exp_of_minus(1, input),
                      input=lambda g, out: one_pass.sigmoid_backward(g, out)
                      if isinstance(g, np.ndarray) else g * (1 - out) * out)  # fmt: skip


def _logarithm(base: int, of: np.ufunc) -> Callable[..., Tensor]:
    return of_tensors(elementwise(
        f"log{base}", {2: "log₂ x", 10: "log₁₀ x"}[base],
        lambda input: of(input.astype(np.float64)).astype(input.dtype),
        input=lambda g, input: g / (input * math.log(base)),
    ))  # fmt: skip


log2, log10 = _logarithm(2, np.log2), _logarithm(10, np.log10)


_logit = elementwise(
    "logit", "ln(x / (1 − x))", lambda input: np.log(input / (1 - input)),
    input=lambda g, input: where(
        (input >= 0) & (input <= 1), g / (input * (1 - input)), math.nan
    ),
)  # fmt: skip


@operation
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """ln(x / (1 − x)), the inverse of `sigmoid`; `eps` holds x between eps and 1 − eps.

    >>> torch.logit(torch.tensor([0.5, 0.75]))
    tensor([0.0000, 1.0986])
    """
    x = cast_to(input, dtypes.to_floating(input.dtype))
    return named_as(_logit(x if eps is None else clamp(x, eps, 1 - eps)), "LogitBackward0")


def _only_floats(values: Values) -> dtypes.dtype:
    """The common type; PyTorch's error for whole numbers."""
    kind = dtypes.promote(values)
    if not kind.is_floating_point:
        raise not_implemented("logaddexp_cpu", kind.numpy)
    return kind


_logaddexp = elementwise("logaddexp", "ln(eˣ + eʸ)",
                         lambda input, other: one_pass.log_add_exp(input, other), _only_floats,
                         input=lambda g, input, other: g / (1 + exp(other - input)),
                         other=lambda g, input, other: g / (1 + exp(input - other)))  # fmt: skip
logaddexp = of_tensors(_logaddexp, "ln(eˣ + eʸ), broadcast, without overflow.")


@operation
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log₂(2ˣ + 2ʸ), broadcast, without overflow."""
    _only_floats((input._array, other._array))
    total = _logaddexp(input * math.log(2), other * math.log(2))
    return named_as(total / math.log(2), "Logaddexp2Backward0")


_xlogy: Primitive = elementwise(
    "xlogy", "0 where x = 0, x · ln y elsewhere; NaN where y is NaN",
    lambda input, other: np.where((input == 0) & (other == other), 0, input * np.log(other)),
    input=lambda g, input, other: where((input == 0) & (other <= 0), 0.0, _xlogy(g, other)),
    other=lambda g, input, other: g * input / other,
)  # fmt: skip


@operation
def xlogy(input: Tensor | float, other: Tensor | float) -> Tensor:
    """x · ln y, broadcast, and 0 where x is 0 (unless y is NaN); one may be a number."""
    check_some_tensor("xlogy", input, other)
    which = 2 if not isinstance(other, Tensor) else int(not isinstance(input, Tensor))
    values = tuple([v._array if isinstance(v, Tensor) else v for v in (input, other)])
    kind = _floating(values).numpy
    operands = [v if isinstance(v, Tensor) else np.asarray(v, kind) for v in (input, other)]
    return named_as(_xlogy(*operands), f"XlogyBackward{which}")


# Circular and hyperbolic functions. Source of the inverses' derivatives: DLMF §4.24 and §4.38

sin = elementwise("sin", "sin x", np.sin, input=lambda g, input: g * cos(input))
cos: Primitive = elementwise("cos", "cos x", np.cos, input=lambda g, input: -g * sin(input))
tan = composed("tan", "sin x / cos x", lambda input: sin(input) / cos(input))
asin = of_tensors(elementwise("asin", "arcsin x: the number whose sin is x", np.arcsin,
    input=lambda g, input: g * (1 / sqrt(1 - input * input))))  # fmt: skip
acos = of_tensors(elementwise("acos", "arccos x: the number whose cos is x", np.arccos,
    input=lambda g, input: g * (-1 / sqrt(1 - input * input))))  # fmt: skip
atan = of_tensors(elementwise("atan", "arctan x: the number whose tan is x", np.arctan,
    input=lambda g, input: g * (1 / (input * input + 1))))  # fmt: skip
_sinh = elementwise("sinh", "(eˣ − e⁻ˣ) / 2", np.sinh, input=lambda g, input: g * _cosh(input))
_cosh: Primitive = elementwise(
    "cosh", "(eˣ + e⁻ˣ) / 2", np.cosh, input=lambda g, input: g * _sinh(input)
)
sinh, cosh = of_tensors(_sinh), of_tensors(_cosh)
tanh = elementwise("tanh", "(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)", np.tanh,
                   input=lambda g, out: one_pass.tanh_backward(g, out)
                   if isinstance(g, np.ndarray) else g * (1 - out * out))  # fmt: skip
asinh = of_tensors(elementwise("asinh", "arsinh x: the number whose sinh is x", np.arcsinh,
    input=lambda g, input: g * (1 / sqrt(input * input + 1))))  # fmt: skip
acosh = of_tensors(elementwise("acosh", "arcosh x: the number whose cosh is x", np.arccosh,
    input=lambda g, input: g * (1 / sqrt(input * input - 1))))  # fmt: skip
atanh = of_tensors(elementwise("atanh", "artanh x: the number whose tanh is x", np.arctanh,
    input=lambda g, input: g * (1 / (1 - input * input))))  # fmt: skip
deg2rad = composed("deg2rad", "Degrees as radians: x · π / 180.",
                   lambda input: input * (math.pi / 180))  # fmt: skip
rad2deg = composed("rad2deg", "Radians as degrees: x · 180 / π.",
                   lambda input: input * (180 / math.pi))  # fmt: skip


def _over_square(part: Any, y: Any, x: Any) -> Any:
    """part / (x² + y²), and 0 at the origin."""
    square = x * x + y * y
    return part * where(square == 0, 0.0, 1 / square)


atan2 = of_tensors(
    elementwise("atan2", "the angle of the point (y, x)", np.arctan2,
                input=lambda g, input, other: _over_square(g * other, input, other),
                other=lambda g, input, other: _over_square(g * -input, input, other)),
    "The angle, between −π and π, from the x-axis to the point (x, y) = (other, input).",
)  # fmt: skip


def _sinc(input: Array) -> Any:
    angle = input * input.dtype.type(math.pi)
    return np.where(input == 0, input.dtype.type(1), np.sin(angle) / angle)


def _sinc_slope(g: Any, x: Any) -> Any:
    """(πx cos πx − sin πx) / πx², and 0 at 0."""
    angle, square = x * math.pi, x * x * math.pi
    return where(square == 0, 0.0, g * ((angle * cos(angle) - sin(angle)) / square))


sinc = of_tensors(elementwise("sinc", "1 where x = 0, sin(π · x) / (π · x) elsewhere", _sinc,
                              input=lambda g, input: _sinc_slope(g, input)))  # fmt: skip


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh

# The larger and the smaller of two


def _unless(lost: Any, tied: Any, g: Any) -> Any:
    """g, half of it where both are equal, and nothing where the other won."""
    return where(lost, 0.0, where(tied, g / 2, g))


maximum = of_tensors(
    elementwise("maximum", "max(x, y)", np.maximum, dtypes.promote,
                input=lambda g, input, other: _unless(input < other, input == other, g),
                other=lambda g, input, other: _unless(input > other, input == other, g)),
    "The larger number at each place, broadcast; NaN wins, ties share the gradient.",
)  # fmt: skip
minimum = of_tensors(
    elementwise("minimum", "min(x, y)", np.minimum, dtypes.promote,
                input=lambda g, input, other: _unless(input > other, input == other, g),
                other=lambda g, input, other: _unless(input < other, input == other, g)),
    "The smaller number at each place, broadcast; NaN wins, ties share the gradient.",
)  # fmt: skip

# The error function


def _erf_slope(g: Any, input: Any) -> Any:
    return g * (2 / math.sqrt(math.pi)) * exp(-input * input)


_complement = np.frompyfunc(math.erfc, 1, 1)
erf = elementwise("erf", "2/√π · ∫₀ˣ e^(−t²) dt", lambda input: kernels.erf(input),
                  input=_erf_slope)  # fmt: skip
erfc = elementwise("erfc", "1 − erf(x), exact where that is small",
                   lambda input: np.asarray(_complement(input)).astype(input.dtype),
                   input=lambda g, input: _erf_slope(-g, input))  # fmt: skip

# Rounding


def _to_whole(name: str, of: np.ufunc) -> Callable[[Array], Any]:
    def rounded(input: Array) -> Any:
        if input.dtype == bool:
            raise not_implemented(f"{name}_vml_cpu", input.dtype)
        return of(input) if input.dtype.kind in dtypes.FLOATS else input.copy()

    return rounded


def _rounding(name: str, says: str, of: np.ufunc) -> Primitive:
    return elementwise(name, says, _to_whole(name, of), None, input=lambda g: zeros(g))


floor = _rounding("floor", "⌊x⌋", np.floor)
ceil = _rounding("ceil", "⌈x⌉", np.ceil)
trunc = fix = _rounding("trunc", "x without its fraction", np.trunc)
_rint = _to_whole("round", np.rint)


@primitive(grad_fn="RoundBackward0")
def _round(input: Array, *, decimals: int) -> Any:
    """x rounded to `decimals`, halves to even"""
    return np.round(input, decimals) if decimals else _rint(input)


_round.derivatives(input=lambda g: zeros(g))


@operation
def round(input: Tensor, *, decimals: int | None = None) -> Tensor:
    """Each number rounded to `decimals` places, halves to the even neighbour.

    >>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    """
    if decimals is None:
        return _round(input, decimals=0)
    if input._array.dtype.kind not in dtypes.FLOATS:
        raise not_implemented("round_cpu", input._array.dtype)
    return named_as(_round(input, decimals=decimals), "RoundBackward1")


@operation
def frac(input: Tensor) -> Tensor:
    """The fraction of each number, with its sign: x − trunc(x)."""
    if input._array.dtype.kind not in dtypes.FLOATS:
        raise not_implemented("frac_cpu", input._array.dtype)
    return named_as(input - trunc(input), "FracBackward0")


# Comparisons and tests, which no gradient passes


def _after_a_tensor(values: Values) -> dtypes.dtype:
    """The common type, if the first operand is a Tensor: PyTorch compares in this order only."""
    if not isinstance(values[0], np.ndarray):
        raise TypeError(
            "comparisons take a Tensor first, then a Tensor or a number, "
            f"not {type(values[0]).__name__} first"
        )
    return dtypes.promote(values)


eq = elementwise("eq", "x = y", np.equal, _after_a_tensor)
ne = elementwise("ne", "x ≠ y", np.not_equal, _after_a_tensor)
lt = elementwise("lt", "x < y", np.less, _after_a_tensor)
le = elementwise("le", "x ≤ y", np.less_equal, _after_a_tensor)
gt = elementwise("gt", "x > y", np.greater, _after_a_tensor)
ge = elementwise("ge", "x ≥ y", np.greater_equal, _after_a_tensor)
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne

isnan = elementwise("isnan", "whether x is not a number", np.isnan, None)
isinf = elementwise("isinf", "whether x is ∞ or −∞", np.isinf, None)
isposinf = elementwise("isposinf", "whether x is ∞", lambda input: np.equal(input, np.inf), None)
isneginf = elementwise("isneginf", "whether x is −∞", lambda input: np.equal(input, -np.inf), None)
isfinite = elementwise("isfinite", "whether x is neither infinite nor NaN", np.isfinite, None)
signbit = elementwise(
    "signbit", "whether x bears a minus sign",
    lambda input: np.signbit(input) if input.dtype.kind == "f" else np.less(input, 0), None,
)  # fmt: skip

logical_not = elementwise("logical_not", "not x", np.logical_not, None)
logical_and = of_tensors(elementwise("logical_and", "x and y", np.logical_and, None))
logical_or = of_tensors(elementwise("logical_or", "x or y", np.logical_or, None))
logical_xor = of_tensors(elementwise("logical_xor", "x or y, not both", np.logical_xor, None))


def _of_a_tensor(values: Values) -> dtypes.dtype:
    """The common type; TypeError for numbers alone."""
    if not any(isinstance(value, np.ndarray) for value in values):
        given = ", ".join(type(value).__name__ for value in values)
        raise TypeError(f"bitwise operations take a Tensor and a Tensor or a number, not ({given})")
    return dtypes.promote(values)


def _bitwise(name: str, says: str, of: np.ufunc) -> Primitive:
    def whole(*operands: Any) -> Any:
        for operand in operands:
            kind = np.asarray(operand).dtype
            if kind.kind in dtypes.FLOATS:
                raise not_implemented(f"{name}_cpu", kind)
        return of(*operands)

    if of.nin == 1:
        return elementwise(name, says, lambda input: whole(input), None)
    return elementwise(name, says, lambda input, other: whole(input, other), _of_a_tensor, ufunc=of)


bitwise_and = _bitwise("bitwise_and", "x & y, bit by bit", np.bitwise_and)
bitwise_or = _bitwise("bitwise_or", "x | y, bit by bit", np.bitwise_or)
bitwise_xor = _bitwise("bitwise_xor", "x ^ y, bit by bit", np.bitwise_xor)
bitwise_not = _bitwise("bitwise_not", "~x, bit by bit", np.bitwise_not)


@primitive
def _isclose(input: Array, other: Array, *, rtol: float, atol: float, equal_nan: bool) -> Any:
    """|x − y| ≤ atol + rtol · |y|"""
    if input.dtype.kind not in dtypes.FLOATS:
        difference = np.abs(np.subtract(input, other, dtype=np.float64))
        return difference <= atol + rtol * np.abs(np.asarray(other, np.float64))
    near = np.abs(input - other) <= atol + np.abs(rtol * other)
    close = np.equal(input, other) | (near & np.isfinite(input) & np.isfinite(other))
    return close | (np.isnan(input) & np.isnan(other)) if equal_nan else close


@operation
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where |input − other| ≤ atol + rtol · |other|, as a bool tensor.

    Raises RuntimeError when the two have different types.
    """
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"{input.dtype.legacy_name} did not match {other.dtype.legacy_name}")
    tolerances: dict[str, Any] = {"rtol": rtol, "atol": atol}
    for place, (name, value) in enumerate(tolerances.items(), 3):
        if isinstance(value, Tensor):
            if value.requires_grad:
                told = f"argument '{name}' (position {place}) must be float, not Tensor"
                raise TypeError(f"isclose(): {told}")
            value = tolerances[name] = value.item()
        if value < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value:g}")
    return _isclose(input, other, **tolerances, equal_nan=equal_nan)


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether `isclose` holds everywhere.

    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


@operation
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether the two have the same shape and the same numbers.

    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    if input._array.shape != other._array.shape:
        return False
    return bool(eq(input, other)._array.all())
