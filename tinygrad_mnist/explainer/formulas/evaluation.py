"""A tree computed on arrays, and the shapes that it would have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .tree import Tree

Array = Any
_UFUNCS: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "matmul": np.matmul, "maximum": np.maximum, "minimum": np.minimum, "neg": np.negative,
    "and": np.logical_and, "or": np.logical_or, "where": np.where,
    "transpose": lambda a: np.swapaxes(a, -1, -2),
}  # fmt: skip
_COMPARED: dict[str, Callable[..., Any]] = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater,
    ">=": np.greater_equal,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "not": np.logical_not,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}  # fmt: skip


def evaluate(tree: Tree, values: Mapping[str, Array]) -> Array:
    """The tree computed on `values`, by their names in the operation: g, out, input, …"""
    with np.errstate(all="ignore"):
        return _evaluated(tree, values)


def _evaluated(tree: Tree, values: Mapping[str, Array]) -> Array:
    kind = tree.kind
    if kind == "value":
        return values[tree.argument]
    if kind in ("number", "attribute"):
        return tree.value
    parts = [_evaluated(part, values) for part in tree.parts]
    if kind in _UFUNCS:
        return _UFUNCS[kind](*parts)
    if kind == "compare":
        return _COMPARED[tree.name](*parts)
    if kind == "function":
        return (_FUNCTIONS.get(tree.name) or getattr(np, tree.name))(*parts)
    if kind == "reshape":
        return np.reshape(parts[0], tree.static["shape"])
    if kind == "expand":
        return np.broadcast_to(parts[0], tree.static["shape"])
    if kind == "permute":
        return np.transpose(parts[0], tree.static["dims"])
    if kind == "call":
        assert tree.function is not None
        return tree.function(*parts, **tree.static)
    dims = tree.static["dims"]
    axis = None if np.ndim(parts[0]) == 0 else dims
    return getattr(np, kind)(parts[0], axis=axis, keepdims=tree.static["keepdim"])


def shape_of(tree: Tree, values: Mapping[str, Array]) -> tuple[int, ...]:
    """The shape of what a tree gives; only calls are computed for it."""
    kind = tree.kind
    if kind == "value":
        return np.shape(values[tree.argument])
    if kind in ("number", "attribute"):
        return np.shape(tree.value) if isinstance(tree.value, np.ndarray) else ()
    if kind == "call":
        return np.shape(evaluate(tree, values))
    if kind in ("reshape", "expand"):
        return tuple(tree.static["shape"])
    shapes = [shape_of(part, values) for part in tree.parts]
    if kind == "permute":
        return tuple([shapes[0][d] for d in tree.static["dims"]])
    if kind == "transpose":
        return (*shapes[0][:-2], shapes[0][-1], shapes[0][-2])
    if kind == "matmul":
        lead = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
        return (*lead, shapes[0][-2], shapes[1][-1])
    if "dims" in tree.static:
        dims = dims_of(tree, len(shapes[0]))
        if tree.static["keepdim"]:
            return tuple([1 if d in dims else size for d, size in enumerate(shapes[0])])
        return tuple([size for d, size in enumerate(shapes[0]) if d not in dims])
    return np.broadcast_shapes(*shapes)


def dims_of(tree: Tree, ndim: int) -> tuple[int, ...]:
    """Over which dimensions a reduction goes, counted from the front."""
    dims = tree.static["dims"]
    given = tuple(range(ndim)) if dims is None else (dims,) if isinstance(dims, int) else dims
    return tuple([d % ndim for d in given]) if ndim else ()
