"""Functions made of logarithms, without overflow where the numbers are large."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, TensorBase, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_some_tensor, check_tensors, not_implemented, read_dim, torch_arguments
from .casting import cast_to, clone
from .choosing import clamp, where
from .exponential import exp, log

__all__ = [
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logit",
    "xlogy",
]


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
