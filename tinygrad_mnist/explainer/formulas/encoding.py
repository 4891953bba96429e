"""A tree of one call as plain data, which pages read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .evaluation import dims_of, evaluate, shape_of
from .tree import REDUCTIONS, UNKNOWN, Tree
from .writing import static_text

_LETTERS = {"where": "cab"}


def tree_as_data(
    tree: Tree,
    arrays: Mapping[str, Any],
    indices: Mapping[str, int | None],
    encode: Callable[[Any], int | None],
) -> dict[str, Any]:
    """The tree as nested dictionaries of text and numbers, arrays as their indices."""
    if tree.kind == "call":
        value = np.asarray(evaluate(tree, arrays))
        data = called_as_data(tree, arrays, indices, encode, value.shape)
        return data | {"array": encode(value)}
    data = {"k": tree.kind, "shape": list(shape_of(tree, arrays))}
    if tree.name and tree.kind != "compare":
        data["name"] = tree.name
    if tree.kind == "value":
        return data | {"argument": tree.argument, "array": indices[tree.argument]}
    if tree.kind == "number":
        return data | {"value": _number(tree.value)}
    if tree.kind == "attribute":
        numeric = isinstance(tree.value, int | float) and not isinstance(tree.value, bool)
        known = {"value": _number(tree.value)} if numeric else {}
        return data | {"text": static_text(tree.value)} | known
    parts = [tree_as_data(part, arrays, indices, encode) for part in tree.parts]
    if tree.kind == "compare":
        data["op"] = tree.name
    if tree.kind in REDUCTIONS:
        ndim = len(parts[0]["shape"])
        data |= {"dims": list(dims_of(tree, ndim)), "keepdim": tree.static["keepdim"]}
    elif tree.kind == "permute":
        data["dims"] = list(tree.static["dims"])
    return data | dict(zip(_LETTERS.get(tree.kind, "ab"), parts, strict=False))


def called_as_data(
    tree: Tree,
    arrays: Mapping[str, Any],
    indices: Mapping[str, int | None],
    encode: Callable[[Any], int | None],
    shape: tuple[int, ...],
) -> dict[str, Any]:
    """A call whose result has this shape, with the arguments that are known."""
    known = [part for part in tree.parts if part.arguments <= arrays.keys()]
    arguments = [tree_as_data(part, arrays, indices, encode) for part in known]
    return {"k": "call", "shape": list(shape), "name": tree.name, "args": arguments,
            "array": None, "says": tree.says}  # fmt: skip


def _number(value: Any) -> Any:
    """A number as JSON has it: what is not finite as text."""
    if value is UNKNOWN:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
