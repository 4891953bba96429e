"""Operations on whole numbers: divisors, multiples, shifts of bits, powers of two."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_some_tensor, check_tensors, not_implemented, torch_arguments
from .arithmetic import mul, pow

__all__ = [
    "bitwise_left_shift",
    "bitwise_right_shift",
    "gcd",
    "lcm",
    "ldexp",
]


def _refuse(kernel: str, kinds: str, array: Array) -> None:
    if array.dtype.kind in kinds:
        raise not_implemented(kernel, array.dtype)


@primitive(promotion=dtypes.promote)
def _gcd(input: Array, other: Array) -> Any:
    """the largest number that divides x and y"""
    _refuse("gcd_cpu", "bf", input)
    return np.gcd(input, other)


@primitive(promotion=dtypes.promote)
def _lcm(input: Array, other: Array) -> Any:
    """the smallest number that x and y divide"""
    _refuse("lcm_cpu", "bf", input)
    return np.lcm(input, other)


@primitive(promotion=dtypes.promote)
def _left_shift(input: Array, other: Array) -> Any:
    """x · 2ʸ, bits shifted out are lost"""
    _refuse("lshift_cpu", "bf", input)
    return np.where(_beyond(input, other), input.dtype.type(0), np.left_shift(input, other))


@primitive(promotion=dtypes.promote)
def _right_shift(input: Array, other: Array) -> Any:
    """⌊x / 2ʸ⌋"""
    _refuse("rshift_cpu", "bf", input)
    last = input.dtype.itemsize * 8 - 1
    return np.right_shift(input, np.where(_beyond(input, other), last, other).astype(input.dtype))


def _beyond(x: Array, step: Array) -> Any:
    """Where a shift moves all bits out: PyTorch's answer to a shift that C leaves undefined."""
    return (step < 0) | (step >= x.dtype.itemsize * 8)


@torch_arguments
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor, broadcast.

    >>> import tinygrad_mnist as torch
    >>> torch.gcd(torch.tensor([12, 5]), torch.tensor([18, 0]))
    tensor([6, 5])
    """
    check_tensors("gcd", input=input, other=other)
    return _gcd(input, other)


@torch_arguments
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple, broadcast."""
    check_tensors("lcm", input=input, other=other)
    return _lcm(input, other)


@torch_arguments
def bitwise_left_shift(input: Any, other: Any) -> Tensor:
    """x · 2ʸ for whole numbers, broadcast; one may be a number."""
    check_some_tensor("bitwise_left_shift", input, other)
    return _left_shift(input, other)


@torch_arguments
def bitwise_right_shift(input: Any, other: Any) -> Tensor:
    """⌊x / 2ʸ⌋ for whole numbers, broadcast; one may be a number."""
    check_some_tensor("bitwise_right_shift", input, other)
    return _right_shift(input, other)


@torch_arguments
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """x · 2ʸ, broadcast, in floating point."""
    check_tensors("ldexp", input=input, other=other)
    return named_as(mul(input, pow(2.0, other)), "LdexpBackward0")
