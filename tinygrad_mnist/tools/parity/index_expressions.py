"""Index expressions, made of chosen integers: by Hypothesis, or by random numbers from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .layouts import filled

__all__ = ["Pick", "index_expression"]

Pick = Callable[[int, int], int]
"""Chooses an integer from the first number to the second, both included."""


def index_expression(pick: Pick, shape: Sequence[int], *, arrays: bool = True) -> Any:
    """An index expression for a tensor of this shape.

    Integers, slices with positive steps, None, `...`, and with `arrays` either lists and arrays of
    integers, all of one length or of length 1, or a mask.
    """
    left = list(shape)
    parts: list[Any] = []
    length = pick(0, 3) if arrays else None
    while left and pick(0, 4) > 0:
        if pick(0, 5) == 0:
            parts.append(None)
            continue
        part, used = _part(pick, tuple(left), length)
        if isinstance(part, np.ndarray) and part.dtype == bool:
            length = None
        parts.append(part)
        del left[:used]
    if pick(0, 3) == 0:
        parts.append(Ellipsis)
        if left and pick(0, 1) == 0:
            parts.append(_slice(pick, left[-1]))
    bare = len(parts) == 1 and pick(0, 1) == 0
    return parts[0] if bare else tuple(parts)


def _part(pick: Pick, shape: tuple[int, ...], length: int | None) -> tuple[Any, int]:
    """One part of an index, and how many dimensions it takes.

    It may be an array of this `length`, or, where that is 0, a mask.
    """
    size = shape[0]
    ways = ["slice", "slice"] + (["integer"] if size else [])
    if length == 0:
        ways += ["mask"]
    elif length is not None and size:
        ways += ["array", "list"]
    way = ways[pick(0, len(ways) - 1)]
    if way == "slice":
        return _slice(pick, size), 1
    if way == "integer":
        return pick(-size, size - 1), 1
    if way == "mask":
        taken = pick(1, min(2, len(shape)))
        return filled(shape[:taken], bool, "ordinary", pick(0, 2**16)), taken
    chosen = [pick(-size, size - 1) for _ in range(length if length and pick(0, 2) else 1)]
    return (chosen if way == "list" else np.array(chosen)), 1


def _slice(pick: Pick, size: int) -> slice:
    first, last = (pick(-size - 1, size + 1) if pick(0, 1) else None for _ in range(2))
    return slice(first, last, (None, 1, 2, 3)[pick(0, 3)])
