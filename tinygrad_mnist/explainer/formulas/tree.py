"""A formula as a tree: what every reader of it, in Python or on a page, works with.

A leaf is a value (the gradient, the result, an input), a number or an attribute. `static` is what
is known before any number is: dimensions, shapes, the keyword arguments of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda self: "?", "__bool__": lambda self: False})()
"""A static value in a formula that stands for every call: known when it is bound to one."""

BINARY = frozenset(["add", "sub", "mul", "div", "pow", "matmul", "maximum", "minimum", "and", "or"])
REDUCTIONS = frozenset(["sum", "mean", "max", "min", "prod"])
FUNCTIONS = frozenset(
    ["exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos",
     "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "abs", "sign", "floor",
     "ceil", "trunc", "not"]
)  # fmt: skip
"""Functions of one number, by the names of their operations."""


@dataclass(frozen=True)
class Tree:
    """One node: its kind, its parts, and what else its kind has."""

    kind: str
    parts: tuple[Tree, ...] = ()
    name: str = ""
    """Of a value, an attribute, a function, a call; the sign of a comparison."""
    value: Any = None
    """Of a number or an attribute; UNKNOWN before it is bound."""
    static: Mapping[str, Any] = field(default_factory=dict, compare=False)
    function: Callable[..., Any] | None = field(default=None, compare=False)
    """What a call calls."""
    says: str | None = field(default=None, compare=False)
    argument: str = ""
    """The name of a value in the operation's signature: input, other, out, g."""

    def walk(self) -> Iterator[Tree]:
        """This node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def arguments(self) -> set[str]:
        """The names, in the operation's signature, of the values that it reads."""
        return {node.argument for node in self.walk() if node.kind == "value"}

    @property
    def algebraic(self) -> bool:
        """Whether it has no call, of which only the result is known."""
        return all(node.kind != "call" for node in self.walk())


def number(value: float, text: str = "") -> Tree:
    """A number, shown as `text` if given."""
    return Tree("number", value=value, name=text)


def value(name: str, argument: str) -> Tree:
    """An array of the call: the input `argument`, `out` or `g`, shown as `name`."""
    return Tree("value", name=name, argument=argument)


def attribute(name: str, known: Any = UNKNOWN) -> Tree:
    """A setting of the call, shown by its name."""
    return Tree("attribute", name=name, value=known, argument=name)


def binary(kind: str, a: Tree, b: Tree) -> Tree:
    """Two trees joined, with the simplest things done: x · x is x², x¹ is x."""
    if kind == "mul" and a.kind == "neg":
        return negative(binary("mul", a.parts[0], b))
    if kind == "mul" and b.kind == "neg":
        return negative(binary("mul", a, b.parts[0]))
    if kind == "add" and b.kind == "neg":
        return binary("sub", a, b.parts[0])
    if kind == "mul" and a == b and a.kind != "number":
        return binary("pow", a, number(2))
    if kind == "mul" and a.kind == "pow" and a.parts[0] == b and a.parts[1].kind == "number":
        return binary("pow", b, number(a.parts[1].value + 1))
    if kind == "pow" and b.kind == "number" and b.value == 1:
        return a
    if kind == "div" and b.kind == "number" and b.value == 1:
        return a
    return Tree(kind, (a, b))


def negative(a: Tree) -> Tree:
    """−a"""
    if a.kind == "number" and not a.name:
        return number(-a.value)
    return Tree("neg", (a,))
