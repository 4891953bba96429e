"""Python numbers that become elements of tensors: read, and held against the tensor's type."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import TensorBase, state
from tinygrad_mnist.ops.casting import decides

Number = bool | int | float

_CPP_NAMES = {
    dtypes.uint8: "uint8_t",
    dtypes.int32: "int",
    dtypes.int64: "int64_t",
    dtypes.float32: "float",
    dtypes.float64: "double",
}


def read_number(function: str, argument: str, position: int, given: Any) -> Number:
    """`given` as a Python number; TypeError, in PyTorch's words, for anything else."""
    if isinstance(given, np.generic):
        given = given.item()
    if isinstance(given, TensorBase) and not given._array.ndim and given._record is None:
        decides()
        given = given._array.item()
    if isinstance(given, complex):
        raise NotImplementedError(COMPLEX)
    if not isinstance(given, bool | int | float):
        raise TypeError(
            f"{function}(): argument '{argument}' (position {position}) must be Number, "
            f"not {type_name(given)}"
        )
    return given


def type_name(given: Any) -> str:
    """The name of the type of `given`, as PyTorch's messages have it."""
    name = type(given).__name__
    return f"numpy.{name}" if isinstance(given, np.ndarray | np.generic) else name


COMPLEX = "complex tensors are not supported: keep real and imaginary parts as two real tensors"


def element(number: Number, kind: dtypes.dtype) -> Number:
    """`number` as an element of type `kind`; RuntimeError when it does not fit."""
    check_fits(number, kind)
    if kind.is_floating_point:
        return number
    if kind is dtypes.bool:
        return bool(number)
    return int(number) if kind.is_signed else int(number) % 256


def check_fits(number: Number, kind: dtypes.dtype, name: str | None = None) -> None:
    """RuntimeError unless `number` lies within the limits of `kind`, called `name` if it fails.

    A fraction may be lost; a negative integer may wrap around in an unsigned type.
    """
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise ValueError("Overflow when unpacking long long")
    if kind is dtypes.bool or (kind.is_floating_point and not math.isfinite(number)):
        return
    low, high = limits(kind)
    if isinstance(number, int) and not kind.is_signed:
        low = -high
    if not low <= number <= high:
        raise RuntimeError(
            f"value cannot be converted to type {name or _CPP_NAMES[kind]} without overflow"
        )


@functools.cache
def limits(kind: dtypes.dtype) -> tuple[Number, Number]:
    """The smallest and the largest number of a type."""
    info = dtypes.finfo(kind) if kind.is_floating_point else dtypes.iinfo(kind)
    return info.min, info.max


def counted(count: Any) -> Any:
    """A tensor that counts as a Python number; as a float64 tensor where a program follows it."""
    return count.double() if state.walks_tensors else count.item()
