"""Comparisons and tests: operations whose result is bool and that no gradient passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import TensorBase

from .elementwise import _same

__all__ = [
    "allclose",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "eq",
    "equal",
    "ge",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
]

Tensor = Any


@primitive(promotion=_same)
def eq(input, other):
    """x = y"""
    return np.equal(input, other)


@primitive(promotion=_same)
def ne(input, other):
    """x ≠ y"""
    return np.not_equal(input, other)


@primitive(promotion=_same)
def lt(input, other):
    """x < y"""
    return np.less(input, other)


@primitive(promotion=_same)
def le(input, other):
    """x ≤ y"""
    return np.less_equal(input, other)


@primitive(promotion=_same)
def gt(input, other):
    """x > y"""
    return np.greater(input, other)


@primitive(promotion=_same)
def ge(input, other):
    """x ≥ y"""
    return np.greater_equal(input, other)


@primitive
def isnan(input):
    """whether x is not a number"""
    return np.isnan(input)


@primitive
def isinf(input):
    """whether x is ∞ or −∞"""
    return np.isinf(input)


@primitive
def isfinite(input):
    """whether x is neither infinite nor NaN"""
    return np.isfinite(input)


@primitive
def logical_not(input):
    """not x"""
    return np.logical_not(input)


@primitive
def logical_and(input, other):
    """x and y"""
    return np.logical_and(input, other)


@primitive
def logical_or(input, other):
    """x or y"""
    return np.logical_or(input, other)


@primitive
def logical_xor(input, other):
    """x or y, not both"""
    return np.logical_xor(input, other)


def _refuse_floats(name, *operands):
    for operand in operands:
        if np.asarray(operand).dtype.kind == "f":
            kind = "Double" if np.asarray(operand).dtype == np.float64 else "Float"
            raise RuntimeError(f'"{name}_cpu" not implemented for \'{kind}\'')


@primitive(promotion=_same, ufunc=np.bitwise_and)
def bitwise_and(input, other):
    """x & y, bit by bit"""
    _refuse_floats("bitwise_and", input, other)
    return np.bitwise_and(input, other)


@primitive(promotion=_same, ufunc=np.bitwise_or)
def bitwise_or(input, other):
    """x | y, bit by bit"""
    _refuse_floats("bitwise_or", input, other)
    return np.bitwise_or(input, other)


@primitive(promotion=_same, ufunc=np.bitwise_xor)
def bitwise_xor(input, other):
    """x ^ y, bit by bit"""
    _refuse_floats("bitwise_xor", input, other)
    return np.bitwise_xor(input, other)


@primitive
def bitwise_not(input):
    """~x, bit by bit"""
    _refuse_floats("bitwise_not", input)
    return np.bitwise_not(input)


@primitive(promotion=_same)
def _isclose(input, other, *, rtol, atol, equal_nan):
    """|x − y| ≤ atol + rtol · |y|"""
    if np.asarray(input).dtype.kind != "f":
        difference = np.abs(np.subtract(input, other, dtype=np.float64))
        return difference <= atol + rtol * np.abs(np.asarray(other, np.float64))
    close = np.equal(input, other)
    with np.errstate(invalid="ignore"):
        near = np.abs(input - other) <= atol + np.abs(rtol * other)
    close = close | (near & np.isfinite(input) & np.isfinite(other))
    return close | (np.isnan(input) & np.isnan(other)) if equal_nan else close


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where |input − other| ≤ atol + rtol · |other|, as a bool tensor.

    Raises RuntimeError when the two have different types.
    """
    if input.dtype is not other.dtype:
        raise RuntimeError(
            f"{input.dtype.legacy_name} did not match {other.dtype.legacy_name}: "
            "convert one of the tensors with .to(dtype)"
        )
    if rtol < 0 or atol < 0:
        name, value = ("rtol", rtol) if rtol < 0 else ("atol", atol)
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
    for position, given in enumerate((input, other)):
        if not isinstance(given, TensorBase):
            raise TypeError(
                f"equal(): argument '{('input', 'other')[position]}' (position {position + 1}) "
                f"must be Tensor, not {type(given).__name__}"
            )
    return input.shape == other.shape and bool(eq(input, other)._array.all())
