"""Guards: what a function read when it was traced, and must find again for its program to hold.

They are looked at before every call, so they are written out as one expression and compiled by
Python: thirty objects take a microsecond.
"""

from __future__ import annotations

import itertools
import operator
import re
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
"""Objects of these types that are equal are as good as the same object."""


@dataclass(frozen=True)
class _Guard:
    """Something that is looked into."""

    container: Any
    objects: Callable[[], list[Any]]
    """What lies there now; LookupError where something is gone or was added."""
    terms: Callable[[str, list[str]], list[str]]
    """Python's spelling of: the container, called by a name, holds these objects."""
    whole: bool = False
    """Whether the objects are all that it holds."""


class Guards:
    """Objects that must be the same ones, or equal numbers, for a program to hold."""

    def __init__(self) -> None:
        self._guards: list[tuple[_Guard, int]] = []
        """Where to look, and how many objects lay there."""
        self._objects: list[Any] = []
        self._check: types.FunctionType | None = None

    def watch_dict(self, found: Mapping[Any, Any], without: Collection[Any] = ()) -> None:
        """Guard a dictionary: its size, and what lies at its keys, except those in `without`."""
        keys = [key for key in found if key not in without]
        if all(type(key) is str for key in keys) and not hasattr(type(found), "__missing__"):
            self._watch_keys(found, keys, len(found))
        else:
            self.watch_elements(found)
            self.watch_elements(found.values())

    def watch_order(self, found: Collection[str]) -> None:
        """Guard in which order a dictionary gives its keys."""
        self._watch(
            _Guard(found, lambda: [tuple(found)], lambda name, o: [f"(*{name},) == {o[0]}"])
        )

    def watch_names(self, names: Mapping[str, Any], read: Sequence[str]) -> None:
        """Guard what some names in a namespace stand for, or that they stand for nothing."""
        self._watch_keys(names, [name for name in read if name in names])
        absent = [name for name in read if name not in names]

        def objects() -> list[Any]:
            if any(name in names for name in absent):
                raise LookupError
            return []

        def terms(name: str, objects: list[str]) -> list[str]:
            return [f"{each!r} not in {name}" for each in absent]

        if absent:
            self._watch(_Guard(names, objects, terms))

    def watch_list(self, found: list[Any]) -> None:
        """Guard a list: its length and its elements."""
        self._watch_keys(found, range(len(found)), len(found))

    def watch_elements(self, found: Collection[Any]) -> None:
        """Guard what a collection gives, one after the other."""

        def terms(name: str, objects: list[str]) -> list[str]:
            together = f"({''.join(f'{o}, ' for o in objects)})"
            same = f"all(map(is_, {name}, {together}))"
            return [f"len({name}) == {len(objects)}", same] if objects else [f"not {name}"]

        self._watch(_Guard(found, lambda: list(found), terms, whole=True))

    def watch_cells(self, cells: tuple[types.CellType, ...]) -> None:
        """Guard what the cells of a closure hold."""

        def terms(name: str, objects: list[str]) -> list[str]:
            return [f"{name}[{n}].cell_contents is {o}" for n, o in enumerate(objects)]

        self._watch(_Guard(cells, lambda: [content(cell) for cell in cells], terms))

    def watch_attributes(self, found: Any, names: Sequence[str]) -> None:
        """Guard what some attributes of an object are."""

        def terms(name: str, objects: list[str]) -> list[str]:
            pairs = zip(names, objects, strict=True)
            return [f"{name}.{attribute} is {o}" for attribute, o in pairs]

        self._watch(_Guard(found, lambda: [getattr(found, name) for name in names], terms))

    def watch_type(self, found: Any) -> None:
        """Guard of which class an object is."""
        self._watch(
            _Guard(found, lambda: [type(found)], lambda name, o: [f"type({name}) is {o[0]}"])
        )

    def watch_bytes(self, found: Any) -> None:
        """Guard the numbers in a buffer; those of an array with their shape and type."""
        told = ("shape", "dtype") if isinstance(found, np.ndarray) else ()

        def objects() -> list[Any]:
            return [bytes(found), *(getattr(found, name) for name in told)]

        def terms(name: str, objects: list[str]) -> list[str]:
            pairs = zip(told, objects[1:], strict=True)
            return [f"bytes({name}) == {objects[0]}", *(f"{name}.{n} == {o}" for n, o in pairs)]

        self._watch(_Guard(found, objects, terms))

    def _watch_keys(self, found: Any, keys: Sequence[Any], size: int | None = None) -> None:
        """Guard what lies at some keys; with a size, that nothing was added or removed."""

        def objects() -> list[Any]:
            if size is not None and len(found) != size:
                raise LookupError
            return [found[key] for key in keys]

        def terms(name: str, objects: list[str]) -> list[str]:
            whole = [f"len({name}) == {size}"] if size else [f"not {name}"] * (size == 0)
            return [*whole, *(f"{name}[{k!r}] is {o}" for k, o in zip(keys, objects, strict=True))]

        self._watch(_Guard(found, objects, terms, whole=size is not None))

    def hold(self) -> bool:
        """Whether nothing changed."""
        if self._check is None:
            self._check = self._written_out()
            self._keep(self._objects)
        try:
            return self._check() or self._equal()
        except (AttributeError, LookupError, RuntimeError, ValueError):
            return False  # a name, an element or a cell's content is gone

    def same_as(self, other: Guards) -> bool:
        """Whether others look into the same containers, and want to find the same there."""
        pairs = zip(self._guards, other._guards, strict=False)
        alike = len(self._guards) == len(other._guards) and all(
            a.container is b.container and n == m for (a, n), (b, m) in pairs
        )
        return alike and all(map(_alike, self._objects, other._objects))

    def changed(self) -> str:
        """What changed, as far as it has a name; nothing where all is as it was."""
        objects = iter(self._objects)
        for guard, count in self._guards:
            before = [*itertools.islice(objects, count)]
            try:
                now = guard.objects()
            except (AttributeError, LookupError, RuntimeError, ValueError):
                now = []
            terms = guard.terms("", [""] * count)[-count:] if count else []
            if len(now) != count:
                kind, size = type(guard.container).__name__, len(guard.container)
                if guard.whole and size != count:
                    return f"a {kind} that it reads holds {size} things, not {count}"
                return f"something that it reads of a {kind} is gone, or was added"
            for n, same in enumerate(map(_alike, now, before)):
                if not same:
                    name = "".join(re.findall(r"[A-Za-z_]\w*", terms[n].partition(" is ")[0]))
                    known = {"": "something", "_record": "what requires gradients"}
                    return f"{known.get(name, name)} changed, which it reads"
        return ""

    def _watch(self, guard: _Guard) -> None:
        objects = guard.objects()
        self._guards.append((guard, len(objects)))
        self._objects += objects
        self._check = None

    def _equal(self) -> bool:
        """Whether numbers and texts that are other objects now are equal to those before."""
        now: list[Any] = []
        for guard, count in self._guards:
            found = guard.objects()
            before = self._objects[len(now) : len(now) + count]
            if len(found) != count or not all(map(_alike, found, before)):
                return False
            now += found
        self._keep(now)
        return True

    def _keep(self, objects: list[Any]) -> None:
        self._objects = objects
        assert self._check is not None
        self._check.__defaults__ = (*objects, *(guard.container for guard, _ in self._guards))

    def _written_out(self) -> types.FunctionType:
        """The function that compares, its parameters' defaults what it needs: found fast there."""
        names = [f"o{n}" for n in range(len(self._objects))]
        rest, terms = iter(names), []
        for n, (guard, count) in enumerate(self._guards):
            terms += guard.terms(f"c{n}", [*itertools.islice(rest, count)])
        parameters = [*names, *(f"c{n}" for n in range(len(self._guards)))]
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


def _alike(a: Any, b: Any) -> bool:
    """Whether an object is as good as another: the same one, or an equal number or text."""
    if a is b or type(a) is not type(b):
        return a is b
    if type(a) is tuple:
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, float | complex | np.inexact):
        return repr(a) == repr(b)  # which tells 0 from -0, and finds a NaN like another
    return isinstance(a, PLAIN) and bool(a == b)
