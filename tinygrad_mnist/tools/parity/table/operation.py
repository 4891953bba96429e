"""A row of the table of operations: how one is called, on what, and how near PyTorch it must be."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist.tools.parity.parity import Comparison, compare
from tinygrad_mnist.tools.parity.twins import Engine, Given, pytorch

from .maker import SITUATIONS, Maker, Sample

if TYPE_CHECKING:
    from hypothesis import strategies as st

__all__ = ["Operation", "find", "gradient_of"]


Choice = bool | Callable[[Sample], bool]
"""Whether to compare something, perhaps decided sample by sample."""


@dataclass(frozen=True)
class Operation:
    """An operation, what to try it on, and what is allowed to differ.

    `name` is how it is reached from either engine: "add", "nn.functional.relu", "Tensor.add_";
    `function(engine, ...)` replaces that where it must be called in another way; `also` are other
    names for it. `inputs` makes a sample for each of `situations`. `scale` is as in
    `assert_parity`; a function takes the engine first. `differentiable` says where gradients are
    compared, `second_order` where those of gradients are. `primitives` names those that this row
    proves, the one of its own name unless given.
    """

    name: str
    inputs: Callable[[Maker], Sample]
    function: Callable[..., Any] | None = None
    ulp: float = 0
    gradient_ulp: float | None = None
    scale: Any = None
    differentiable: Choice = True
    second_order: Choice = True
    errors: tuple[Sample, ...] = ()
    primitives: tuple[str, ...] | None = None
    situations: tuple[str, ...] = SITUATIONS
    public: bool = True
    also: tuple[str, ...] = ()

    def strategy(self, situation: str) -> st.SearchStrategy[Sample]:
        """The Hypothesis strategy for samples of one of `SITUATIONS`."""
        from hypothesis import strategies as st

        from tinygrad_mnist.tools.parity.strategies import picker

        @st.composite
        def sample(draw: st.DrawFn) -> Sample:
            return self.inputs(Maker(picker(draw), situation))

        return sample()

    def sample(self, situation: str, seed: int) -> Sample:
        """A sample of one of `SITUATIONS` that `seed` fixes."""
        random = np.random.default_rng([seed, SITUATIONS.index(situation)])
        return self.inputs(Maker(lambda low, high: int(random.integers(low, high + 1)), situation))

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is called."""
        return (self.name, *self.also)

    def call(self, engine: Engine, name: str, *arguments: Any, **options: Any) -> Any:
        """The operation, by one of its `names`, on tensors of `engine`."""
        if self.function is not None and name == self.name:
            return self.function(engine, *arguments, **options)
        return find(engine, name)(*arguments, **options)

    def compare(
        self, sample: Sample, name: str | None = None, *, gradients: bool = True
    ) -> Comparison:
        """Both engines on a sample, by one of the `names`.

        A method needs a tensor to begin with: on other samples the operation's own name is used.
        """
        called = self.name if name is None or not _fits(name, sample) else name

        def run(engine: Engine, options: dict[str, Any], *arguments: Any) -> Any:
            return self.call(engine, called, *arguments, **options)

        def scale(options: dict[str, Any], *arguments: Any) -> Any:
            return self.scale(pytorch(), *arguments, **options)

        return compare(
            functools.partial(run, tinygrad_mnist),
            functools.partial(run, pytorch()),
            sample.options,
            *sample.arguments,
            gradients=gradients and _chosen(self.differentiable, sample),
            second_order=gradients and sample.finite and _chosen(self.second_order, sample),
            ulp=self.ulp,
            gradient_ulp=self.gradient_ulp,
            scale=scale if callable(self.scale) else self.scale,
            seed=sample.seed,
        )

    @property
    def proves(self) -> tuple[str, ...]:
        """The primitives that this row proves."""
        return (self.name.split(".")[-1],) if self.primitives is None else self.primitives


def _chosen(choice: Choice, sample: Sample) -> bool:
    return choice(sample) if callable(choice) else choice


def _fits(name: str, sample: Sample) -> bool:
    """Whether a method has its tensor, and a reflected operator its number."""
    if not name.startswith("Tensor."):
        return True
    first, *rest = [isinstance(each, np.ndarray | Given) for each in sample.arguments]
    return first and not (name.startswith("Tensor.__r") and any(rest))


def find(engine: Engine, name: str) -> Any:
    """What `name` stands for on `engine`; a method as a function of its tensor.

    "Tensor.__add__" is x + y, "Tensor.__radd__" y + x. What works in place is called on
    a copy, since a leaf that requires a gradient may not be changed; the result is what became of
    the copy, and whether it was returned.
    """
    if not name.startswith("Tensor."):
        function = functools.reduce(getattr, name.split("."), engine)
        return functools.partial(_changed, function) if name.endswith("_") else function
    method = name.removeprefix("Tensor.")
    if method.endswith("__") and hasattr(operator, method):
        return functools.partial(_operated, method)
    if method.endswith("__") and hasattr(operator, method.replace("__r", "__", 1)):
        return lambda x, y: getattr(operator, method.replace("__r", "__", 1))(y, x)
    if method.endswith("_") and not method.endswith("__"):
        return functools.partial(_changed, _method(method))
    return _method(method)


def _operated(method: str, tensor: Any, *arguments: Any) -> Any:
    """An operator, those that work in place on a copy as well."""
    if not method.startswith("__i") or method in ("__invert__", "__index__"):
        return getattr(operator, method)(tensor, *arguments)
    copy = tensor.clone()
    result = getattr(operator, method)(copy, *arguments)
    return copy, result is copy


def _method(name: str) -> Callable[..., Any]:
    return lambda tensor, *arguments, **options: getattr(tensor, name)(*arguments, **options)


def _changed(call: Callable[..., Any], tensor: Any, *arguments: Any, **options: Any) -> Any:
    copy = tensor.clone()
    result = call(copy, *arguments, **options)
    return copy, result is copy


def gradient_of(call: Callable[..., Any]) -> Callable[..., Any]:
    """The function of (engine, gradient from above, input, …) that gives `call`'s first gradient.

    With it the operations that formulas are made of are proven like all others.
    """

    def gradient(engine: Engine, above: Any, *arguments: Any, **options: Any) -> Any:
        first, *rest = arguments
        leaf = first if first.requires_grad else first.detach().requires_grad_()
        result = call(engine, leaf, *rest, **options)
        (found,) = engine.autograd.grad(result, leaf, above, create_graph=True)
        return found

    return gradient
