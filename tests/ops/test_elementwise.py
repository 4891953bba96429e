"""Element-wise operations, held against PyTorch."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import samples as s
from tests.ops.harness import Operation, check

FLOATING = ("float32", "float64", "int64", "uint8", "bool")

BINARY = [
    Operation("add", lambda t, x, y: operator.add(x, y), s.binary()),
    Operation("sub", lambda t, x, y: operator.sub(x, y), s.binary()),
    Operation("mul", lambda t, x, y: operator.mul(x, y), s.binary()),
    Operation("div", lambda t, x, y: operator.truediv(x, y), s.binary(), ulp=1, grad_ulp=4),
    Operation("floordiv", lambda t, x, y: x // y, s.binary(), differentiable=False),
    Operation("mod", lambda t, x, y: x % y, s.binary(), grad_ulp=2),
    Operation("pow", lambda t, x, y: x**y,
              s.binary().filter(lambda sample: sample.arguments[0] is not True), ulp=2, grad_ulp=8,
              second_order=lambda sample: np.all(sample.arguments[0])),
    Operation("torch.add", lambda t, x, y, **o: t.add(x, other=y, **o),
              s.binary(scalars="second", alpha=st.sampled_from([1, 2, 0.5, True])),
              ulp=1, measure="largest"),
    Operation("torch.sub", lambda t, x, y, **o: t.sub(input=x, other=y, **o),
              s.binary(scalars="second", alpha=st.sampled_from([1, 3, -0.5])),
              ulp=1, measure="largest"),
    Operation("torch.mul", lambda t, x, y: t.mul(input=x, other=y), s.binary(scalars="second")),
    Operation("Tensor.mul", lambda t, x, y: x.mul(other=y), s.binary(scalars="second")),
    Operation("torch.div", lambda t, x, y, **o: t.div(x, y, **o),
              s.binary(scalars="second",
                       rounding_mode=st.sampled_from(["trunc", "floor", "ceil"])),
              ulp=1, grad_ulp=4),
    Operation("fmod", lambda t, x, y: t.fmod(x, y), s.binary(scalars="second"), grad_ulp=2),
    Operation("float_power", lambda t, x, y: t.float_power(x, y),
              s.binary(numbers=s.FINITE, scalars="second"), ulp=2,
              grad_ulp=8, second_order=lambda sample: np.all(sample.arguments[0])),
    Operation("lerp", lambda t, x, y: t.lerp(x, y, 0.25), s.binary(s.FLOATS, scalars="none"), ulp=4,
              measure="largest"),
    Operation("rsub", lambda t, x, y: t.rsub(x, y), s.binary(scalars="second")),
    Operation("maximum", lambda t, x, y: t.maximum(x, y), s.binary(scalars="second")),
    Operation("minimum", lambda t, x, y: t.minimum(x, y), s.binary(scalars="second")),
    Operation("clamp", lambda t, x, low, high: t.clamp(x, low, high),
              st.builds(lambda x, low, high: s.Sample([x, low, high]), s.arrays(kinds=s.KINDS),
                        st.sampled_from([None, -1, 0.5, 2]), st.sampled_from([None, 0, 1, 1.5]))),
    Operation("clamp_min", lambda t, x, y: t.clamp_min(x, y), s.binary(scalars="second")),
    Operation("clamp_max", lambda t, x, y: t.clamp_max(x, y), s.binary(scalars="second")),
    Operation("clamp with tensors", lambda t, x, y: t.clamp(x, max=y), s.binary(scalars="none")),
]  # fmt: skip

UNARY = [
    Operation("neg", lambda t, x: -x, s.unary()),
    Operation("exp", lambda t, x: t.exp(x), s.unary(kinds=FLOATING), ulp=2),
    Operation("log", lambda t, x: x.log(), s.unary(kinds=FLOATING), ulp=2),
    Operation("sqrt", lambda t, x: t.sqrt(x), s.unary(kinds=FLOATING), ulp=1),
    Operation("tanh", lambda t, x: t.tanh(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=8,
              measure="largest"),
    Operation("exp2", lambda t, x: t.exp2(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=4),
    Operation("expm1", lambda t, x: t.expm1(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=4,
              measure="largest"),
    Operation("log2", lambda t, x: t.log2(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=4),
    Operation("log10", lambda t, x: t.log10(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=4),
    Operation("log1p", lambda t, x: t.log1p(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=4),
    Operation("rsqrt", lambda t, x: t.rsqrt(x), s.unary(kinds=FLOATING), ulp=2, grad_ulp=8),
    Operation("sin", lambda t, x: t.sin(x), s.unary(kinds=FLOATING, numbers=s.FINITE), ulp=4,
              measure="largest"),
    Operation("cos", lambda t, x: t.cos(x), s.unary(kinds=FLOATING, numbers=s.FINITE), ulp=4,
              measure="largest"),
    Operation("tan", lambda t, x: t.tan(x), s.unary(kinds=FLOATING, numbers=s.FINITE), ulp=8,
              grad_ulp=16, measure="largest"),
    Operation("erf", lambda t, x: t.erf(x), s.unary(kinds=FLOATING), ulp=4, grad_ulp=8),
    Operation("gelu", lambda t, x, **o: t.nn.functional.gelu(x, **o),
              s.unary(kinds=s.FLOATS, numbers=s.FINITE,
                      approximate=st.sampled_from(("none", "tanh"))),
              ulp=8, grad_ulp=32, measure="largest"),
    Operation("frac", lambda t, x: t.frac(x), s.unary()),
    Operation("signbit", lambda t, x: t.signbit(x), s.unary(kinds=("float32", "int64", "uint8"))),
    Operation("isposinf", lambda t, x: t.isposinf(x), s.unary()),
    Operation("isneginf", lambda t, x: t.isneginf(x), s.unary()),
    Operation("positive", lambda t, x: +x, s.unary()),
    Operation("sigmoid", lambda t, x: t.sigmoid(x), s.unary(kinds=FLOATING), ulp=4, grad_ulp=8),
    Operation("relu", lambda t, x: t.relu(x), s.unary()),
    Operation("abs", lambda t, x: abs(x), s.unary()),
    Operation("floor", lambda t, x: t.floor(x), s.unary()),
    Operation("ceil", lambda t, x: t.ceil(x), s.unary()),
    Operation("trunc", lambda t, x: t.trunc(x), s.unary()),
    Operation("round", lambda t, x, **o: t.round(x, **o),
              s.unary(decimals=st.sampled_from([0, 1, 2, -1])), ulp=1),
    Operation("sign", lambda t, x: t.sign(x), s.unary()),
    Operation("square", lambda t, x: t.square(x), s.unary()),
    Operation("reciprocal", lambda t, x: t.reciprocal(x), s.unary(kinds=FLOATING), ulp=1,
              grad_ulp=4),
    Operation("clone", lambda t, x: t.clone(x), s.unary()),
    Operation("isnan", lambda t, x: t.isnan(x), s.unary()),
    Operation("isinf", lambda t, x: t.isinf(x), s.unary()),
    Operation("isfinite", lambda t, x: t.isfinite(x), s.unary()),
    Operation("logical_not", lambda t, x: t.logical_not(x), s.unary()),
    Operation("bitwise_not", lambda t, x: ~x, s.unary()),
]  # fmt: skip

COMPARISONS = [
    Operation("eq", lambda t, x, y: x == y, s.binary()),
    Operation("ne", lambda t, x, y: x != y, s.binary()),
    Operation("lt", lambda t, x, y: x < y, s.binary()),
    Operation("le", lambda t, x, y: x <= y, s.binary()),
    Operation("gt", lambda t, x, y: x > y, s.binary()),
    Operation("ge", lambda t, x, y: x >= y, s.binary()),
    Operation("and", lambda t, x, y: x & y, s.binary(kinds=("bool", "uint8", "int32", "int64"))),
    Operation("or", lambda t, x, y: x | y, s.binary(kinds=("bool", "uint8", "int32", "int64"))),
    Operation("xor", lambda t, x, y: x ^ y, s.binary(kinds=("bool", "uint8", "int32", "int64"))),
    Operation("logical_and", lambda t, x, y: t.logical_and(x, y), s.binary(scalars="second")),
    Operation("logical_or", lambda t, x, y: t.logical_or(x, y), s.binary(scalars="second")),
    Operation("logical_xor", lambda t, x, y: t.logical_xor(x, y), s.binary(scalars="second")),
    Operation("isclose", lambda t, x, y, **o: t.isclose(x, y, **o),
              s.binary(scalars="none", equal_nan=st.booleans(),
                       rtol=st.sampled_from([1e-5, 0.5, 0.0]))),
    Operation("allclose", lambda t, x, y, **o: t.allclose(x, y, **o),
              s.binary(scalars="none", equal_nan=st.booleans(), atol=st.sampled_from([1e-8, 3.0]))),
    Operation("equal", lambda t, x, y: t.equal(x, y), s.binary(scalars="none")),
]  # fmt: skip


@st.composite
def choices(draw):
    """A condition and what to choose from, tensors or numbers."""
    condition, first, second = draw(s.broadcast_shapes(3, fitting=False))
    mask = draw(s.arrays(condition, ("bool", "bool", "bool", "uint8", "float32")))
    x, y = draw(s.arrays(first, s.KINDS)), draw(s.arrays(second, s.KINDS))
    way = draw(st.sampled_from(("both", "both", "first", "second", "neither")))
    x = draw(s.python_numbers) if way in ("second", "neither") else x
    y = draw(s.python_numbers) if way in ("first", "neither") else y
    return s.Sample([mask, x, y], {}, draw(s.seeds))


CHOICE = Operation("where", lambda t, c, x, y: t.where(c, x, y), choices())


@pytest.mark.parametrize("operation", [*BINARY, *UNARY, *COMPARISONS, CHOICE], ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
