"""An operation, written once: what it computes on arrays, and the formulas of its derivatives.

    @primitive
    def mul(x, y):
        "x · y"
        return x * y

    mul.derivatives(x=lambda g, y: g * y, y=lambda g, x: g * x)

`g` is the gradient from above. A formula's other parameters say what it needs: an input by its
name, the result as `out`, an attribute by its name, `shape` or `position` of the input whose
gradient it computes. Only that is saved. The backward pass sums what was broadcast and stretches
what was reduced: shapes and types are no formula's business.

Called with a tensor a primitive gives a tensor and leaves a record; called with arrays, an array.
So the same formula runs on arrays, fast, and on tensors, recorded again: gradients of gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .record import Array, Record, TensorBase, state, wrap


class Formula:
    """A formula, and what it asks for: values by their positions in `Record.saved`, and names."""

    def __init__(self, function: Any, saved: tuple[int, ...], keywords: tuple[str, ...]) -> None:
        self.function, self.saved, self.keywords = function, saved, keywords


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's positional parameters."""
    return function.__code__.co_varnames[: function.__code__.co_argcount]


class Primitive:
    """An operation: its body, its inputs, its formulas."""

    def __init__(self, body: Callable[..., Any], reduces: bool = False) -> None:
        """Of `body`, positional parameters are inputs, those by keyword only are attributes."""
        self.name = body.__name__.strip("_")
        self.__doc__ = body.__doc__
        self.body = body
        self.inputs = parameters(body)
        self.reduces = reduces
        """Whether the result lacks the dimensions that the attribute `dim` tells."""
        self.formulas: dict[str, Formula] = {}

    def derivatives(self, **formulas: Callable[..., Any]) -> None:
        """Give for each differentiable input, by name, the formula of its derivative."""
        self.formulas = {name: self._read(formula) for name, formula in formulas.items()}

    def _read(self, function: Callable[..., Any]) -> Formula:
        wanted, values = parameters(function)[1:], (*self.inputs, "out")
        saved = tuple([values.index(name) for name in wanted if name in values])
        return Formula(function, saved, wanted[len(saved) :])

    def formula(self, position: int) -> Formula | None:
        """The formula for the input at `position`, None when it is not differentiable."""
        return self.formulas.get(self.inputs[position])

    def saved_for(self, needs: tuple[bool, ...]) -> tuple[bool, ...]:
        """Which inputs, and at last the result, to save when these inputs need gradients."""
        formulas = [self.formula(position) for position, need in enumerate(needs) if need]
        wanted = {which for formula in formulas if formula is not None for which in formula.saved}
        return tuple([which in wanted for which in range(len(needs) + 1)])

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The result on `inputs`: a tensor if one of them is, else an array."""
        values = self.promoted(tuple([getattr(x, "_array", x) for x in inputs]))
        out = self.compute(values, attributes)
        if not any(isinstance(x, TensorBase) for x in inputs):
            return out
        records = tuple([getattr(x, "_record", None) for x in inputs])
        needs = tuple([record is not None for record in records])
        if not (state.grad_enabled and any(needs) and self.formulas and out.dtype.kind in "fV"):
            return wrap(out)
        keeps = self.saved_for(needs)
        saved = [x if keep else None for x, keep in zip((*values, out), keeps, strict=True)]
        return wrap(out, Record(out, self, records, tuple(saved), attributes))

    def promoted(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs in the types to compute in: here as they are, NumPy sees to it."""
        return values

    def compute(self, values: tuple[Any, ...], attributes: dict[str, Any]) -> Array:
        """The body's result on arrays, always an array (NumPy makes 0-d results scalars)."""
        return np.asarray(state.quietly(self.body, *values, **attributes))


def primitive(body: Any = None, **options: Any) -> Any:
    """Make a primitive of a function on arrays; the options are those of `Primitive`."""
    return Primitive(body, **options) if body is not None else lambda b: Primitive(b, **options)
