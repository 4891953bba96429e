"""Hyperbolic functions, the inverses of the circular and hyperbolic ones, and angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, torch_arguments
from .choosing import where
from .exponential import sin, sqrt

__all__ = [
    "acos",
    "acosh",
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
    "cosh",
    "deg2rad",
    "rad2deg",
    "sinc",
    "sinh",
]

_floating = dtypes.promote_to_floating


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
