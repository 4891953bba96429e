"""Boxes around nodes: the modules, functions and loops inside which operations were called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tinygrad_mnist.explainer import passes

from .frames import Place

__all__ = ["Scopes"]


_Kind = Literal["root", "module", "function", "loop", "iteration"]


@dataclass
class _Box:
    kind: Any
    name: str
    type: str | None = None
    boxes: dict[Any, _Box] = field(default_factory=dict)
    items: list[int | _Box] = field(default_factory=list)
    """Nodes and boxes, in order."""


class Scopes:
    """Collects where nodes were made, and builds the boxes."""

    def __init__(self) -> None:
        self._boxes = [_Box("root", "")]
        """Outer ones before those inside; the first is around everything."""

    def note(self, node: int, places: Sequence[Place]) -> None:
        """Put a node into the boxes of the calls and loops that it was made in."""
        box = self._boxes[0]
        module: Any = None
        for number, place in enumerate(places):
            if place.kind == "module":
                name = _module_name(place, module)
                module = place.module
                box = self._inside(box, place.call, "module", name, type(place.module).__name__)
            elif not _is_outermost(place, number) and not _is_forward(places, number):
                box = self._inside(box, place.call, "function", place.name)
            for loop, iteration, named in place.loops:
                box = self._inside(box, (place.call, loop), "loop", loop.text)
                box = self._inside(box, iteration, "iteration", named)
        box.items.append(node)

    def built(self, nodes: list[passes.Node]) -> list[passes.Scope]:
        """The boxes, outer ones first; those that explain nothing give what they hold away."""
        for box in reversed(self._boxes):
            box.items = list(_kept(box))
        root = self._boxes[0]
        while len(root.items) == 1 and _is_function(root.items[0]):
            root.items = root.items[0].items  # type: ignore[union-attr]
        found: list[passes.Scope] = []
        waiting: list[tuple[_Box, int | None]] = [(root, None)]
        while waiting:
            box, parent = waiting.pop()
            here = parent
            if box.kind != "root":
                here = len(found)
                repeats = len(box.items) if box.kind == "loop" else None
                found.append(
                    passes.Scope(here, parent, box.kind, box.name, box.type, repeats=repeats)
                )
            for item in box.items:
                if isinstance(item, int):
                    nodes[item].scope = here
                    if here is not None:
                        found[here].nodes.append(item)
            waiting += [(item, here) for item in reversed(box.items) if isinstance(item, _Box)]
        return found

    def _inside(self, box: _Box, key: Any, kind: _Kind, name: str, type: str | None = None) -> _Box:
        inner = box.boxes.get((kind, key))
        if inner is None:
            inner = box.boxes[kind, key] = _Box(kind, name, type)
            box.items.append(inner)
            self._boxes.append(inner)
        return inner


def _kept(box: _Box) -> Iterator[int | _Box]:
    """The nodes and boxes inside; in place of a box that explains nothing, what it holds."""
    for item in box.items:
        if isinstance(item, _Box) and _explains_nothing(item, box):
            yield from item.items
        else:
            yield item


def _explains_nothing(box: _Box, outer: _Box) -> bool:
    """Whether a box, whose own boxes have been seen to, tells nothing that its items do not.

    So does a loop that went round once, or round modules; a function of one operation; one that is
    all that a module does.
    """
    first, *others = box.items
    if box.kind == "loop":
        return len(box.boxes) < 2 or all(_is_of_module(item) for item in box.items)
    if box.kind == "iteration":
        return len(outer.boxes) < 2 or _is_of_module(box)
    if box.kind == "function":
        alone = outer.kind == "module" and len(outer.items) == 1
        return alone or (not others and (isinstance(first, int) or first.name == box.name))
    return False


def _is_function(item: int | _Box) -> bool:
    return not isinstance(item, int) and item.kind == "function"


def _is_of_module(item: int | _Box) -> bool:
    """Whether this is an iteration that a single module makes up, or that module."""
    if isinstance(item, int):
        return False
    if item.kind == "iteration" and len(item.items) == 1:
        return _is_of_module(item.items[0])
    return bool(item.kind == "module")


def _is_outermost(place: Place, number: int) -> bool:
    """Whether this is the program itself, or the function that was to be explained."""
    return place.kind == "program" and (number == 0 or place.name == "<module>")


def _is_forward(places: Sequence[Place], number: int) -> bool:
    """Whether this is the `forward` of the module that was called."""
    return number > 0 and places[number - 1].kind == "module" and places[number].name == "forward"


def _module_name(place: Place, outer: Any) -> str:
    """What the module inside which it was called calls it, else the variable of the program."""
    if outer is not None:
        for name, module in outer.named_modules():
            if module is place.module and name:
                return str(name)
    return place.variable or place.name
