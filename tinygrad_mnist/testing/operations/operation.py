"""A row of the table of operations: how one is called, on what, and how near PyTorch it must be."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tinygrad_mnist

from ..parity import Comparison, compare
from ..twins import Engine, pytorch
from .maker import SITUATIONS, Maker, Sample

if TYPE_CHECKING:
    from hypothesis import strategies as st

__all__ = ["Operation", "find", "gradient_of"]


@dataclass(frozen=True)
class Operation:
    """An operation, what to try it on, and what is allowed to differ.

    `name` is how it is reached from either engine: "add", "nn.functional.relu", "Tensor.add_";
    `function(engine, ...)` replaces that where it must be called in another way. `inputs` makes a
    sample for each of `situations`. `scale` is as in `assert_parity`; a function takes the engine
    first. `primitives` names those that this row proves, the one of its own name unless given.
    """

    name: str
    inputs: Callable[[Maker], Sample]
    function: Callable[..., Any] | None = None
    ulp: float = 0
    gradient_ulp: float | None = None
    scale: Any = None
    second_order: bool = True
    errors: tuple[Sample, ...] = ()
    primitives: tuple[str, ...] | None = None
    situations: tuple[str, ...] = SITUATIONS
    public: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    """Further options of `assert_parity`."""

    def samples(self, situation: str) -> st.SearchStrategy[Sample]:
        """The Hypothesis strategy for samples of one of `SITUATIONS`."""
        from hypothesis import strategies as st

        @st.composite
        def sample(draw: st.DrawFn) -> Sample:
            return self.inputs(Maker(draw, situation))

        return sample()

    def call(self, engine: Engine, *arguments: Any, **options: Any) -> Any:
        """The operation on tensors of `engine`."""
        if self.function is not None:
            return self.function(engine, *arguments, **options)
        return find(engine, self.name)(*arguments, **options)

    def compare(self, sample: Sample, *, second_order: bool | None = None) -> Comparison:
        """Both engines on a sample."""

        def run(engine: Engine, options: dict[str, Any], *arguments: Any) -> Any:
            return self.call(engine, *arguments, **options)

        def scale(options: dict[str, Any], *arguments: Any) -> Any:
            return self.scale(pytorch(), *arguments, **options)

        wanted = self.second_order and sample.finite
        return compare(
            functools.partial(run, tinygrad_mnist),
            functools.partial(run, pytorch()),
            sample.options,
            *sample.arguments,
            second_order=wanted if second_order is None else second_order,
            ulp=self.ulp,
            gradient_ulp=self.gradient_ulp,
            scale=scale if callable(self.scale) else self.scale,
            seed=sample.seed,
            **self.options,
        )

    @property
    def proves(self) -> tuple[str, ...]:
        """The primitives that this row proves."""
        return (self.name.split(".")[-1],) if self.primitives is None else self.primitives


def find(engine: Engine, name: str) -> Any:
    """What `name` stands for on `engine`; a method as a function of its tensor."""
    if name.startswith("Tensor."):
        method = name.removeprefix("Tensor.")
        return lambda tensor, *arguments, **options: getattr(tensor, method)(*arguments, **options)
    return functools.reduce(getattr, name.split("."), engine)


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
