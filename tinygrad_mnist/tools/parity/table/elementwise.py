"""Element-wise operations: arithmetic, rounding, choosing, comparisons, activations."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Inputs, Maker, Sample, sample

from .families import BROADCAST_ERRORS, MATRIX, NOT_A_TENSOR, THREE, TWO, binary, two_tensors, unary
from .operation import Operation, gradient_of, rows

_WHOLE = np.array([1, 2])


def _tanh_scale(engine: Any, x: Any) -> Any:
    """For a gradient g · (1 − y²): the value's own scale, and the gradient's term g."""
    return engine.tanh(x).detach() + x - x.detach()


def _share(make: Maker) -> Sample:
    """Numbers between −1 and 1, not near the ends, where the slopes of inverses grow."""
    x = make.array()
    if x.dtype.kind == "f" and make.situation != "special":
        x = (np.tanh(x) * 0.9).astype(x.dtype)
    return make.sample(x)


def _above_one(make: Maker) -> Sample:
    x = make.array(numbers="positive")
    return make.sample((x + 2).astype(x.dtype) if x.dtype.kind == "f" else x)


def _inner(make: Maker) -> Sample:
    """Numbers between 0 and 1, not near the ends."""
    x = make.ordinary_in("special").array(numbers="unit")
    return make.sample(x * np.float32(0.9) + np.float32(0.05) if x.dtype.kind == "f" else x)


_special = partial(Operation, ulp=512, scale="largest")


def _positive(make: Maker) -> Sample:
    """Of float32: in float64 PyTorch computes polygamma to 11 digits."""
    make = make.ordinary_in("special", "halves", "float64")
    return make.sample(make.array(numbers="positive"))


_SPECIAL = [
    _special("lgamma", _positive, errors=NOT_A_TENSOR),
    _special("digamma", _positive, errors=NOT_A_TENSOR),
    _special("polygamma", _positive, lambda t, x: t.polygamma(2, x + 1), errors=NOT_A_TENSOR),
    _special("erfinv", _inner, errors=NOT_A_TENSOR),
    _special("special.ndtri", _inner, primitives="special_ndtri", errors=NOT_A_TENSOR),
    _special("i0", _share, primitives="i0 special_i1", errors=NOT_A_TENSOR),
    *[_special(f"special.{name}", _inner, primitives=f"special_{name}", errors=NOT_A_TENSOR)
      for name in ("i0e", "i1", "i1e", "erfcx", "log_ndtr")],
    _special("special.entr", _inner, primitives="special_entr", errors=NOT_A_TENSOR),
    # By their first input these have no derivative.
    *[_special(f"{name} of a shape", _positive,
               lambda t, x, of=of: of(t)(t.full_like(x.detach(), 1.5), x + 0.5),
               primitives=name, errors=NOT_A_TENSOR)
      for name, of in (("igamma", lambda t: t.igamma), ("igammac", lambda t: t.igammac),
                       ("special_zeta", lambda t: t.special.zeta))],
    _special("special.xlog1py", binary("positive"), primitives="special_xlog1py",
             errors=NOT_A_TENSOR[:1]),
]  # fmt: skip


_UNARY = [
    *_SPECIAL,
    Operation("neg", unary(), lambda t, x: -x, errors=NOT_A_TENSOR),
    Operation("positive", unary(), primitives=""),
    *rows("abs sign signbit relu floor round", unary(), errors=NOT_A_TENSOR),
    *rows("ceil trunc", unary()),
    Operation("frac", unary(), primitives="trunc"),
    Operation("square", unary(), primitives="pow"),
    Operation("reciprocal", unary(), ulp=1, errors=NOT_A_TENSOR),
    Operation("sqrt", unary("positive"), ulp=1, errors=NOT_A_TENSOR),
    Operation("rsqrt", unary("positive"), ulp=2, primitives="sqrt reciprocal"),
    *rows("exp sin", unary(), ulp=2, errors=NOT_A_TENSOR),
    Operation("cos", unary(), ulp=2),
    Operation("expm1", unary(), ulp=2, scale="terms"),
    *rows("log log2 log10", unary("positive"), ulp=2, errors=NOT_A_TENSOR),
    Operation("log1p", unary("positive"), ulp=2),
    Operation("sinc", unary(), ulp=4, scale="largest", errors=NOT_A_TENSOR),
    Operation("logit", unary("unit"), ulp=8, scale="largest", errors=NOT_A_TENSOR),
    Operation("tan", unary(), ulp=4, scale="largest", primitives=""),
    Operation("tanh", unary(), ulp=2, scale=_tanh_scale),
    *rows("erf erfc sigmoid", unary(), ulp=4),
    *rows("sinh cosh", unary(), ulp=4, errors=NOT_A_TENSOR),
    *rows("asin acos atanh", _share, ulp=8, scale="largest", errors=NOT_A_TENSOR),
    *rows("atan asinh", unary(), ulp=4, scale="largest", errors=NOT_A_TENSOR),
    Operation("acosh", _above_one, ulp=8, scale="largest", errors=NOT_A_TENSOR),
    *rows("exp2 deg2rad rad2deg", unary(), ulp=2, primitives=""),
    Operation("angle", unary(), ulp=1, primitives=""),
    *rows("isreal conj conj_physical resolve_conj resolve_neg", unary(), primitives=""),
    Operation("sgn", unary(), primitives="sign"),
    Operation("nan_to_num", unary(nan=(0.0, 2.5), posinf=(None, 3.0)), primitives=""),
    Operation("round to decimals", unary(decimals=(0, 1, 2, -1)), lambda t, x, decimals:
              t.round(x, decimals=decimals), ulp=1, primitives="round"),
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


def _between(make: Maker) -> Sample:
    x, y, weight = make.arrays(3)
    return make.sample(x, y, make.choice(0.25, 0.75, 2) if make.flag() else weight)


def _with_positive(make: Maker) -> Sample:
    shape, other = make.shapes(2)
    return make.sample(make.array(shape), make.array(other, "positive"))


def _whole_pair(make: Maker) -> Sample:
    return make.sample(*[make.array(shape, dtype="int64") for shape in make.shapes(2)])


def _shifted(make: Maker) -> Sample:
    x, y = _whole_pair(make).arguments
    return make.sample(x, np.abs(y) % 8)


def _sum_of_terms(engine: Any, x: Any, y: Any, **options: Any) -> Any:
    """|x| + |y|: the sum of absolute terms of a sum or difference."""
    return x + y


def _without_bools(given: Sample) -> bool:
    """PyTorch's formula subtracts the other operand, and refuses to where that is a bool."""
    return all(each.dtype != bool for each in given.arguments)


_arithmetic = partial(Operation, inputs=binary(first_number=True), errors=BROADCAST_ERRORS)
_scaled = partial(Operation, inputs=binary(alpha=(1, 2, -3, True, 0.5)), ulp=1, scale=_sum_of_terms)
_ternary = partial(Operation, ulp=2, primitives="", inputs=lambda make: make.sample(
    *make.arrays(3), value=make.choice(1, 2, -0.5)),
                   errors=(sample(TWO, TWO, THREE), sample(TWO, 1.0, 2.0)))  # fmt: skip
_BY_ZERO = (sample(_WHOLE, 0), *BROADCAST_ERRORS[:2])

_BINARY = [
    _arithmetic("add", function=lambda t, x, y: x + y),
    _arithmetic("sub", function=lambda t, x, y: x - y),
    _arithmetic("mul", function=lambda t, x, y: x * y),
    _arithmetic("div", function=lambda t, x, y: x / y, ulp=1),
    _scaled("add with alpha", function=lambda t, x, y, alpha: t.add(x, y, alpha=alpha),
            primitives="add"),
    _scaled("sub with alpha", function=lambda t, x, y, alpha: t.sub(x, y, alpha=alpha),
            primitives="sub"),
    Operation("rsub", binary(), primitives="sub"),
    Operation("div with rounding", binary(rounding_mode=("trunc", "floor")),
              lambda t, x, y, rounding_mode: t.div(x, y, rounding_mode=rounding_mode),
              primitives="rounded_div", errors=(sample(TWO, 2, rounding_mode="ceil"),)),
    Operation("floor_divide", binary(), lambda t, x, y: x // y, errors=(sample(_WHOLE, 0),)),
    *rows("remainder fmod", binary(), errors=_BY_ZERO),
    Operation("remainder of a number", lambda make: make.sample(make.number(), make.array()),
              lambda t, number, x: number % x, primitives="number_remainder",
              errors=(sample(5, np.array([0])),)),
    Operation("pow", _power, lambda t, x, y: x**y, ulp=2,
              errors=(sample(_WHOLE, -1), *BROADCAST_ERRORS[:2])),
    Operation("float_power", _power, ulp=2, primitives="pow"),
    _ternary("addcmul", scale=lambda t, x, y, z, value: x + abs(value) * y * z),
    _ternary("addcdiv", scale=lambda t, x, y, z, value: x + abs(value) * y / z),
    Operation("lerp", _between, ulp=4, scale=lambda t, x, y, w: x + (x + y) * w, primitives="",
              errors=(sample(TWO, THREE, 0.5), sample(TWO, 1.0, 0.5))),
    Operation("atan2", two_tensors, ulp=8, scale="largest", errors=BROADCAST_ERRORS),
    *rows("fmax fmin", two_tensors, primitives="", errors=BROADCAST_ERRORS),
    Operation("copysign", binary(), errors=BROADCAST_ERRORS),
    Operation("hypot", two_tensors, ulp=4, errors=BROADCAST_ERRORS),
    Operation("heaviside", two_tensors, differentiable=False, errors=BROADCAST_ERRORS),
    Operation("nextafter", two_tensors, differentiable=False, errors=BROADCAST_ERRORS),
    Operation("logaddexp", two_tensors, ulp=8, scale="largest", differentiable=_without_bools,
              errors=BROADCAST_ERRORS),
    Operation("logaddexp2", two_tensors, ulp=16, scale="largest", differentiable=_without_bools,
              primitives="logaddexp"),
    Operation("xlogy", _with_positive, ulp=4, scale="largest", errors=BROADCAST_ERRORS),
    *rows("gcd lcm", _whole_pair, errors=BROADCAST_ERRORS),
    *[Operation(f"bitwise_{way}_shift", _shifted, primitives=f"{way}_shift",
                errors=(sample(*[np.array([1.0, 2.0], np.float32)] * 2),))
      for way in ("left", "right")],
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


def _convertible(make: Maker) -> Any:
    """Finite numbers that every dtype holds: what else becomes is up to the processor."""
    if make.situation == "special":
        return np.abs(make.in_situation("halves").array())
    return make.array(numbers="positive")


def _converted(make: Maker) -> Sample:
    x = _convertible(make)
    kind = make.choice("float32", "float64", "int64", "int32", "uint8", "bool")
    return make.sample(x, kind)


def _with_gradient(make: Maker) -> Sample:
    x = make.array(dtype=make.floating())
    return make.sample(make.array(x.shape, dtype=x.dtype), x)


_CHOOSING = [
    *rows("maximum minimum", binary(), errors=BROADCAST_ERRORS),
    Operation("where", _choices,
              errors=(sample(TWO, TWO, TWO), sample(np.array([True, False]), TWO, THREE))),
    Operation("Tensor.where", _chosen, ulp=0, gradient_ulp=4, scale="terms",
              errors=(sample(TWO, TWO, TWO),)),
    Operation("clamp", _bounds, errors=(sample(TWO), *NOT_A_TENSOR)),
    *rows("clamp_min clamp_max", binary(), primitives="", errors=NOT_A_TENSOR),
    Operation("masked_fill", _masked, gradient_ulp=4, scale="terms", primitives="where",
              errors=(sample(TWO, TWO, 1.0), sample(TWO, np.array([True]), "text"))),
    Operation("Tensor.to", _converted, lambda t, x, kind: x.to(getattr(t, kind)),
              primitives="cast", errors=(sample(TWO, "text"),)),
    *rows("Tensor.float Tensor.double Tensor.int Tensor.long Tensor.byte Tensor.bool "
          "Tensor.half Tensor.bfloat16 Tensor.short Tensor.char",
          lambda make: make.sample(_converted(make).arguments[0]), primitives="cast"),
    Operation("Tensor.type_as", lambda make: make.sample(_converted(make).arguments[0],
                                                         make.array()), primitives="cast"),
    Operation("gradient of sign", _with_gradient, gradient_of(lambda t, x: t.sign(x)),
              primitives="zeros", public=False),
    Operation("gradient of relu", _with_gradient, gradient_of(lambda t, x: t.relu(x)),
              primitives="threshold_backward", public=False),
]  # fmt: skip

NUMBERS = [*_UNARY, *_BINARY, *_CHOOSING]


# Comparisons and tests, whose result is bool, and operations on bits

_LOGIC = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le,
          "gt": operator.gt, "ge": operator.ge}  # fmt: skip


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


COMPARISONS = [
    *[Operation(name, binary(first_number=True), lambda t, x, y, compare=compare: compare(x, y),
                errors=BROADCAST_ERRORS[:2]) for name, compare in _LOGIC.items()],
    *rows("logical_and logical_or logical_xor", binary(),
          errors=(*BROADCAST_ERRORS[:2], sample(TWO, 1.0))),
    Operation("logical_not", unary(), errors=NOT_A_TENSOR),
    *rows("bitwise_and bitwise_or bitwise_xor", _whole_numbers, errors=(sample(TWO, TWO),)),
    Operation("bitwise_not", lambda make: make.sample(make.array(dtype=make.choice(
        "int64", "int32", "uint8", "bool"))), errors=(sample(TWO),)),
    *rows("isnan isinf isfinite isposinf isneginf", unary(), errors=NOT_A_TENSOR),
    Operation("isclose", _near, errors=(sample(TWO, TWO, rtol=-1.0),)),
    Operation("allclose", _near, primitives="isclose"),
    Operation("equal", binary(), primitives="eq", errors=(sample(TWO, 1.0),)),
    Operation("is_nonzero", unary(), primitives="", errors=NOT_A_TENSOR),
    *rows("is_floating_point is_complex numel", unary(), primitives=""),
]  # fmt: skip


# Activation functions of networks


def _channels(make: Maker) -> Sample:
    """A tensor and a slope for each of its channels, or one for all."""
    x = make.array()
    channels = x.shape[1] if x.ndim > 1 else 1
    return make.sample(x, make.array((channels if make.flag() else 1,), dtype=x.dtype))


def _no_kink(given: Sample) -> bool:
    """No number where the slope jumps, and there is no second derivative."""
    x, options = given.arguments[0], given.options
    return not np.any(x == (options["threshold"] / options["beta"] if "beta" in options else 0))


def _halved(make: Maker) -> Sample:
    """One dimension of even size."""
    shape = list(make.shape(1))
    if not shape:
        return make.sample(make.array(()))
    axis = make.integer(0, len(shape) - 1)
    shape[axis] *= 2
    return make.sample(make.array(tuple(shape)), axis)


def _named_dim(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, dim=make.dim(x.ndim))


_CLIPPED: dict[str, Any] = {"min_val": (-1.0, -0.5), "max_val": (1.0, 2.0)}
_THRESHOLD: dict[str, Any] = {"threshold": (0.0, 0.5), "value": (-1.0, 2.0)}
# PyTorch takes the gradients of these from the results, where terms cancel.
_IN_PLACE: dict[str, dict[str, Any]] = {
    "relu": {}, "elu": {"alpha": (1.0, 0.5)}, "celu": {"alpha": (1.0, 0.5)}, "selu": {},
    "leaky_relu": {"negative_slope": (0.01, 0.5)}, "hardtanh": _CLIPPED, "threshold": _THRESHOLD,
    "rrelu": {"lower": (0.125,), "upper": (0.5,)},
}  # fmt: skip


def _activation(name: str, inputs: Inputs, *errors: Sample, **options: Any) -> Operation:
    return Operation(f"nn.functional.{name}", inputs, errors=errors, **options)


ACTIVATIONS = [
    _activation("hardtanh", unary(**_CLIPPED), sample(MATRIX, 1.0, -1.0),
                primitives="hardtanh constant_in"),
    _activation("relu6", unary(), primitives="hardtanh"),
    _activation("hardsigmoid", unary(), ulp=2, second_order=False),
    _activation("hardswish", unary(), ulp=4, scale="largest"),
    _activation("elu", unary(alpha=(1.0, 0.5)), ulp=4),
    _activation("celu", unary(alpha=(1.0, 0.5)), sample(MATRIX, 0.0), ulp=4, primitives="elu"),
    _activation("selu", unary(), ulp=4, primitives="elu"),
    _activation("leaky_relu", unary(negative_slope=(0.01, 0.5))),
    _activation("prelu", _channels, sample(MATRIX, TWO), ulp=4, scale="terms",
                second_order=_no_kink),
    _activation("threshold", unary(**_THRESHOLD), primitives="threshold threshold_gradient"),
    _activation("silu", unary(), *NOT_A_TENSOR, ulp=8, scale="largest"),
    _activation("gelu", unary(approximate=("none", "tanh")), sample(MATRIX, approximate="most"),
                ulp=16, scale="sight", primitives="erf"),
    _activation("mish", unary(), ulp=8, scale="largest", primitives=""),
    _activation("softplus", unary(beta=(1.0, 2.0), threshold=(20.0, 1.0)), ulp=4,
                second_order=_no_kink),
    _activation("logsigmoid", unary(), ulp=4, primitives="log_sigmoid"),
    _activation("softsign", unary(), ulp=2, scale="largest", primitives=""),
    _activation("tanhshrink", unary(), ulp=4, scale=lambda t, x: x + x.tanh(), primitives=""),
    _activation("glu", _halved, sample(MATRIX, 1), ulp=8, scale="largest", primitives=""),
    _activation("hardshrink", unary(lambd=(0.5, 1.0))),
    _activation("softshrink", unary(lambd=(0.5, 1.0)), sample(MATRIX, -1.0), ulp=1),
    _activation("rrelu", unary(lower=(0.125,), upper=(0.5, 0.25)), sample(MATRIX, 1.0, 0.5), ulp=1,
                primitives="leaky_relu"),
    *[_activation(f"{name}_", unary(**options), ulp=4, scale="sight", primitives="")
      for name, options in _IN_PLACE.items()],
    _activation("softmin", _named_dim, ulp=4, scale="sight", primitives="softmax"),
]  # fmt: skip
