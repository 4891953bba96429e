"""Operations that round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented, torch_arguments
from .casting import zeros

__all__ = [
    "ceil",
    "fix",
    "floor",
    "frac",
    "round",
    "trunc",
]


def _integers_unchanged(name: str, function: Callable[[Array], Array], input: Array) -> Array:
    if input.dtype == bool:
        raise not_implemented(f"{name}_vml_cpu", input.dtype)
    return function(input) if input.dtype.kind == "f" else input.copy()


@primitive
def floor(input: Array) -> Any:
    """⌊x⌋"""
    return _integers_unchanged("floor", np.floor, input)


@primitive
def ceil(input: Array) -> Any:
    """⌈x⌉"""
    return _integers_unchanged("ceil", np.ceil, input)


@primitive
def trunc(input: Array) -> Any:
    """x without its fraction"""
    return _integers_unchanged("trunc", np.trunc, input)


@primitive(grad_fn="RoundBackward0")
def _round(input: Array, *, decimals: int) -> Any:
    """x rounded to `decimals`, halves to even"""
    if decimals == 0:
        return _integers_unchanged("round", np.rint, input)
    return np.round(input, decimals)


floor.derivatives(input=lambda g: zeros(g))
ceil.derivatives(input=lambda g: zeros(g))
trunc.derivatives(input=lambda g: zeros(g))
_round.derivatives(input=lambda g: zeros(g))


@torch_arguments
def round(input: Tensor, *, decimals: int | None = None) -> Tensor:
    """Each number rounded to `decimals` places, halves to the even neighbour.

    >>> import tinygrad_mnist as torch
    >>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    """
    check_tensors("round", input=input)
    if decimals is None:
        return _round(input, decimals=0)
    if input._array.dtype.kind != "f":
        raise not_implemented("round_cpu", input._array.dtype)
    return named_as(_round(input, decimals=decimals), "RoundBackward1")


@torch_arguments
def frac(input: Tensor) -> Tensor:
    """The fraction of each number, with its sign: x − trunc(x)."""
    check_tensors("frac", input=input)
    if input._array.dtype.kind != "f":
        raise not_implemented("frac_cpu", input._array.dtype)
    return named_as(input - trunc(input), "FracBackward0")


fix = trunc
