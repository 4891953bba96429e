"""The size of a tensor to be made, as functions take it: f(2, 3), f((2, 3)), f(size=(2, 3))."""

from __future__ import annotations

import operator
from typing import Any

from tinygrad_mnist.engine.record import TensorBase


def read_size(function: str, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The size in `given`, or in `named` under "size".

    Raises TypeError for what is not integers, RuntimeError for a negative length.
    """
    if "size" in named and not given:
        given = (named.pop("size"),)
    if named:
        name = next(iter(named))
        raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")
    if not given:
        raise TypeError(f'{function}() missing 1 required positional arguments: "size"')
    size = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
    lengths = []
    for position, length in enumerate(size, 1):
        if isinstance(length, tuple | list):
            raise TypeError(f"{function}() takes 1 positional argument but {len(given)} were given")
        if not _is_length(length):
            raise TypeError(_complaint(function, length, position, size is given))
        lengths.append(operator.index(length))
    if min(lengths, default=0) < 0:
        if function == "zeros":
            raise RuntimeError("zeros: Dimension size must be non-negative.")
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(lengths)}: {lengths}"
        )
    return tuple(lengths)


def _is_length(length: Any) -> bool:
    if isinstance(length, bool):
        return False
    if isinstance(length, TensorBase):
        return length._array.size == 1 and length._array.dtype.kind in "iu"
    return hasattr(length, "__index__")


def _complaint(function: str, length: Any, position: int, direct: bool) -> str:
    name = type(length).__name__
    if direct:
        return f"{function}(): argument 'size' (position 1) must be tuple of ints, not {name}"
    return (
        f"{function}(): argument 'size' failed to unpack the object at pos {position} with error "
        f'"type must be tuple of ints,but got {name}"'
    )
