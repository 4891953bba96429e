"""Arguments as a program sees them: nested, given by position or by name, each with a path."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_mnist.engine.record import TensorBase

from .entry import Arguments, Finder

Path = tuple[Any, ...]
"""Positions and keys that lead to something in nested arguments."""


class Keywords(dict[str, Any]):
    """The last of the arguments, where some can only be given by name."""


def called(function: Callable[..., Any], args: Arguments) -> Any:
    """What the function gives, called with these arguments."""
    if args and isinstance(args[-1], Keywords):
        return function(*args[:-1], **args[-1])
    return function(*args)


def at(path: Path) -> Finder:
    """Finds what lies at `path` in nested arguments."""
    first, *rest = path
    if not rest:
        return operator.itemgetter(first)
    return lambda arguments: functools.reduce(lambda part, n: part[n], path, arguments)


def setting(settings: dict[str, Any], key: str) -> Callable[[Arguments], Any]:
    """Reads a setting, whatever the arguments are."""
    return lambda arguments: settings[key]


def always(tensor: TensorBase) -> Finder:
    """Finds the same tensor each time."""
    return lambda arguments: tensor


def grad_of(find: Finder) -> Finder:
    """Finds the `.grad` of a leaf that is found."""
    return lambda arguments: find(arguments)._record.grad


def parts_of(given: Any, name: str = "", path: Path = ()) -> Iterator[tuple[str, Any, Path]]:
    """What nested tuples, lists and dictionaries hold: each with a name and the path to it."""
    if isinstance(given, tuple | list):
        for n, part in enumerate(given):
            yield from parts_of(part, f"{name}_{n}", (*path, n))
    elif isinstance(given, dict):
        for key, part in given.items():
            own = str(key) if isinstance(given, Keywords) else f"{name}_{key}"
            yield from parts_of(part, own, (*path, key))
    else:
        yield name, given, path


def tensors_in(given: Any) -> list[Any]:
    """The tensors in nested containers."""
    return [part for _, part, _ in parts_of(given) if isinstance(part, TensorBase)]
