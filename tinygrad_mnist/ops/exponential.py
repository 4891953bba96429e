"""Exponentials, logarithms, roots and their kin, number by number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, torch_arguments

__all__ = [
    "cos",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "rsqrt",
    "sigmoid",
    "sin",
    "sqrt",
    "tan",
    "tanh",
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
