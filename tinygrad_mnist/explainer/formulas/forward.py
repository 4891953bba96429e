"""What an operation computes, read from its docstring."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_mnist.core.primitive import Primitive

from . import notation
from .kinds import known_kind
from .tree import UNKNOWN, Tree, attribute, number

Shape = Callable[[Tree], "tuple[int, ...] | None"]
_SHORT = {"input": "x", "other": "y", "mat1": "x", "mat2": "y", "exponent": "y", "grad": "g",
          "weight": "w", "bias": "b", "target": "t", "min": "low", "max": "high", "tensors": "x",
          "before": "x"}  # fmt: skip
"""How docstrings call inputs."""


def shown_names(op: Primitive) -> dict[str, str]:
    """By each input's name, how formulas show it: in a capital where the docstring does."""
    words = re.findall("[A-Za-z]+", notation.formula_of(says_of(op)))
    short = {name: _SHORT.get(name, name) for name in op.inputs}
    return {name: s.upper() if len(s) == 1 and s.upper() in words else s
            for name, s in short.items()}  # fmt: skip


def says_of(op: Primitive) -> str:
    """The first line of what an operation says of itself."""
    return (getattr(op, "says", None) or "").strip().partition("\n")[0]


def algebra(
    op: Primitive, given: Mapping[str, Tree], static: Mapping[str, Any], shape: Shape
) -> Tree | None:
    """What `op` computes of `given`, its inputs by name; None where its docstring is a sentence."""
    names = {shown: given[name] for name, shown in shown_names(op).items() if name in given}
    names |= {name: attribute(name, static.get(name, UNKNOWN)) for name in _attributes(op)}
    if "dim" in _attributes(op):
        names["n"] = _count(given, static, shape)
    try:
        return notation.read(says_of(op), names, _over(op, static))
    except notation.NotAFormula:
        return None


def computed(
    op: Primitive, given: Mapping[str, Tree], static: Mapping[str, Any], shape: Shape
) -> Tree:
    """What `op` computes of `given`: as algebra, by its kind, or as a call of it."""
    found = algebra(op, given, static, shape)
    if found is not None:
        return found
    parts = tuple(given.values())
    found = known_kind(op.name, parts, static)
    if found is not None:
        return found
    known = {name: static.get(name, UNKNOWN) for name in _attributes(op)}
    return Tree("call", parts, op.name, static=known, function=op, says=says_of(op))


def _attributes(op: Primitive) -> frozenset[str]:
    named: frozenset[str] = getattr(op, "attributes", frozenset())
    return named


def _over(op: Primitive, static: Mapping[str, Any]) -> dict[str, Any]:
    """Over which dimensions Σ goes, and whether these stay with size 1."""
    dim = static.get("dim", UNKNOWN)
    keepdim = static.get("keepdim", UNKNOWN) if op.reduces else True
    return {"dims": dim, "keepdim": keepdim}


def _count(given: Mapping[str, Tree], static: Mapping[str, Any], shape: Shape) -> Tree:
    """How many numbers Σ goes over."""
    sizes = shape(next(iter(given.values())))
    dim = static.get("dim", UNKNOWN)
    if sizes is None or dim is UNKNOWN:
        return attribute("n")
    dims = (dim,) if isinstance(dim, int) else dim
    return number(math.prod([sizes[d] for d in dims]), "")
