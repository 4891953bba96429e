"""Operations that a tree has a kind of its own for, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .tree import FUNCTIONS, UNKNOWN, Tree, binary, negative, number

_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_BINARY = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "mm": "matmul",
           "maximum": "maximum", "minimum": "minimum", "logical_and": "and",
           "logical_or": "or"}  # fmt: skip
_REDUCTIONS = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "prod": "prod"}
_SAME = frozenset(["constant_in", "through", "cast", "clone", "as_it_is"])
"""What leaves the numbers as they are."""
_ARRANGING = {"reshape": "shape", "expand": "shape", "permute": "dims"}


def known_kind(name: str, parts: Sequence[Tree], static: Mapping[str, Any]) -> Tree | None:
    """The tree of an operation on `parts`, None where it has no kind."""
    if name in _SAME:
        return parts[0]
    if name in ("zeros", "nothing"):
        return number(0)
    if name == "rounded_div" and static.get("rounding_mode", UNKNOWN) is not UNKNOWN:
        return Tree("function", (binary("div", *parts),), static["rounding_mode"])
    if name == "neg":
        return negative(parts[0])
    if name in FUNCTIONS or name == "logical_not":
        return Tree("function", tuple(parts), name.removeprefix("logical_"))
    if name in _BINARY:
        return binary(_BINARY[name], *parts)
    if name in _COMPARED:
        return Tree("compare", tuple(parts), _COMPARED[name])
    if name == "where":
        return Tree("where", tuple(parts))
    if name in _REDUCTIONS:
        over = {"dims": static.get("dim", UNKNOWN), "keepdim": static.get("keepdim", UNKNOWN)}
        return Tree(_REDUCTIONS[name], tuple(parts), static=over)
    if name in _ARRANGING:
        key = _ARRANGING[name]
        return Tree(name, tuple(parts), static={key: static.get(key, UNKNOWN)})
    return None
