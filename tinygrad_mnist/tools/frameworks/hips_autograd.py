"""HIPS autograd: functions of NumPy arrays, written with `autograd.numpy`."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .framework import Array, Framework, Function, Pull

__all__ = ["Autograd"]


class Autograd(Framework):
    """`make_vjp`, an input and a result at a time."""

    name = package = "autograd"
    install = "pip install autograd"

    def owns(self, value: object) -> bool:
        """Whether a value is an array or a number, or one of the boxes they are traced in."""
        boxed = type(value).__name__ == "ArrayBox"
        return boxed or isinstance(value, np.ndarray | np.floating)

    def tensor(self, array: Array) -> Any:
        """The array itself, copied."""
        return np.array(array)

    def call(self, function: Function, arrays: Sequence[Array]) -> Any:
        """What the function gives."""
        return function(*[self.tensor(each) for each in arrays])

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """By `make_vjp` of each result with respect to each input."""
        core = importlib.import_module("autograd.core") if self.module else None
        inputs = [np.array(each) for each in arrays]
        result = function(*inputs)
        count = len(self.floats(result))

        def back(place: int, number: int) -> Any:
            def of_one(x: Any) -> Any:
                given = [x if i == place else each for i, each in enumerate(inputs)]
                return self.floats(function(*given))[number]

            with _independent():
                return core.make_vjp(of_one, inputs[place])[0]  # type: ignore[union-attr]

        ways = {i: [back(i, k) for k in range(count)]
                for i, each in enumerate(arrays) if each.dtype.kind == "f"}  # fmt: skip

        def pull(above: Sequence[Array]) -> list[Array | None]:
            found: list[Array | None] = [None] * len(inputs)
            for place, each in ways.items():
                parts = [way(g) for way, g in zip(each, above, strict=True)]
                found[place] = np.asarray(sum(parts[1:], parts[0])) if parts else None
            return found

        return result, pull

    def jvp(
        self, function: Function, arrays: Sequence[Array], tangents: Sequence[Array]
    ) -> list[Array]:
        """By `make_jvp`, an input at a time."""
        operators = importlib.import_module("autograd.differential_operators")
        inputs = [np.array(each) for each in arrays]
        count = len(self.floats(function(*inputs)))
        total: list[Any] = [0.0] * count
        for place in (i for i, each in enumerate(arrays) if each.dtype.kind == "f"):
            for number in range(count):

                def of_one(x: Any, place: int = place, number: int = number) -> Any:
                    given = [x if i == place else each for i, each in enumerate(inputs)]
                    return self.floats(function(*given))[number]

                with _independent():
                    pushed = operators.make_jvp(of_one)(inputs[place])(tangents[place])[1]
                total[number] = total[number] + pushed
        return [np.asarray(each) for each in total]

    def gradients(self, function: Function, arrays: Sequence[Array]) -> tuple[Function, int]:
        """By `make_vjp` inside of what is differentiated."""
        core, count = importlib.import_module("autograd.core"), len(arrays)
        places = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]
        results = len(self.floats(function(*[np.array(each) for each in arrays])))

        def gradient(place: int, given: Any) -> Any:
            inputs, above = given[:count], given[count:]

            def total(x: Any) -> Any:
                taken = [x if i == place else each for i, each in enumerate(inputs)]
                found = self.floats(function(*taken))
                parts = [(each * g).sum() for each, g in zip(found, above, strict=True)]
                return sum(parts[1:], parts[0])

            with _independent():
                return core.make_vjp(total, inputs[place])[0](1.0)

        return lambda *given: tuple([gradient(place, given) for place in places]), results


@contextlib.contextmanager
def _independent() -> Iterator[None]:
    """Let a result not depend on an input, of which autograd warns: its gradient is 0."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Output seems independent of input")
        yield
