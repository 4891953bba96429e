"""How an operation on single numbers is written in the generated source."""

from __future__ import annotations

_CALLS = (
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "cos", "cosh", "exp",
    "expm1", "floor", "isfinite", "isinf", "log", "log10", "log1p", "log2", "rint", "sin", "sinh",
    "sqrt", "tanh", "trunc",
)  # fmt: skip
"""NumPy's functions of one number."""
_CALLS_OF_TWO = ("copysign", "fmod", "hypot")
_OPERATORS = {
    "add": "+", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "div": "/", "eq": "==",
    "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "mul": "*", "ne": "!=", "pow": "**", "sub": "-",
}  # fmt: skip
_RELU6 = "np.minimum(np.maximum({0} + {type}(3), {zero}), {type}(6))"

EXPRESSIONS: dict[str, str] = {
    **{name: f"np.{name}({{0}})" for name in _CALLS},
    **{name: f"np.{name}({{0}}, {{1}})" for name in _CALLS_OF_TWO},
    **{name: f"{{0}} {sign} {{1}}" for name, sign in _OPERATORS.items()},
    **dict.fromkeys(("clone", "expand", "reshape"), "{0}"),
    **dict.fromkeys(("cast", "full"), "{type}({0})"),
    "abs": "abs({0})",
    "atan2": "np.arctan2({0}, {1})",
    "binary_cross_entropy": (
        "({1} - {one}) * np.maximum(np.log1p(-{0}), {type}(-100))"
        " - {1} * np.maximum(np.log({0}), {type}(-100))"
    ),
    "binary_cross_entropy_backward": (
        "{0} * ({1} - {2}) / np.maximum(({one} - {1}) * {1}, {type}(1e-12))"
    ),
    "binary_cross_entropy_with_logits": (
        "(np.log1p(np.exp(-abs({0}))) - np.minimum({0}, {zero}) + ({one} - {1}) * {0})"
    ),
    "bitwise_not": "~{0}",
    "elu": "({0} * {scale} if {0} > 0 else np.expm1({0} * {input_scale}) * ({alpha} * {scale}))",
    "erf": "{type}(math.erf({0}))",
    "erfc": "{type}(math.erfc({0}))",
    "floor_divide": "scalars.floor_divide({0}, {1})",
    "hardshrink": "({zero} if {0} >= -{lambd} and {0} <= {lambd} else {0})",
    "hardsigmoid": f"{_RELU6} / {{type}}(6)",
    "hardswish": f"{{0}} * {_RELU6} / {{type}}(6)",
    "huber": (
        "({type}(0.5) * {0} * {0} if abs({0}) < {delta}"
        " else {delta} * (abs({0}) - {type}(0.5) * {delta}))"
    ),
    "hardtanh": "({min_val} if {0} < {min_val} else {max_val} if {0} > {max_val} else {0})",
    "isnan": "{0} != {0}",
    "isneginf": "{0} == -np.inf",
    "isposinf": "{0} == np.inf",
    "leaky_relu": "({0} if {0} > 0 else {0} * {negative_slope})",
    "lgamma": "{type}(scalars.lgamma({0}))",
    "logaddexp": "{type}(np.logaddexp(np.float64({0}), np.float64({1})))",
    "log_sigmoid": "np.minimum({0}, {zero}) - np.log1p(np.exp(-abs({0})))",
    "logical_and": "({0} != 0) and ({1} != 0)",
    "logical_not": "{0} == 0",
    "logical_or": "({0} != 0) or ({1} != 0)",
    "logical_xor": "({0} != 0) != ({1} != 0)",
    "logit": "np.log({0} / ({one} - {0}))",
    "maximum": "({0} if {0} > {1} or {0} != {0} else {1})",
    "minimum": "({0} if {0} < {1} or {0} != {0} else {1})",
    "neg": "-{0}",
    "place": "{0} if j == {1} else {zero}",
    "prelu": "({0} if {0} > 0 else {1} * {0})",
    "reciprocal": "{one} / {0}",
    "relu": "{zero} if {0} < {zero} else {0}",
    "remainder": "scalars.remainder({0}, {1})",
    "sigmoid": "{one} / ({one} + np.exp(-{0}))",
    "sign": "{one} if {0} > 0 else {type}(-1) if {0} < 0 else {zero}",
    "silu": "{0} / ({one} + np.exp(-{0}))",
    "sinc": "({one} if {0} == 0 else np.sin({0} * {type}(np.pi)) / ({0} * {type}(np.pi)))",
    "smooth_l1": (
        "({type}(0.5) * {0} * {0} / {beta} if abs({0}) < {beta}"
        " else abs({0}) - {type}(0.5) * {beta})"
    ),
    "softplus": (
        "({0} if {0} * {beta} > {threshold}"
        " else {type}(np.log1p(np.exp(np.float64({0}) * {beta})) / {beta}))"
    ),
    "softshrink": (
        "({0} - {lambd} if {0} > {lambd} else {0} + {lambd} if {0} < -{lambd}"
        " else {zero} if {0} == {0} else {0})"
    ),
    "threshold": "({value} if {0} <= {threshold} else {0})",
    "threshold_backward": "{zero} if {1} <= {zero} else {0}",
    "threshold_gradient": "({zero} if {1} <= {threshold} else {0})",
    "where": "({1} if {0} else {2})",
    "xlogy": "({zero} if {0} == 0 and {1} == {1} else {0} * np.log({1}))",
    "zeros": "{zero}",
}
"""{0}, {1}, {2} stand for the operands, {zero}, {one} and {type} for those of the result's type,
the other names for attributes."""

_WHOLE = {
    "floor_divide": "whole_quotient", "fmod": "whole_fmod", "pow": "whole_power",
    "remainder": "whole_remainder",
}  # fmt: skip
OF_WHOLE_NUMBERS: dict[str, str] = {
    **dict.fromkeys(("ceil", "floor", "rint", "trunc"), "{0}"),
    **{
        name: f"scalars.{function}(np.int64({{0}}), np.int64({{1}}))"
        for name, function in _WHOLE.items()
    },
}
"""Operations that are others for whole numbers."""

DIVISIONS = ("floor_divide", "fmod", "remainder")
"""Of whole numbers, these have no result where the second is 0."""
