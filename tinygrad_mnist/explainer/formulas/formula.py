"""The formulas of an operation as a reader sees them: what it computes, and each derivative."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.core.primitive import Formula as Derivative
from tinygrad_mnist.core.primitive import Primitive, parameters

from . import notation, writing
from .encoding import called_as_data, tree_as_data
from .evaluation import shape_of
from .forward import Shape, algebra, computed, says_of, shown_names
from .reader import Static, Term, as_tree, read, static
from .source import NotShown
from .tree import UNKNOWN, Tree, attribute, number, value

Encode = Callable[[Any], "int | None"]


@dataclass(frozen=True)
class Value:
    """An array of one call, or a number given in its place, and the array's index in the data."""

    array: Any
    index: int | None = None


@dataclass(frozen=True)
class Formula:
    """What an operation computes, or the derivative for one input: as a tree, as text, as MathML.

    >>> from tinygrad_mnist import explainer
    >>> explainer.formulas.derivative_formula(torch.exp, 0).text
    '∂L/∂x = g · out'
    """

    op: Primitive
    tree: Tree
    left: str
    """What it equals: `out`, or `∂L/∂x`."""
    right: str
    mathml: str
    argument: str
    """The input that it is a derivative for; empty where it is what the operation computes."""
    position: int = 0

    @property
    def text(self) -> str:
        """The whole equation in Unicode."""
        return f"{self.left} = {self.right}"


@functools.lru_cache(maxsize=1024)
def forward_formula(op: Primitive) -> Formula | None:
    """What an operation computes; None where it says nothing of itself."""
    return None if not says_of(op) else _forward(op, {}, {}, _unknown)


def derivative_formula(op: Primitive, position: int) -> Formula | None:
    """The derivative for the input at `position`; None where there is none."""
    return _derivative_formula(op, 0 if getattr(op, "variadic", False) else position)


@functools.lru_cache(maxsize=1024)
def _derivative_formula(op: Primitive, position: int) -> Formula | None:
    vjp = getattr(op, "vjp", None)
    if vjp is not None:
        says = (vjp.__doc__ or "").partition("\n")[0].rstrip(".")
        tree = Tree("call", (), vjp.__name__.strip("_"), says=says)
        return _made(op, tree, says, op.inputs[position] if op.inputs else "x", position)
    derivative = op.formula(position)
    return None if derivative is None else _derivative(op, position, derivative, {}, {}, _unknown)


def bound(
    formula: Formula,
    values: Mapping[str, Value],
    attributes: Mapping[str, Any],
    encode: Encode,
    shape: tuple[int, ...] = (),
    position: int = 0,
    result: Value | None = None,
) -> dict[str, Any]:
    """The formula of one call as plain data: its tree's leaves name arrays, its settings are known.

    `values` are the call's arrays by name: the inputs as in the operation's signature, `out`, and
    for a derivative `g`; what the formula does not ask for may be left out, and an input that was
    not given is None. `shape` is that of the
    input at `position`, for which the derivative is. An input named `out` goes before the result.
    `encode` keeps an array and gives its index:
    it is asked for what is computed by calls within the formula; a derivative's `result` spares
    that, where the formula is one call.
    """
    formula, arrays = of_call(formula, values, attributes, shape, position)
    indices = {name: value.index for name, value in values.items()}
    result = result if formula.argument else values.get("out")
    if result is not None and formula.tree.kind == "call":
        tree = called_as_data(formula.tree, arrays, indices, encode, result.array.shape)
        tree["array"] = result.index
    else:
        tree = tree_as_data(formula.tree, arrays, indices, encode)
    return {
        "text": formula.text, "mathml": formula.mathml, "argument": formula.argument,
        "left": formula.left, "right": formula.right,
        "tree": tree,
    }  # fmt: skip


def of_call(
    formula: Formula,
    values: Mapping[str, Value],
    attributes: Mapping[str, Any],
    shape: tuple[int, ...] = (),
    position: int = 0,
) -> tuple[Formula, dict[str, Any]]:
    """The formula with the settings of one call in it, and the arrays to `evaluate` it on.

    Where the call reduced dimensions, g and out have them again with size 1.
    """
    op, known = formula.op, {**attributes, "shape": shape, "position": position}
    arrays = {name: each.array for name, each in values.items()}
    if formula.argument and op.reduces:
        sizes = [1 if d in attributes["dim"] else size for d, size in enumerate(shape)]
        arrays |= {name: np.reshape(arrays[name], sizes) for name in ("g", "out") if name in arrays}

    def shape_now(tree: Tree) -> tuple[int, ...] | None:
        return shape_of(tree, arrays) if tree.arguments <= arrays.keys() else None

    if not formula.argument:
        return _forward(op, arrays, attributes, shape_now), arrays
    derivative = None if getattr(op, "vjp", None) is not None else op.formula(formula.position)
    if derivative is not None:
        formula = _derivative(op, formula.position, derivative, arrays, known, shape_now)
    return formula, arrays


def _unknown(tree: Tree) -> tuple[int, ...] | None:
    """The shape of a tree that stands for every call."""
    return None


def _forward(
    op: Primitive, values: Mapping[str, Any], known: Mapping[str, Any], shape: Shape
) -> Formula:
    names = shown_names(op)
    given = {name: as_tree(_term(name, names[name], values)) for name in op.inputs}
    tree = computed(op, given, known, shape)
    words = notation.formula_of(says_of(op))
    right = words if tree.kind == "call" else writing.text(tree)
    left = writing.name("out")
    sentence = tree.kind == "call" or _read_by_kind(op, given)
    shown = writing.sentence(words, left) if sentence else writing.mathml(tree, left)
    return Formula(op, tree, "out", words if sentence else right, shown, "")


def _read_by_kind(op: Primitive, given: Mapping[str, Tree]) -> bool:
    """Whether the docstring is a sentence, though the operation has a kind of its own."""
    return algebra(op, given, {}, _unknown) is None


def _derivative(
    op: Primitive,
    position: int,
    derivative: Derivative,
    values: Mapping[str, Any],
    known: Mapping[str, Any],
    shape: Shape,
) -> Formula:
    arguments = _arguments(op, derivative, values, known)
    function = derivative.function
    words = ""
    says = (function.__doc__ or "").partition("\n")[0].rstrip(".")
    try:
        tree = as_tree(read(function, arguments, shape))
    except NotShown:
        tree = None
    if tree is None or (says and not tree.algebraic):
        words, parts = says or _NO_SOURCE, tuple(map(as_tree, arguments.values()))
        name = f"{op.name}_derivative" if function.__name__ == "<lambda>" else function.__name__
        tree = Tree("call", parts, name.strip("_"), function=function, says=words)
    elif tree.kind == "call":
        words = tree.says or "" if all(part.algebraic for part in tree.parts) else ""
    return _made(op, tree, words, op.inputs[position], position)


_NO_SOURCE = "a formula whose source is not at hand"


def _made(op: Primitive, tree: Tree, words: str, argument: str, position: int) -> Formula:
    shown = shown_names(op).get(argument, argument)
    left = writing.derivative_of(shown)
    mathml = writing.sentence(words, left) if words else writing.mathml(tree, left)
    return Formula(
        op, tree, f"∂L/∂{shown}", words or writing.text(tree), mathml, argument, position
    )


def _arguments(
    op: Primitive, derivative: Derivative, values: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Term]:
    """What a derivative's function is called with, by its parameters' names."""
    names = shown_names(op)
    first, *others = parameters(derivative.function)
    saved = [(*op.inputs, "out")[which] for which in derivative.saved]
    arguments: dict[str, Term] = {first: value("g′" if "g" in names.values() else "g", "g")}
    for parameter, name in zip(others, saved, strict=False):
        arguments[parameter] = _term(name, names.get(name, name), values)
    for name in derivative.keywords:
        found = known.get(name, UNKNOWN)
        numeric = isinstance(found, int | float) and not isinstance(found, bool)
        arguments[name] = Static(found, attribute(name, found))
        if numeric and name in ("shape", "position"):
            arguments[name] = Static(found, number(found))
    return arguments


def _term(name: str, shown: str, values: Mapping[str, Any]) -> Term:
    """An input as a term: an array as a value, a number or None as itself."""
    if name not in values or isinstance(values[name], np.ndarray | np.generic):
        return value(shown, name)
    return static(values[name], shown)
