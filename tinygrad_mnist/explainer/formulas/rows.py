"""Every operation with its formulas, for the documentation."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path

from tinygrad_mnist.engine.node import PRIMITIVES
from tinygrad_mnist.engine.primitive import Primitive

from .formula import Formula, derivative_formula, forward_formula

__all__ = ["Row", "table"]

_PACKAGE = __name__.partition(".")[0]
_WHERE = (f"{_PACKAGE}.ops", f"{_PACKAGE}.nn.functional")
"""Where operations are defined."""


@dataclass(frozen=True)
class Row:
    """An operation: what it computes, its derivatives, what PyTorch calls its node."""

    name: str
    says: str
    """What it says of itself, remarks and all."""
    formula: Formula | None
    derivatives: tuple[Formula, ...]
    grad_fn: str
    subject: str
    """The file that it stands in, as a path in the package: ops/softmax."""


def table() -> list[Row]:
    """A row for each operation, by the files they stand in and there by name.

    >>> from tinygrad_mnist.explainer.formulas import table
    >>> [row.derivatives[0].text for row in table() if row.name == "relu"]
    ['∂L/∂x = g where out > 0, 0 elsewhere']
    """
    for package in _WHERE:
        found = importlib.import_module(package)
        for module in pkgutil.iter_modules(found.__path__, f"{package}."):
            importlib.import_module(module.name)
    rows = [_row(op) for op in PRIMITIVES.values() if isinstance(op, Primitive) and op.vjp is None]
    return sorted(rows, key=lambda row: (row.subject, row.name))


def _row(op: Primitive) -> Row:
    found = [derivative_formula(op, position) for position in range(len(op.inputs))]
    functions = [*[formula.function for formula in op.formulas.values()], op.body]
    parts = Path(functions[0].__code__.co_filename).with_suffix("").parts
    last = len(parts) - 1 - parts[::-1].index(_PACKAGE) if _PACKAGE in parts else -2
    subject = "/".join(parts[last + 1 :])
    derivatives = tuple([formula for formula in found if formula is not None])
    node = op.record_type.__name__ if derivatives else ""
    return Row(op.name, op.says or "", forward_formula(op), derivatives, node, subject)
