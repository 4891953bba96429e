"""A row of the table of operations: how one is called, on what, and how near PyTorch it must be."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist.tools.parity.parity import Comparison, Scale, compare
from tinygrad_mnist.tools.parity.samples import SITUATIONS, Inputs, Maker, Sample
from tinygrad_mnist.tools.parity.twins import Engine, Given, pytorch

if TYPE_CHECKING:
    from hypothesis import strategies as st

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
    proves, separated by spaces: the one of its own name unless given.
    """

    name: str
    inputs: Inputs
    function: Callable[..., Any] | None = None
    ulp: float = 0
    gradient_ulp: float | None = None
    scale: Scale = None
    differentiable: Choice = True
    second_order: Choice = True
    errors: tuple[Sample, ...] = ()
    primitives: str | None = None
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

    @property
    def proves(self) -> tuple[str, ...]:
        """The primitives that this row proves."""
        own = self.name.split(".")[-1]
        return (own,) if self.primitives is None else tuple(self.primitives.split())

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
            assert callable(self.scale)
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


def _chosen(choice: Choice, sample: Sample) -> bool:
    return choice(sample) if callable(choice) else choice


def _fits(name: str, sample: Sample) -> bool:
    """Whether a method has its tensor, and a reflected operator its number."""
    if not name.startswith("Tensor."):
        return True
    first, *rest = [isinstance(each, np.ndarray | Given) for each in sample.arguments]
    return first and not (name.startswith("Tensor.__r") and any(rest))


def rows(names: str, inputs: Inputs, **options: Any) -> list[Operation]:
    """A row for each of several operations of one kind, their names separated by spaces."""
    return [Operation(name, inputs, **options) for name in names.split()]


def find(engine: Engine, name: str) -> Callable[..., Any]:
    """What `name` stands for on `engine`; a method as a function of its tensor.

    "Tensor.__add__" is x + y, "Tensor.__radd__" y + x. What works in place is called on
    a copy, since a leaf that requires a gradient may not be changed; the result is what became of
    the copy, and whether it was returned.
    """
    method = name.removeprefix("Tensor.")
    if method.endswith("__"):
        plain = method.replace("__r", "__", 1)
        if hasattr(operator, method):
            in_place = method.startswith("__i") and method not in ("__invert__", "__index__")
            function = getattr(operator, method)
            return functools.partial(_changed, function) if in_place else function
        if hasattr(operator, plain):
            return lambda x, y: getattr(operator, plain)(y, x)
    if name.startswith("Tensor."):
        function = functools.partial(_method, method)
    else:
        function = functools.reduce(getattr, name.split("."), engine)
    in_place = name.endswith("_") and not name.endswith("__")
    return functools.partial(_changed, function) if in_place else function


def _method(name: str, tensor: Any, *arguments: Any, **options: Any) -> Any:
    return getattr(tensor, name)(*arguments, **options)


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


# Rows that follow from others: operations in place, and other names


def in_place(operations: Iterable[Operation], *, gradients: bool = True) -> list[Operation]:
    """A row for each method that writes what an operation with the same name gives.

    Without `gradients` for comparisons: what PyTorch says of them in place depends on which one.
    """
    return [
        replace(
            row, name=f"Tensor.{row.name}_", function=None, primitives="", errors=row.errors[:1],
            inputs=functools.partial(_tensor_first, row.inputs, row.name == "addbmm"),
            scale=functools.partial(_first_result, row.scale) if callable(row.scale) else row.scale,
            differentiable=gradients and row.differentiable,
        )
        for row in operations
        if row.public and row.name.isidentifier() and _exists(f"Tensor.{row.name}_")
    ]  # fmt: skip


def _first_result(scale: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return scale(*arguments, **options), True


def _tensor_first(inputs: Inputs, whole: bool, make: Maker) -> Sample:
    """The same samples, save that a Python number that comes first becomes a tensor.

    With `whole` it has the shape of the product: PyTorch's addbmm_ gives a smaller one that shape.
    """
    given = inputs(make)
    first, *rest = given.arguments
    if not isinstance(first, np.ndarray):
        first = make.array()
    if whole:
        first = make.array((rest[0].shape[1], rest[1].shape[2]), dtype=first.dtype)
    return Sample((first, *rest), given.options, given.seed)


_AT_THE_TOP_TOO = (
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "avg_pool1d", "adaptive_avg_pool1d", "bilinear", "celu", "celu_", "channel_shuffle",
    "cosine_similarity", "hardshrink", "pairwise_distance", "pdist", "pixel_shuffle",
    "pixel_unshuffle", "prelu", "relu_", "rms_norm", "rrelu", "rrelu_", "selu", "selu_",
    "threshold", "threshold_",
)  # fmt: skip
"""Functions of `nn.functional` that PyTorch has at its top level too."""
_ALIASES = {
    "abs": "absolute", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "mul": "multiply",
    "div": "divide true_divide", "sub": "subtract", "neg": "negative", "clamp": "clip",
    "trunc": "fix", "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal",
    "ne": "not_equal", "cat": "concat concatenate", "vstack": "row_stack", "outer": "ger",
    "transpose": "swapaxes swapdims", "movedim": "moveaxis", "matmul": "linalg.matmul",
    **{n: f"nn.functional.{n}" for n in ("relu", "sigmoid", "tanh", "softmax", "log_softmax")},
    **{f"nn.functional.{name}": name for name in _AT_THE_TOP_TOO},
}  # fmt: skip
_OPERATORS = {
    "abs": "abs", "add": "add radd", "bitwise_and": "and rand",
    "bitwise_left_shift": "lshift rlshift", "bitwise_not": "invert", "bitwise_or": "or ror",
    "bitwise_right_shift": "rshift rrshift",
    "bitwise_xor": "xor rxor", "div": "truediv rtruediv", "eq": "eq",
    "floor_divide": "floordiv rfloordiv", "ge": "ge", "gt": "gt", "le": "le", "lt": "lt",
    "matmul": "matmul", "mul": "mul rmul", "ne": "ne", "neg": "neg", "positive": "pos",
    "pow": "pow rpow", "remainder": "mod rmod", "sub": "sub rsub",
    "Tensor.add_": "iadd", "Tensor.bitwise_and_": "iand", "Tensor.bitwise_or_": "ior",
    "Tensor.bitwise_xor_": "ixor", "Tensor.div_": "itruediv", "Tensor.floor_divide_": "ifloordiv",
    "Tensor.mul_": "imul", "Tensor.pow_": "ipow", "Tensor.remainder_": "imod",
    "Tensor.sub_": "isub", "Tensor.bitwise_left_shift_": "ilshift",
    "Tensor.bitwise_right_shift_": "irshift",
}  # fmt: skip
_NOT_THE_FUNCTION = ("bernoulli", "multinomial", "where")
"""Their methods have rows of their own: they take other arguments."""


def with_aliases(row: Operation) -> Operation:
    """The row with the other names that the package has for it: it is tried by all in turn."""
    name = row.name
    if name.startswith("Tensor.") and name.endswith("_"):
        plain = name.removeprefix("Tensor.").removesuffix("_")
        aliases = _ALIASES.get(plain, "").split()
        names = [f"Tensor.{alias}_" for alias in aliases if alias.isidentifier()]
    else:
        names = _ALIASES.get(name, "").split()
        if name not in _NOT_THE_FUNCTION:
            names += [f"Tensor.{each}" for each in (name, *names) if each.isidentifier()]
    names += [f"Tensor.__{each}__" for each in _OPERATORS.get(name, "").split()]
    return replace(row, also=tuple(each for each in names if _exists(each)))


def _exists(name: str) -> bool:
    try:
        functools.reduce(getattr, name.split("."), tinygrad_mnist)
    except AttributeError:
        return False
    return True
