"""Other names of an operation: methods, operators, and the aliases that PyTorch has.

A row is tried by all of its names in turn, so that each is held against PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import tinygrad_mnist

from .operation import Operation

__all__ = ["spelled"]

_ALIASES = {
    "abs": ("absolute",),
    "asin": ("arcsin",),
    "acos": ("arccos",),
    "atan": ("arctan",),
    "atan2": ("arctan2",),
    "asinh": ("arcsinh",),
    "acosh": ("arccosh",),
    "atanh": ("arctanh",),
    "mul": ("multiply",),
    "div": ("divide", "true_divide"),
    "sub": ("subtract",),
    "neg": ("negative",),
    "clamp": ("clip",),
    "trunc": ("fix",),
    "gt": ("greater",),
    "ge": ("greater_equal",),
    "lt": ("less",),
    "le": ("less_equal",),
    "ne": ("not_equal",),
    "cat": ("concat", "concatenate"),
    "vstack": ("row_stack",),
    "outer": ("ger",),
    "transpose": ("swapaxes", "swapdims"),
    "relu": ("nn.functional.relu",),
    "sigmoid": ("nn.functional.sigmoid",),
    "tanh": ("nn.functional.tanh",),
    "softmax": ("nn.functional.softmax",),
    "log_softmax": ("nn.functional.log_softmax",),
    "matmul": ("linalg.matmul",),
    "nn.functional.conv1d": ("conv1d",),
    "nn.functional.conv2d": ("conv2d",),
    "nn.functional.conv_transpose1d": ("conv_transpose1d",),
    "nn.functional.conv_transpose2d": ("conv_transpose2d",),
    "nn.functional.avg_pool1d": ("avg_pool1d",),
    "nn.functional.adaptive_avg_pool1d": ("adaptive_avg_pool1d",),
    **{
        f"nn.functional.{name}": (name,)
        for name in (
            "bilinear",
            "celu",
            "celu_",
            "channel_shuffle",
            "cosine_similarity",
            "hardshrink",
            "pairwise_distance",
            "pdist",
            "pixel_shuffle",
            "pixel_unshuffle",
            "prelu",
            "relu_",
            "rms_norm",
            "rrelu",
            "rrelu_",
            "selu",
            "selu_",
            "threshold",
            "threshold_",
        )
    },
}

_OPERATORS = {
    "abs": ("abs",),
    "add": ("add", "radd"),
    "bitwise_and": ("and", "rand"),
    "bitwise_left_shift": ("lshift",),
    "bitwise_not": ("invert",),
    "bitwise_or": ("or", "ror"),
    "bitwise_right_shift": ("rshift",),
    "bitwise_xor": ("xor", "rxor"),
    "div": ("truediv", "rtruediv"),
    "eq": ("eq",),
    "floor_divide": ("floordiv", "rfloordiv"),
    "ge": ("ge",),
    "gt": ("gt",),
    "le": ("le",),
    "lt": ("lt",),
    "matmul": ("matmul",),
    "mul": ("mul", "rmul"),
    "ne": ("ne",),
    "neg": ("neg",),
    "positive": ("pos",),
    "pow": ("pow", "rpow"),
    "remainder": ("mod", "rmod"),
    "sub": ("sub", "rsub"),
}

_IN_PLACE_OPERATORS = {
    "Tensor.add_": "iadd",
    "Tensor.bitwise_and_": "iand",
    "Tensor.bitwise_or_": "ior",
    "Tensor.bitwise_xor_": "ixor",
    "Tensor.div_": "itruediv",
    "Tensor.floor_divide_": "ifloordiv",
    "Tensor.mul_": "imul",
    "Tensor.pow_": "ipow",
    "Tensor.remainder_": "imod",
    "Tensor.sub_": "isub",
}

_NOT_THE_FUNCTION = ("bernoulli", "multinomial", "where")
"""Their methods have rows of their own: they take other arguments."""


def spelled(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The rows, each with the other names that the package has for it."""
    return tuple(replace(row, also=_others(row)) for row in operations)


def _others(row: Operation) -> tuple[str, ...]:
    name = row.name
    if name.startswith("Tensor.") and name.endswith("_"):
        plain = name.removeprefix("Tensor.").removesuffix("_")
        names = [f"Tensor.{alias}_" for alias in _ALIASES.get(plain, ()) if alias.isidentifier()]
        if name in _IN_PLACE_OPERATORS:
            names.append(f"Tensor.__{_IN_PLACE_OPERATORS[name]}__")
    else:
        names = [*_ALIASES.get(name, ())]
        if name not in _NOT_THE_FUNCTION:
            names += [f"Tensor.{each}" for each in (name, *names) if each.isidentifier()]
        names += [f"Tensor.__{operator}__" for operator in _OPERATORS.get(name, ())]
    return tuple(each for each in names if _exists(each))


def _exists(name: str) -> bool:
    if name.startswith("Tensor."):
        return hasattr(tinygrad_mnist.Tensor, name.removeprefix("Tensor."))
    found = tinygrad_mnist
    for part in name.split("."):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True
