"""What is asked of a framework to test gradients in it, and how another one is added.

A `Framework` makes its tensors of NumPy arrays, calls a function with them, and takes gradients
back through the call. A class of your own is found by its entry point:

    [project.entry-points."tinygrad_mnist.frameworks"]
    mine = "my_package.testing:Mine"
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Array", "Framework", "Function", "Pull", "Unsupported", "leaves", "weighted_sum"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]
Pull = Callable[[Sequence[Array]], "list[Array | None]"]
"""Takes a gradient for each result of floating point; gives one for each input, None for none."""


class Unsupported(NotImplementedError):
    """What a framework does not have: gradients of gradients, a forward mode."""


class Framework:
    """How to compute and to differentiate with one framework. Subclasses say how; see `vjp`.

    >>> from tinygrad_mnist.tools import frameworks
    >>> import numpy as np
    >>> result, pull = frameworks.find("tinygrad_mnist").vjp(lambda x: x * x, [np.ones(2)])
    >>> pull([np.array([1.0, 10.0])])
    [array([ 2., 20.])]
    """

    name = ""
    """As it is asked for, and shown."""
    package = ""
    """What is imported."""
    install = ""
    """What pip is to install."""
    traced = False
    """Whether functions run once, to be compiled: what they do besides computing is not seen."""

    def missing(self) -> str:
        """Why it cannot be used here, with what to do; empty where it can."""
        if importlib.util.find_spec(self.package) is not None:
            return ""
        return f"{self.name} needs {self.package}, which is not installed: {self.install}"

    @property
    def module(self) -> Any:
        """The package; ModuleNotFoundError, with what to do, where it is missing."""
        if sentence := self.missing():
            raise ModuleNotFoundError(sentence)
        return importlib.import_module(self.package)

    def owns(self, value: object) -> bool:
        """Whether a value is a tensor of this framework."""
        roots = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
        return self.package.partition(".")[0] in roots and hasattr(value, "shape")

    def tensor(self, array: Array) -> Any:
        """A tensor with these numbers, this dtype and memory of its own."""
        raise NotImplementedError

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers; the array may share its memory."""
        return np.asarray(tensor)

    def call(self, function: Function, arrays: Sequence[Array]) -> Any:
        """What `function` gives of tensors of these arrays; no gradients are asked for."""
        return self.vjp(function, arrays)[0]

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """What `function` gives of tensors of these arrays, and what takes gradients back.

        The function takes a tensor for each array, in their order, and returns a tensor, or a
        list, tuple or dict of them; that is returned as it is. Arrays that are not of floating
        point get None for a gradient. The pull may be called several times.
        """
        raise NotImplementedError

    def jvp(
        self, function: Function, arrays: Sequence[Array], tangents: Sequence[Array]
    ) -> list[Array]:
        """The derivative of each result of floating point in one direction, by forward mode."""
        raise Unsupported(f"{self.name} has no forward mode")

    def gradients(self, function: Function, arrays: Sequence[Array]) -> tuple[Function, int]:
        """The function of the gradients, which can be differentiated again.

        It takes the inputs and then a gradient from above for each result of floating point, of
        which the number is returned too, and gives the tuple of the gradients of those inputs
        that are of floating point.
        """
        raise Unsupported(f"{self.name} has no gradients of gradients")

    def floats(self, result: Any) -> list[Any]:
        """The tensors of floating point in what a function returned, in their order."""
        found = [each for _, each in leaves(result) if self.owns(each)]
        return [each for each in found if self.is_float(each)]

    def is_float(self, tensor: Any) -> bool:
        """Whether a tensor is of floating point."""
        return bool(np.dtype(tensor.dtype).kind == "f")


def leaves(result: Any, name: str = "value") -> list[tuple[str, Any]]:
    """What a function returned, each part with its place.

    >>> leaves({"a": (1, 2)})
    [("value['a'][0]", 1), ("value['a'][1]", 2)]
    """
    if isinstance(result, dict):
        parts = list(result.items())
    elif isinstance(result, list | tuple) and type(result).__name__ != "Size":
        parts = list(enumerate(result))
    else:
        return [(name, result)]
    return [leaf for key, part in parts for leaf in leaves(part, f"{name}[{key!r}]")]


def weighted_sum(results: Sequence[Any], above: Sequence[Any]) -> Any:
    """Σ results · gradients from above: the number whose gradients are those of the pull."""
    total: Any = 0.0
    for result, gradient in zip(results, above, strict=True):
        total = (result * gradient).sum() + total
    return total
