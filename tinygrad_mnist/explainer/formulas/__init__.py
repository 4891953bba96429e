"""Formulas from the one definition of an operation: its docstring, and its derivatives' source."""

from .evaluation import evaluate
from .formula import Formula, Value, bound, derivative_formula, forward_formula, of_call
from .rows import Row, table
from .tree import Tree

__all__ = [
    "Formula", "Row", "Tree", "Value", "bound", "derivative_formula", "evaluate", "forward_formula",
    "of_call", "table",
]  # fmt: skip
