"""Samples for families of operations that take the same kinds of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .maker import Maker, Sample, sample

__all__ = [
    "BROADCAST_ERRORS",
    "DIM_ERRORS",
    "NOT_A_TENSOR",
    "binary",
    "reduction",
    "unary",
]

Inputs = Callable[[Maker], Sample]

_two = np.ones(2, np.float32)
_three = np.ones(3, np.float32)
_matrix = np.ones((2, 3), np.float32)

NOT_A_TENSOR = (sample("text"), sample([1.0, 2.0]))
BROADCAST_ERRORS = (
    sample(_two, _three),
    sample(_matrix, _two),
    sample(_two, "text"),
    sample(_two, None),
)
DIM_ERRORS = (
    sample(_matrix, dim=2),
    sample(_matrix, dim=-3),
    sample(_matrix, dim="text"),
    sample("text", dim=0),
)


def unary(numbers: str = "ordinary", **options: tuple[Any, ...]) -> Inputs:
    """One tensor, and each option one of the values given."""

    def inputs(make: Maker) -> Sample:
        chosen = {name: make.choice(*values) for name, values in options.items()}
        return make.sample(make.array(numbers=numbers), **chosen)

    return inputs


def binary(numbers: str = "ordinary", first_number: bool = False, **options: Any) -> Inputs:
    """Two tensors that broadcast, or a tensor and a Python number, and options as in `unary`.

    With `first_number` the number may come first as well.
    """

    def inputs(make: Maker) -> Sample:
        x, y = make.arrays(2, numbers)
        operands: list[Any] = [x, y]
        if make.situation == "numbers":
            operands[0 if first_number and make.flag() else 1] = make.number()
        chosen = {name: make.choice(*values) for name, values in options.items()}
        return make.sample(*operands, **chosen)

    return inputs


def reduction(
    numbers: str = "ordinary",
    *,
    whole: bool = True,
    several: bool = True,
    keepdim: bool = True,
    **options: tuple[Any, ...],
) -> Inputs:
    """A tensor and `dim`: one, several of them if `several`, none if `whole`; perhaps `keepdim`."""

    def inputs(make: Maker) -> Sample:
        x = make.array(numbers=numbers)
        chosen = {name: make.choice(*values) for name, values in options.items()}
        way = make.choice(*["one"] + ["several"] * several + ["whole"] * whole)
        if way != "whole":
            chosen["dim"] = make.dim(x.ndim) if way == "one" else make.dims(x.ndim)
            if keepdim:
                chosen["keepdim"] = make.flag()
        return make.sample(x, **chosen)

    return inputs
