"""Functions that look at a number's sign, or at infinities and NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, TensorBase, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented, torch_arguments
from .arithmetic import abs as absolute
from .arithmetic import sign
from .casting import cast_to, clone, zeros
from .choosing import where
from .comparisons import isnan, signbit

__all__ = [
    "copysign",
    "fmax",
    "fmin",
    "heaviside",
    "hypot",
    "nan_to_num",
    "nextafter",
    "sgn",
]


@torch_arguments
def sgn(input: Tensor) -> Tensor:
    """`sign`: for real numbers the two are the same."""
    check_tensors("sgn", input=input)
    return named_as(sign(input), "SgnBackward0")


@torch_arguments
def copysign(input: Tensor, other: Any) -> Tensor:
    """|x| with the sign of y (a tensor or a number), broadcast.

    >>> import tinygrad_mnist as torch
    >>> torch.copysign(torch.tensor([1.0, -2.0]), -1)
    tensor([-1., -2.])
    """
    check_tensors("copysign", input=input)
    with_tensor = isinstance(other, TensorBase)
    values = (input._array, other._array if with_tensor else other)
    kind = dtypes.to_floating(dtypes.promote(values))
    x = cast_to(input, kind)
    if not with_tensor:
        signs: Any = math.copysign(1.0, other)
    else:
        y = cast_to(other, kind)
        signs = sign(sign(y) + where(signbit(y), -0.5, 0.5))
    return named_as(absolute(x) * signs, f"CopysignBackward{0 if with_tensor else 1}")


def _unless_nan(name: str, input: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    check_tensors(name, input=input, other=other)
    kind = dtypes.promote((input._array, other._array))
    return cast_to(input, kind), cast_to(other, kind)


@torch_arguments
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger number at each place, broadcast; NaN only where both are NaN."""
    x, y = _unless_nan("fmax", input, other)
    return named_as(where((x >= y) | isnan(y), x, y), "FmaxBackward0")


@torch_arguments
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller number at each place, broadcast; NaN only where both are NaN."""
    x, y = _unless_nan("fmin", input, other)
    return named_as(where((x <= y) | isnan(y), x, y), "FminBackward0")


@torch_arguments
def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """The numbers with NaN replaced by `nan`, ∞ by `posinf`, −∞ by `neginf`.

    The largest and the lowest number of the type unless given. Whole numbers stay as they are.

    >>> import tinygrad_mnist as torch
    >>> torch.nan_to_num(torch.tensor([float("nan"), 1.0]))
    tensor([0., 1.])
    """
    check_tensors("nan_to_num", input=input)
    if input._array.dtype.kind != "f":
        return clone(input)
    limits = np.finfo(input._array.dtype)
    x = input.detach()
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    out = where(isnan(x), 0.0 if nan is None else nan, input)
    out = where(x == -math.inf, low, where(x == math.inf, high, out))
    return named_as(out, "NanToNumBackward0")


@torch_arguments
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 for negative numbers, 1 for positive ones, and `values` where they are 0."""
    check_tensors("heaviside", input=input, values=values)
    if input._array.dtype != values._array.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    x = input.detach()
    return cast_to(where(x == 0, values.detach(), cast_to(x > 0, input.dtype)), input.dtype)


@primitive(promotion=dtypes.promote)
def _hypot(input: Array, other: Array) -> Any:
    """√(x² + y²)"""
    if input.dtype.kind != "f":
        raise not_implemented("hypot_cpu", input.dtype)
    return np.hypot(input, other)


_hypot.derivatives(
    input=lambda g, input, out: g * (input / out),
    other=lambda g, other, out: g * (other / out),
)


@torch_arguments
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """√(x² + y²), broadcast, without overflow.

    >>> import tinygrad_mnist as torch
    >>> torch.hypot(torch.tensor([3.0]), torch.tensor([4.0]))
    tensor([5.])
    """
    check_tensors("hypot", input=input, other=other)
    return _hypot(input, other)


@primitive(promotion=dtypes.promote)
def _nextafter(input: Array, other: Array) -> Any:
    """the next number from x towards y"""
    if input.dtype.kind != "f":
        raise not_implemented("nextafter_cpu", input.dtype)
    return np.nextafter(input, other)


_nextafter.derivatives(
    input=lambda g, input, other: where(input == other, 0.0, g), other=lambda g: zeros(g)
)


@torch_arguments
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number that the type holds, from x towards y, broadcast."""
    check_tensors("nextafter", input=input, other=other)
    return _nextafter(input, other)
