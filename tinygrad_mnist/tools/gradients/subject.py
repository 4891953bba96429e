"""A function in its framework, as a check needs it: arrays in, arrays out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.tools import frameworks
from tinygrad_mnist.tools.frameworks import Framework, leaves
from tinygrad_mnist.tools.frameworks.numpy_pairs import is_pair

__all__ = ["Array", "Subject", "Watched", "described", "replaced", "resolve"]

Array = np.ndarray[Any, Any]


class Subject:
    """A function, the framework it is written in, and the point it is checked at."""

    def __init__(self, framework: Framework, function: Any, arrays: Sequence[Array]) -> None:
        self.framework, self.function, self.arrays = framework, function, list(arrays)
        self.wanted = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]

    def at(self, arrays: Sequence[Array]) -> Subject:
        """The same function at another point."""
        return Subject(self.framework, self.function, arrays)

    def values(self, arrays: Sequence[Array] | None = None) -> list[Array]:
        """The results of floating point, each an array of its own."""
        result = self.framework.call(self.function, self.arrays if arrays is None else arrays)
        return [np.array(self.framework.array(each)) for each in self.framework.floats(result)]

    def gradients(
        self, above: Sequence[Array], arrays: Sequence[Array] | None = None
    ) -> list[Array | None]:
        """The gradient of each input, an array of its own, from a gradient for each result."""
        given = self.arrays if arrays is None else arrays
        _, pull = self.framework.vjp(self.function, given)
        found = pull([np.array(each) for each in above])
        return [None if each is None else np.array(each) for each in found]

    def along(
        self, place: int, direction: Array, aboves: Sequence[Sequence[Array]]
    ) -> Callable[[float], Array]:
        """t ↦ Σ above · f(x + t · direction), a number for each of the gradients from above."""
        x = self.arrays[place]

        def phi(t: float) -> Array:
            moved = np.asarray(x + (t * direction).astype(x.dtype)).astype(x.dtype)
            results = [
                each.astype(np.float64) for each in self.values(self.with_input(place, moved))
            ]
            return np.array([_weighted(results, above) for above in aboves])

        return phi

    def with_input(self, place: int, array: Array) -> list[Array]:
        """The inputs with another one in this place."""
        return [array if i == place else each for i, each in enumerate(self.arrays)]


def _weighted(results: Sequence[Array], above: Sequence[Array]) -> float:
    """Σ above · results, but for results that are not asked for: they may be NaN."""
    pairs = zip(results, above, strict=True)
    return sum(float(np.vdot(g, np.where(g == 0, 0.0, each))) for each, g in pairs)


def replaced(arrays: Sequence[Array], dtype: Any) -> list[Array]:
    """The arrays, those of floating point in another dtype."""
    return [each.astype(dtype) if each.dtype.kind == "f" else each for each in arrays]


class Watched:
    """A function that notes the tensors it was called with, as arrays that share their memory."""

    def __init__(self, subject: Subject) -> None:
        self.framework = subject.framework
        self.inputs: list[Array | None] = []
        self.above: list[Array] = []
        self.function = (
            self._pair(subject) if is_pair(subject.function) else self._wrapped(subject.function)
        )

    def _wrapped(self, function: Any) -> Any:
        def watched(*tensors: Any) -> Any:
            self.inputs = [self._plain(each) for each in tensors]
            return function(*tensors)

        return watched

    def _pair(self, subject: Subject) -> Any:
        function = subject.function
        pair = function if isinstance(function, tuple | list) else None
        forward = pair[0] if pair else function.forward
        backward = pair[1] if pair else function.backward

        @functools.wraps(backward)
        def watched(*given: Any) -> Any:
            self.above = list(given[: self.results])
            return backward(*given)

        self.results = len(subject.values())
        return self._wrapped(forward), watched

    def _plain(self, tensor: Any) -> Array | None:
        try:
            return self.framework.array(getattr(tensor, "_value", tensor))
        except Exception:  # a value that is being traced has no numbers
            return None


def resolve(function: Any, inputs: Sequence[Any], framework: Any) -> tuple[Framework, list[Array]]:
    """The framework that a function is written in, and its inputs as arrays.

    Raises:
        TypeError: the framework cannot be told, or there is no input with a derivative.
        ValueError: an input of floating point has no elements.
    """
    owners = [name for each in inputs if (name := frameworks.of_value(each)) is not None]
    name = framework or frameworks.of_function(function) or (owners[0] if owners else None)
    if name is None:
        raise TypeError(
            "the function names no framework: say framework='torch', 'jax', 'autograd', …, or give "
            "a pair (forward, backward) for NumPy"
        )
    found = frameworks.find(name)
    arrays = []
    for each in inputs:
        owner = frameworks.of_value(each)
        arrays.append(np.array(each if owner is None else frameworks.find(owner).array(each)))
    _suitable(arrays, inputs)
    return found, arrays


def _suitable(arrays: Sequence[Array], inputs: Sequence[Any]) -> None:
    """Raise where the inputs have nothing to differentiate by."""
    for i, each in enumerate(arrays):
        if each.dtype.kind == "c":
            raise TypeError(f"input {i} is complex: give its real and imaginary part as two inputs")
        if each.dtype.kind not in "fiub":
            raise TypeError(f"input {i} is a {type(inputs[i]).__name__}, not an array of numbers")
        if each.dtype.kind == "f" and not each.size:
            raise ValueError(f"input {i} has no elements (shape {each.shape}): give it some")
    if not any(each.dtype.kind == "f" for each in arrays):
        kinds = ", ".join(str(each.dtype) for each in arrays) or "there is none"
        raise TypeError(f"no input is of floating point ({kinds}): nothing to differentiate by")


def described(result: Any) -> str:
    """What a function returned, in words, for one whose results are not of floating point."""
    kinds = [str(getattr(each, "dtype", type(each).__name__)) for _, each in leaves(result)]
    return ", ".join(kinds) or "nothing"
