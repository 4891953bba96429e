"""The operations that are methods of a tensor as well: those whose first input is `input`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_mnist import names
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.primitive import Primitive


def parameter_names(function: Any) -> tuple[str, ...]:
    """The names of an operation's parameters, its inputs first."""
    if isinstance(function, Primitive):
        return function.inputs
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names


def method(name: str) -> Any:
    """The operation called `name`, to be put into a class."""
    operation = names.operation(name)
    if not isinstance(operation, Primitive):
        return operation
    unary, public = len(operation.inputs) == 1, operation.public

    def call(self: Any, *inputs: Any, **named: Any) -> Any:
        if inputs or named or not unary:
            return public(self, *inputs, **named)
        return call_unary(operation, self)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = operation.says
    return call


class LaterMethod:
    """Stands in a class for a method, which is made and takes its place when first looked up."""

    def __init__(self, owner: type, name: str, make: Callable[[str], Any]) -> None:
        self.owner, self.name, self.make = owner, name, make
        setattr(owner, name, self)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        real = self.make(self.name)
        setattr(self.owner, self.name, real)
        return real.__get__(instance, owner)
