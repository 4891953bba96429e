"""The formulas of each operation of a pass, with the arrays of that operation in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.primitive import Primitive

from . import passes
from .formulas import Formula, Value, bound, derivative_formula, forward_formula

__all__ = ["Binding"]

_UNBOUND = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What reading a formula on values meets that are not those it is for: then it is not shown."""


class Binding:
    """Binds formulas to the nodes of a pass; `encode` keeps an array and gives its index."""

    def __init__(self, nodes: list[passes.Node], encode: Callable[[Any], int | None]) -> None:
        self.nodes = nodes
        self.encode = encode

    def forward(self, node: passes.Node) -> dict[str, Any] | None:
        """What an operation computed."""
        op = node.primitive
        if not isinstance(op, Primitive) or node.op != op.name:
            return None
        return self._bound(forward_formula(op), self._values(node), node)

    def derivative(
        self, node: passes.Node, part: passes.Contribution, gradient: Array | None
    ) -> dict[str, Any] | None:
        """What an operation's gradient gave to an input."""
        op = node.primitive
        if not isinstance(op, Primitive) or (gradient is None and op.vjp is None):
            return None
        values = self._values(node)
        if gradient is not None:
            values["g"] = self._value(gradient)
        formula = derivative_formula(op, part.position)
        whole = part.raw_shape == part.array.shape
        result = self._value(part.array) if whole else None
        shape = self.nodes[part.to].shape
        return self._bound(formula, values, node, shape, part.position, result)

    def _bound(
        self,
        formula: Formula | None,
        values: dict[str, Value],
        node: passes.Node,
        shape: tuple[int, ...] = (),
        position: int = 0,
        result: Value | None = None,
    ) -> dict[str, Any] | None:
        if formula is None:
            return None
        try:
            return bound(formula, values, node.settings, self.encode, shape, position, result)
        except _UNBOUND:
            return None

    def _values(self, node: passes.Node) -> dict[str, Value]:
        given = {edge.argument for edge in node.inputs}
        op = node.primitive
        absent = () if op.variadic else [name for name in op.inputs if name not in given]
        found = {name: Value(None) for name in absent}
        if node.value is not None:
            found["out"] = self._value(node.value)
        for edge in node.inputs:
            source = self.nodes[edge.node]
            if source.value is None:
                continue
            found[edge.argument] = self._value(source.value)
            if source.kind == "constant" and source.value.ndim == 0:  # as `x ** 2` was given 2
                number = found[edge.argument]
                found[edge.argument] = Value(source.value.item(), number.index)
        return found

    def _value(self, array: Array) -> Value:
        return Value(array, self.encode(array))
