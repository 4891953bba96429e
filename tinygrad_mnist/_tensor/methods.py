"""The operations that are methods of a tensor as well: those whose first input is `input`."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from tinygrad_mnist import names
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.ops import (
    arithmetic,
    casting,
    choosing,
    elementwise,
    indexing,
    matmul,
    reductions,
    shapes,
)

_MODULES: tuple[ModuleType, ...] = (
    arithmetic, casting, choosing, elementwise, indexing, matmul, reductions, shapes,
)  # fmt: skip
_FUNCTIONS_ONLY = ("rsub", "std_mean", "var_mean")
"""What PyTorch does not have as methods."""


def parameter_names(function: Any) -> tuple[str, ...]:
    """The names of an operation's parameters, its inputs first."""
    if isinstance(function, Primitive):
        return function.inputs
    code = getattr(function, "__wrapped__", function).__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names


OPERATIONS: dict[str, Callable[..., Any]] = {
    name: getattr(module, name)
    for module in _MODULES
    for name in module.__all__
    if parameter_names(getattr(module, name))[:1] == ("input",) and name not in _FUNCTIONS_ONLY
}
"""The operations that are methods and are there from the start, by name."""


def find(name: str) -> Callable[..., Any]:
    """The operation of the method `name`; its file loads now if nobody needed it before."""
    if name not in OPERATIONS:
        OPERATIONS[name] = names.operation(name)
    return OPERATIONS[name]


def method(name: str) -> Any:
    """The operation called `name`, to be put into a class."""
    operation = find(name)
    if not isinstance(operation, Primitive):
        return operation
    unary = len(operation.inputs) == 1

    def call(self: Any, *inputs: Any, **named: Any) -> Any:
        if inputs or named:
            return operation(self, *inputs, **named)
        return call_unary(operation, self) if unary else operation(self)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = operation.__doc__
    return call


def later_method(owner: type, name: str) -> Any:
    """Stands in `owner` for the method `name`, and makes way for the real one when first called."""

    def call(self: Any, *inputs: Any, **named: Any) -> Any:
        real = method(name)
        setattr(owner, name, real)
        return real(self, *inputs, **named)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"See `torch.{name}`."
    return call
