"""What a person calls the leaves of a graph: "model.0.weight", from the script's variables."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

__all__ = ["LeafNames"]

_DEPTH = 3
_ITEMS = 1000


class LeafNames:
    """Names for tensors, found once and kept while the tensor lives."""

    def __init__(self, is_tensor: Callable[[Any], bool]) -> None:
        self._is_tensor = is_tensor
        self._known: dict[int, tuple[weakref.ref[Any], str]] = {}

    def __call__(self, leaves: Iterable[Any], frames: Iterable[FrameType]) -> dict[str, Any]:
        """The leaves by name; `frames` are searched, outermost first, for those not known yet.

        A leaf that no variable leads to is called by its shape.
        """
        leaves = list(leaves)
        unknown = {id(leaf): leaf for leaf in leaves if self._name(leaf) is None}
        if unknown:
            self._search(unknown, list(frames)[::-1])
        named: dict[str, Any] = {}
        for leaf in leaves:
            name = stem = self._name(leaf) or f"a leaf {tuple(leaf.shape)}"
            number = 1
            while name in named:
                number += 1
                name = f"{stem} ({number})"
            named[name] = leaf
        return named

    def _name(self, leaf: Any) -> str | None:
        found, name = self._known.get(id(leaf), (None, None))
        return name if found is not None and found() is leaf else None

    def _search(self, unknown: dict[int, Any], frames: list[FrameType]) -> None:
        variables = [item for frame in frames for item in list(frame.f_locals.items())]
        modules = [item for item in variables if hasattr(item[1], "named_parameters")]
        for source in (modules, variables):
            for name, tensor in self._tensors(source, _DEPTH):
                if unknown.pop(id(tensor), None) is not None:
                    self._known[id(tensor)] = (weakref.ref(tensor), name)
                if not unknown:
                    return
        for leaf in unknown.values():
            self._known[id(leaf)] = (weakref.ref(leaf), f"a leaf {tuple(leaf.shape)}")

    def _tensors(self, items: Iterable[tuple[str, Any]], depth: int) -> Iterator[tuple[str, Any]]:
        """The tensors among values and inside of them, with the way to each."""
        for name, value in items:
            if self._is_tensor(value):
                yield name, value
            elif isinstance(value, type):
                continue
            elif hasattr(value, "named_parameters"):
                yield from ((f"{name}.{inner}", p) for inner, p in value.named_parameters())
            elif depth > 0:
                yield from self._tensors(_parts(name, value), depth - 1)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a container, or an object of the person's own classes, holds."""
    if isinstance(value, list | tuple):
        for number, item in enumerate(value[:_ITEMS]):
            yield f"{name}[{number}]", item
    elif isinstance(value, dict):
        for key, item in islice(list(value.items()), _ITEMS):
            yield f"{name}[{key!r}]", item
    elif type(value).__module__ == "__main__":
        for key, item in list(getattr(value, "__dict__", {}).items()):
            yield f"{name}.{key}", item
