"""Guards: what a function read when it was traced, and must find again for its program to hold.

They are looked at before every call, so they are written out as one expression and compiled by
Python: thirty objects take a microsecond.
"""

from __future__ import annotations

import itertools
import operator
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import TensorBase

PLAIN = (bool, int, float, str, bytes, type(None), np.generic)
"""Objects of these types that are equal are as good as the same object."""


@dataclass(frozen=True)
class _Place:
    """A container that is looked into at some keys."""

    container: Any
    keys: Sequence[Any]

    def objects(self) -> list[Any]:
        """What lies at the keys now; LookupError where something is gone or was added."""
        return [self.container[key] for key in self.keys]

    def terms(self, name: str, objects: list[str]) -> list[str]:
        """Python's spelling of: the container, called `name`, holds these objects."""
        return [f"{name}[{key!r}] is {o}" for key, o in zip(self.keys, objects, strict=True)]


@dataclass(frozen=True)
class _Whole(_Place):
    """A container that must not grow or shrink."""

    size: int

    def objects(self) -> list[Any]:
        if len(self.container) != self.size:
            raise LookupError
        return super().objects()

    def terms(self, name: str, objects: list[str]) -> list[str]:
        return [f"len({name}) == {self.size}", *super().terms(name, objects)]


class _Values(_Whole):
    """A dictionary whose keys cannot be spelled: its values in order."""

    def objects(self) -> list[Any]:
        if len(self.container) != self.size:
            raise LookupError
        return list(self.container.values())

    def terms(self, name: str, objects: list[str]) -> list[str]:
        if not objects:
            return [f"not {name}"]
        together = f"({''.join(f'{o}, ' for o in objects)})"
        same = f"all(map(is_, {name}.values(), {together}))"
        return [f"len({name}) == {self.size}", same]


class _Cells(_Place):
    """The cells of a closure."""

    def objects(self) -> list[Any]:
        return [content(cell) for cell in self.container]

    def terms(self, name: str, objects: list[str]) -> list[str]:
        return [f"{name}[{n}].cell_contents is {o}" for n, o in enumerate(objects)]


class _Record(_Place):
    """The record of a tensor: another one, or none, when it begins or ceases to need a gradient."""

    def objects(self) -> list[Any]:
        return [self.container._record]

    def terms(self, name: str, objects: list[str]) -> list[str]:
        return [f"{name}._record is {objects[0]}"]


class Guards:
    """Objects that must be the same ones, or equal numbers, for a program to hold."""

    def __init__(self) -> None:
        self._places: list[tuple[_Place, int]] = []
        """Where to look, and how many objects lay there."""
        self._objects: list[Any] = []
        self._check: types.FunctionType | None = None

    def watch_dict(self, found: dict[Any, Any], without: Sequence[Any] = ()) -> None:
        """Watch a dictionary: its size, and what lies at its keys, save those in `without`."""
        keys = [key for key in found if key not in without]
        kind = _Whole if all(type(key) is str for key in keys) else _Values
        self._watch(kind(found, keys, len(found)))

    def watch_names(self, names: dict[str, Any], read: Sequence[str]) -> None:
        """Watch what some names in a namespace stand for."""
        self._watch(_Place(names, read))

    def watch_list(self, found: list[Any]) -> None:
        """Watch a list: its length and its elements."""
        self._watch(_Whole(found, range(len(found)), len(found)))

    def watch_cells(self, cells: tuple[types.CellType, ...]) -> None:
        """Watch what the cells of a closure hold."""
        self._watch(_Cells(cells, ()))

    def watch_record(self, tensor: TensorBase) -> None:
        """Watch whether a tensor needs gradients."""
        self._watch(_Record(tensor, ()))

    def hold(self) -> bool:
        """Whether nothing changed."""
        if self._check is None:
            self._check = self._written_out()
            self._keep(self._objects)
        try:
            return self._check() or self._equal()
        except (LookupError, ValueError):  # a name, an element or a cell's content is gone
            return False

    def _watch(self, place: _Place) -> None:
        objects = place.objects()
        self._places.append((place, len(objects)))
        self._objects += objects
        self._check = None

    def _equal(self) -> bool:
        """Whether numbers and texts that are other objects now are equal to those before."""
        now = [found for place, _ in self._places for found in place.objects()]
        for a, b in zip(now, self._objects, strict=True):
            if a is not b and not (type(a) is type(b) and isinstance(a, PLAIN) and a == b):
                return False
        self._keep(now)
        return True

    def _keep(self, objects: list[Any]) -> None:
        self._objects = objects
        assert self._check is not None
        self._check.__defaults__ = (*objects, *(place.container for place, _ in self._places))

    def _written_out(self) -> types.FunctionType:
        """The function that compares, its parameters' defaults what it needs: found fast there."""
        names = [f"o{n}" for n in range(len(self._objects))]
        rest, terms = iter(names), []
        for n, (place, count) in enumerate(self._places):
            terms += place.terms(f"c{n}", [*itertools.islice(rest, count)])
        parameters = [*names, *(f"c{n}" for n in range(len(self._places)))]
        text = f"def hold({', '.join(parameters)}):\n    return {' and '.join(terms) or True}"
        space: dict[str, Any] = {"is_": operator.is_}
        exec(text, space)
        check: types.FunctionType = space["hold"]
        return check


def content(cell: types.CellType) -> Any:
    """What a cell of a closure holds; None where its name has no value yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None
