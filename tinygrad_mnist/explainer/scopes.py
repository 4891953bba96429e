"""Boxes around nodes: the modules, functions and loops inside which operations were called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from . import passes
from .frames import Place

__all__ = ["Scopes"]


@dataclass
class _Box:
    kind: Literal["root", "module", "function", "loop", "iteration"]
    name: str
    type: str | None = None
    boxes: dict[Any, _Box] = field(default_factory=dict)
    items: list[int | _Box] = field(default_factory=list)
    """Nodes and boxes, in order."""
    repeats: int | None = None


class Scopes:
    """Collects where nodes were made, and builds the boxes."""

    def __init__(self) -> None:
        self._root = _Box("root", "")

    def note(self, node: int, places: Sequence[Place]) -> None:
        """Put a node into the boxes of the calls and loops that it was made in."""
        box = self._root
        module: Any = None
        for number, place in enumerate(places):
            if place.kind == "module":
                name = _module_name(place, module, places[:number])
                module = place.module
                box = _inside(box, place.call, "module", name, type(place.module).__name__)
            elif not _is_outermost(place, number) and not _is_forward(places, number):
                box = _inside(box, place.call, "function", place.name)
            for loop, iteration, named in place.loops:
                box = _inside(box, (place.call, loop), "loop", loop.text)
                box = _inside(box, iteration, "iteration", named)
        box.items.append(node)

    def built(self, nodes: list[passes.Node]) -> list[passes.Scope]:
        """The boxes, outer ones first; those that would hold a single thing are left out."""
        found: list[passes.Scope] = []
        waiting: list[tuple[_Box, int | None]] = [(self._root, None)]
        while waiting:
            box, parent = waiting.pop()
            here = parent
            if box is not self._root:
                here = len(found)
                kind: Any = box.kind
                found.append(passes.Scope(here, parent, kind, box.name, box.type,
                                          repeats=box.repeats))  # fmt: skip
            inner = list(_kept(box))
            for item in inner:
                if isinstance(item, int):
                    nodes[item].scope = here
                    if here is not None:
                        found[here].nodes.append(item)
            waiting += [(item, here) for item in reversed(inner) if isinstance(item, _Box)]
        return found


def _kept(box: _Box) -> Iterator[int | _Box]:
    """The nodes and boxes inside, each box that explains nothing replaced by what it holds."""
    waiting = list(reversed(box.items))
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Box):
            item.repeats = len(item.items) if item.kind == "loop" else None
            if _explains_nothing(item, box):
                waiting += reversed(item.items)
                continue
        yield item


def _explains_nothing(box: _Box, outer: _Box) -> bool:
    if box.kind == "loop":
        return len(box.items) < 2
    if box.kind == "iteration":
        return outer.kind != "loop"
    if box.kind == "function":
        (first, *others) = box.items
        if not others and (isinstance(first, int) or first.name == box.name):
            return True
        return box.name == outer.name and len(outer.items) == 1
    return False


def _inside(box: _Box, key: Any, kind: Any, name: str, type: str | None = None) -> _Box:
    inner = box.boxes.get((kind, key))
    if inner is None:
        inner = box.boxes[kind, key] = _Box(kind, name, type)
        box.items.append(inner)
    return inner


def _is_outermost(place: Place, number: int) -> bool:
    """Whether this is the program itself, or the function that was to be explained."""
    return place.kind == "program" and (number == 0 or place.name == "<module>")


def _is_forward(places: Sequence[Place], number: int) -> bool:
    """Whether this is the `forward` of the module that was called."""
    return number > 0 and places[number - 1].kind == "module" and places[number].name == "forward"


def _module_name(place: Place, outer: Any, above: Sequence[Place]) -> str:
    """What the module inside which it was called calls it, else the variable of the program."""
    if outer is not None:
        for name, module in outer.named_modules():
            if module is place.module and name:
                return str(name)
    return place.variable or place.name
