"""Samples that many operations share: wrong arguments, and makers for families of operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, Sample, parametrized, sample
from tinygrad_mnist.tools.parity.twins import Array


def ones(*shape: int) -> Array:
    """An array of ones, float32."""
    return np.ones(shape, np.float32)


def all_ones(*shapes: tuple[int, ...]) -> Sample:
    """A sample of arrays of ones."""
    return sample(*[ones(*shape) for shape in shapes])


SCALAR, TWO, THREE, MATRIX = ones(), ones(2), ones(3), ones(2, 3)

NOT_A_TENSOR = (sample("text"), sample([1.0, 2.0]))
BROADCAST_ERRORS = (
    sample(TWO, THREE),
    sample(MATRIX, TWO),
    sample(TWO, "text"),
    sample(TWO, None),
)
DIM_ERRORS = (
    sample(MATRIX, dim=2),
    sample(MATRIX, dim=-3),
    sample(MATRIX, dim="text"),
    sample("text", dim=0),
)


@parametrized
def unary(make: Maker, /, numbers: str = "ordinary", **options: tuple[Any, ...]) -> Sample:
    """One tensor, and each option one of the values given."""
    chosen = make.choices(options)
    return make.sample(make.array(numbers=numbers), **chosen)


@parametrized
def binary(
    make: Maker,
    /,
    numbers: str = "ordinary",
    first_number: bool = False,
    **options: tuple[Any, ...],
) -> Sample:
    """Two tensors that broadcast, or a tensor and a Python number, and options as in `unary`.

    With `first_number` the number may come first as well.
    """
    operands: list[Any] = make.arrays(2, numbers)
    if make.situation == "numbers":
        operands[0 if first_number and make.flag() else 1] = make.number()
    return make.sample(*operands, **make.choices(options))


def two_tensors(make: Maker) -> Sample:
    """Two tensors that broadcast."""
    return make.sample(*make.arrays(2))


@parametrized
def shaped(make: Maker, least: int = 0, most: int = 3, *others: Any) -> Sample:
    """A tensor of so many dimensions, and other arguments."""
    return make.sample(make.array(make.shape(least, most)), *others)


@parametrized
def reduction(
    make: Maker,
    numbers: str = "ordinary",
    *,
    whole: bool = True,
    several: bool = True,
    keepdim: bool = True,
) -> Sample:
    """A tensor and `dim`: one, several of them if `several`, none if `whole`; perhaps `keepdim`."""
    x = make.array(numbers=numbers)
    chosen: dict[str, Any] = {}
    way = make.choice(*["one"] + ["several"] * several + ["whole"] * whole)
    if way != "whole":
        chosen["dim"] = make.dim(x.ndim) if way == "one" else make.dims(x.ndim)
        if keepdim:
            chosen["keepdim"] = make.flag()
    return make.sample(x, **chosen)


def along(make: Maker) -> Sample:
    """A tensor and one of its dimensions."""
    x = make.array()
    return make.sample(x, make.dim(x.ndim))
