"""What PyTorch asks of complex numbers, answered for real ones."""

from __future__ import annotations

import math

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors
from .arithmetic import abs as absolute
from .arithmetic import sign
from .casting import cast_to
from .choosing import where
from .comparisons import eq, isnan

__all__ = [
    "angle",
    "conj",
    "conj_physical",
    "isreal",
    "resolve_conj",
    "resolve_neg",
]


def conj(input: Tensor) -> Tensor:
    """The tensor itself: its numbers are real."""
    check_tensors("conj", input=input)
    return input


def isreal(input: Tensor) -> Tensor:
    """Whether each number is real: all are."""
    check_tensors("isreal", input=input)
    return eq(input, input) | isnan(input)


def angle(input: Tensor) -> Tensor:
    """π for negative numbers, 0 for others."""
    check_tensors("angle", input=input)
    x = cast_to(input, dtypes.to_floating(input.dtype))
    nothing = absolute(sign(x)) * 0
    known = where(x.detach() < 0, math.pi, nothing)
    return named_as(where(isnan(x), x.detach(), known), "AngleBackward0")


conj_physical, resolve_conj, resolve_neg = conj, conj, conj
