"""NumPy with a backward written by hand: a pair `(forward, backward)`, or an object with both.

`forward(*inputs)` gives the result, or a result and what backward is to be given in place of the
inputs: `(result, cache)`. `backward(*gradients, *inputs)`, or `backward(*gradients, cache)`, gives
a gradient for each input, or the only one. A layer that keeps what it needs in itself has
`backward(*gradients)`. Which of them is meant is told by the number of parameters of backward, and
for one input by whether forward returns a tuple.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .framework import Array, Framework, Function, Pull

__all__ = ["NumPy", "is_pair"]


def is_pair(function: object) -> bool:
    """Whether this is a forward with its backward.

    >>> is_pair((np.sin, lambda g, x: g * np.cos(x)))
    True
    """
    if isinstance(function, tuple | list):
        return len(function) == 2 and all(callable(each) for each in function)
    return all(callable(getattr(function, each, None)) for each in ("forward", "backward")) and (
        not hasattr(function, "parameters")
    )


class NumPy(Framework):
    """Arrays, and gradients by the backward that is given."""

    name = package = "numpy"
    install = "pip install numpy"

    def owns(self, value: object) -> bool:
        """Whether a value is an array, or a number of NumPy's."""
        return isinstance(value, np.ndarray | np.floating)

    def tensor(self, array: Array) -> Any:
        """The array itself, copied."""
        return np.array(array)

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """By the pair's backward; a function alone has no gradients."""
        forward, backward = _parts(function)
        inputs = [np.array(each) for each in arrays]
        result = forward(*inputs)
        rest = inputs
        if backward is not None and _keeps(backward, result):
            result, cache = result
            rest = [cache]
        elif backward is not None and _parameters(backward) == len(self.floats(result)):
            rest = []

        def pull(above: Sequence[Array]) -> list[Array | None]:
            if backward is None:
                raise TypeError(
                    "a function of NumPy has no gradients by itself: give the pair "
                    "(forward, backward), where backward takes the gradient and the inputs"
                )
            found = backward(*[np.array(each) for each in above], *rest)
            gradients = list(found) if isinstance(found, tuple | list) else [found]
            return _for_each(gradients, arrays)

        return result, pull


def _parts(function: Any) -> tuple[Function, Function | None]:
    if isinstance(function, tuple | list):
        return function[0], function[1]
    if is_pair(function):
        return function.forward, function.backward
    return function, None


def _keeps(backward: Function, result: Any) -> bool:
    """Whether forward returned what backward is given in place of the inputs."""
    if not isinstance(result, tuple) or len(result) != 2:
        return False
    return _parameters(backward) == 2


def _parameters(function: Function) -> int | None:
    """How many parameters a function has; None where that is not said, or any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if inspect.Parameter.VAR_POSITIONAL in [each.kind for each in parameters]:
        return None
    return len(parameters)


def _for_each(gradients: list[Any], arrays: Sequence[Array]) -> list[Array | None]:
    """A gradient for each input; for those of floating point alone, where no more are given."""
    wanted = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]
    places = wanted if len(gradients) == len(wanted) else range(len(arrays))
    if len(gradients) != len(places):
        raise TypeError(
            f"backward gave {len(gradients)} gradient{'s' * (len(gradients) != 1)} "
            f"for {len(arrays)} input{'s' * (len(arrays) != 1)}"
        )
    found: list[Array | None] = [None] * len(arrays)
    for place, gradient in zip(places, gradients, strict=True):
        found[place] = None if gradient is None else np.asarray(gradient)
    return found
