"""Operations that leave the numbers as they are: casts, copies, and fills beside them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import OBSERVERS, report
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import MemoryFormat

Function = TypeVar("Function", bound=Callable[..., Any])


@primitive(grad_fn="ToCopyBackward0")
def _cast(input: Array, *, dtype: np.dtype[Any]) -> Any:
    """x in another type"""
    if dtype in dtypes.NARROW and input.dtype != np.float32:  # by way of it, as PyTorch goes
        input = input.astype(np.float32)
    return input.astype(dtype)


@primitive(grad_fn="CloneBackward0")
def _clone(input: Array, *, in_order: bool = False) -> Any:
    """x, copied: its dimensions in the same order in memory, unless in order or stretched"""
    stretched = 0 in input.strides and input.size > 1
    return input.copy("C" if in_order or stretched else "K")


@primitive
def zeros(input: Array) -> Any:
    """0"""
    return np.zeros(input.shape, input.dtype)


_cast.derivatives(input=lambda g: g)
_clone.derivatives(input=lambda g: g)


def copied(array: Array) -> Array:
    """A copy of an array, of which an observer is told."""
    copy = array.copy()
    if OBSERVERS:
        report(_clone, (wrap(array),), {}, wrap(copy))
    return copy


def cast_to(input: Tensor, kind: dtypes.dtype) -> Tensor:
    """`input` as a tensor of type `kind`: itself when it is one already."""
    if input._array.dtype == kind.numpy:
        return input
    return _cast(input, dtype=kind.numpy)


def rounded_once(function: Function) -> Function:
    """Have a composed function compute in float32 throughout what is float16 or bfloat16."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        kinds = {x.dtype for x in args if isinstance(x, Tensor)} if dtypes.NARROW else set()
        if len(kinds) != 1 or (kind := kinds.pop()).numpy not in dtypes.NARROW:
            return function(*args, **kwargs)
        wide = [cast_to(x, dtypes.float32) if isinstance(x, Tensor) else x for x in args]
        out = function(*wide, **kwargs)
        record = out._record
        return cast_to(out, kind) if record is None else named_as(cast_to(out, kind), record.name())

    return call  # type: ignore[return-value]


def clone(input: Tensor, *, memory_format: MemoryFormat = None) -> Tensor:
    """A copy with memory of its own; gradients flow through it.

    Its dimensions lie in memory as those of `input`, unless `memory_format` is contiguous_format.

    >>> torch.clone(torch.tensor([1, 2]))
    tensor([1, 2])
    """
    if str(memory_format) == "torch.contiguous_format":
        return _clone(input, in_order=True)
    return _clone(input)
