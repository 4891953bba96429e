"""Nested tuples, lists and dictionaries: their leaves, and the nests with other leaves."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class Spec:
    """The shape of a nest: its class, its keys, its parts; None for a leaf."""

    def __init__(self, kind: Any, keys: tuple[Any, ...], parts: tuple[Spec, ...]) -> None:
        self.kind, self.keys, self.parts = kind, keys, parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and vars(self) == vars(other)

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        return f"{self.kind.__name__}({', '.join(map(repr, self.parts))})"


LEAF = Spec(None, (), ())


def _parts(tree: Any) -> tuple[tuple[Any, ...], list[Any]] | None:
    """The keys and parts of a nest; None for a leaf."""
    if isinstance(tree, dict) and type(tree) in (dict, OrderedDict, defaultdict):
        return tuple(tree), list(tree.values())
    if type(tree) in (tuple, list) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return (), list(tree)
    return None


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves of a nest in order, and its shape."""
    found = _parts(tree)
    if found is None:
        return [tree], LEAF
    keys, parts = found
    flat = [flatten(each) for each in parts]
    leaves = [leaf for some, _ in flat for leaf in some]
    return leaves, Spec(type(tree), keys, tuple([spec for _, spec in flat]))


def unflatten(leaves: Iterable[Any], spec: Spec) -> Any:
    """A nest of this shape with these leaves."""
    return _built(iter(leaves), spec)


def _built(leaves: Iterator[Any], spec: Spec) -> Any:
    if spec.kind is None:
        return next(leaves)
    parts = [_built(leaves, each) for each in spec.parts]
    if spec.keys or issubclass(spec.kind, dict):
        pairs = zip(spec.keys, parts, strict=True)
        return OrderedDict(pairs) if spec.kind is OrderedDict else dict(pairs)
    return spec.kind(*parts) if hasattr(spec.kind, "_fields") else spec.kind(parts)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The nest with `function` of each leaf."""
    leaves, spec = flatten(tree)
    return unflatten(map(function, leaves), spec)


def broadcast(tree: Any, spec: Spec) -> list[Any] | None:
    """A leaf of `tree` for each leaf of `spec`, one for all below it; None where they differ."""
    if spec.kind is None or not isinstance(tree, (tuple, list, dict)):
        return None if isinstance(tree, (tuple, list, dict)) else [tree] * count(spec)
    keys, parts = _parts(tree) or ((), [])
    if type(tree) is not spec.kind or len(parts) != len(spec.parts) or keys != spec.keys:
        return None
    found: list[Any] = []
    for part, below in zip(parts, spec.parts, strict=True):
        leaves = broadcast(part, below)
        if leaves is None:
            return None
        found += leaves
    return found


def count(spec: Spec) -> int:
    """How many leaves a nest has."""
    return 1 if spec.kind is None else sum(map(count, spec.parts))
