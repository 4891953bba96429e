"""Comparisons and tests: operations whose result is bool and that no gradient passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented, torch_arguments

__all__ = [
    "allclose",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "le",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "not_equal",
    "signbit",
]


def _after_a_tensor(values: tuple[Any, ...]) -> dtypes.dtype:
    """The common type, if the first operand is a Tensor: PyTorch compares in this order only."""
    if not isinstance(values[0], np.ndarray):
        raise TypeError(
            "comparisons take a Tensor first, then a Tensor or a number, "
            f"not {type(values[0]).__name__} first"
        )
    return dtypes.promote(values)


@primitive(promotion=_after_a_tensor, ufunc=np.equal)
def eq(input: Array, other: Array) -> Any:
    """x = y"""
    return np.equal(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.not_equal)
def ne(input: Array, other: Array) -> Any:
    """x ≠ y"""
    return np.not_equal(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.less)
def lt(input: Array, other: Array) -> Any:
    """x < y"""
    return np.less(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.less_equal)
def le(input: Array, other: Array) -> Any:
    """x ≤ y"""
    return np.less_equal(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.greater)
def gt(input: Array, other: Array) -> Any:
    """x > y"""
    return np.greater(input, other)


@primitive(promotion=_after_a_tensor, ufunc=np.greater_equal)
def ge(input: Array, other: Array) -> Any:
    """x ≥ y"""
    return np.greater_equal(input, other)


@primitive
def isnan(input: Array) -> Any:
    """whether x is not a number"""
    return np.isnan(input)


@primitive
def isinf(input: Array) -> Any:
    """whether x is ∞ or −∞"""
    return np.isinf(input)


@primitive
def isposinf(input: Array) -> Any:
    """whether x is ∞"""
    return np.equal(input, np.inf)


@primitive
def isneginf(input: Array) -> Any:
    """whether x is −∞"""
    return np.equal(input, -np.inf)


@primitive
def isfinite(input: Array) -> Any:
    """whether x is neither infinite nor NaN"""
    return np.isfinite(input)


@primitive
def signbit(input: Array) -> Any:
    """whether x bears a minus sign"""
    return np.signbit(input) if input.dtype.kind == "f" else np.less(input, 0)


@primitive
def logical_not(input: Array) -> Any:
    """not x"""
    return np.logical_not(input)


@primitive
def _logical_and(input: Array, other: Array) -> Any:
    """x and y"""
    return np.logical_and(input, other)


@primitive
def _logical_or(input: Array, other: Array) -> Any:
    """x or y"""
    return np.logical_or(input, other)


@primitive
def _logical_xor(input: Array, other: Array) -> Any:
    """x or y, not both"""
    return np.logical_xor(input, other)


@torch_arguments
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Where neither is zero, broadcast."""
    check_tensors("logical_and", input=input, other=other)
    return _logical_and(input, other)


@torch_arguments
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Where not both are zero, broadcast."""
    check_tensors("logical_or", input=input, other=other)
    return _logical_or(input, other)


@torch_arguments
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Where just one is zero, broadcast."""
    check_tensors("logical_xor", input=input, other=other)
    return _logical_xor(input, other)


def _of_a_tensor(values: tuple[Any, ...]) -> dtypes.dtype:
    """The common type; TypeError for numbers alone."""
    if not any(isinstance(value, np.ndarray) for value in values):
        given = ", ".join(type(value).__name__ for value in values)
        raise TypeError(f"bitwise operations take a Tensor and a Tensor or a number, not ({given})")
    return dtypes.promote(values)


def _refuse_floats(name: str, *operands: Any) -> None:
    for operand in operands:
        kind = np.asarray(operand).dtype
        if kind.kind == "f":
            raise not_implemented(f"{name}_cpu", kind)


@primitive(promotion=_of_a_tensor, ufunc=np.bitwise_and)
def bitwise_and(input: Array, other: Array) -> Any:
    """x & y, bit by bit"""
    _refuse_floats("bitwise_and", input, other)
    return np.bitwise_and(input, other)


@primitive(promotion=_of_a_tensor, ufunc=np.bitwise_or)
def bitwise_or(input: Array, other: Array) -> Any:
    """x | y, bit by bit"""
    _refuse_floats("bitwise_or", input, other)
    return np.bitwise_or(input, other)


@primitive(promotion=_of_a_tensor, ufunc=np.bitwise_xor)
def bitwise_xor(input: Array, other: Array) -> Any:
    """x ^ y, bit by bit"""
    _refuse_floats("bitwise_xor", input, other)
    return np.bitwise_xor(input, other)


@primitive
def bitwise_not(input: Array) -> Any:
    """~x, bit by bit"""
    _refuse_floats("bitwise_not", input)
    return np.bitwise_not(input)


@primitive
def _isclose(input: Array, other: Array, *, rtol: float, atol: float, equal_nan: bool) -> Any:
    """|x − y| ≤ atol + rtol · |y|"""
    if input.dtype.kind != "f":
        difference = np.abs(np.subtract(input, other, dtype=np.float64))
        return difference <= atol + rtol * np.abs(np.asarray(other, np.float64))
    near = np.abs(input - other) <= atol + np.abs(rtol * other)
    close = np.equal(input, other) | (near & np.isfinite(input) & np.isfinite(other))
    return close | (np.isnan(input) & np.isnan(other)) if equal_nan else close


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where |input − other| ≤ atol + rtol · |other|, as a bool tensor.

    Raises RuntimeError when the two have different types.
    """
    check_tensors("isclose", input=input, other=other)
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"{input.dtype.legacy_name} did not match {other.dtype.legacy_name}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value:g}")
    return _isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether `isclose` holds everywhere.

    >>> import tinygrad_mnist as torch
    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether the two have the same shape and the same numbers.

    >>> import tinygrad_mnist as torch
    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    check_tensors("equal", input=input, other=other)
    if input._array.shape != other._array.shape:
        return False
    return bool(eq(input, other)._array.all())


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
