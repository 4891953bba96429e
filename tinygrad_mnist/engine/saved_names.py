"""What a node shows of what it keeps, by PyTorch's names: `_saved_self`, `_saved_dim`, …"""

from __future__ import annotations

from typing import Any

import numpy as np

from .tensor import wrap


def saved_places(record: Any) -> dict[str, int | str]:
    """The names of what a node keeps: with each its position in `saved`, or its attribute.

    A node of a composed function bears PyTorch's name, but keeps what its last operation needs:
    there the operation is part of the name, as in `_saved_div_self` of TanBackward0.
    """
    op = record.primitive
    if op is None:
        return {}
    prefix = "_saved_" if family(type(record).__name__) in op.nodes else f"_saved_{op.name}_"
    keeps = () if op.variadic else op.saves[(True,) * len(op.inputs)]
    inputs = ["self" if each == "input" else each for each in op.inputs]
    places: dict[str, int | str] = {
        prefix + [*inputs, "result"][which]: which for which, keep in enumerate(keeps) if keep
    }
    asked = [name for formula in op.formulas.values() for name in formula.keywords]
    return places | {prefix + name: name for name in asked if name in record.attributes}


def family(node: str) -> str:
    """A node's name without its number: "MulBackward" for "MulBackward0"."""
    return node.rstrip("0123456789")


def as_tensors(value: Any) -> Any:
    """An attribute as PyTorch shows it: tensors for arrays, also for those in a tuple."""
    if isinstance(value, np.ndarray):
        return wrap(value)
    if isinstance(value, tuple) and any(isinstance(each, np.ndarray) for each in value):
        return tuple([as_tensors(each) for each in value])
    return value
