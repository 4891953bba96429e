"""Tensors among a program's variables, and the way to each: "model.0.weight"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

__all__ = ["tensors_in"]

_DEPTH = 3
_ITEMS = 1000
_MOST = 100_000
"""Values that are looked at, so that large lists of a program's take no time."""


def tensors_in(
    frames: Iterable[FrameType], is_tensor: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    """The tensors that variables of the frames lead to, those of modules first, each named.

    Lists, tuples, dictionaries and objects of the program's own classes are looked into.

    >>> weights = [torch.ones(2)]
    >>> from tinygrad_mnist.tools.scripts.variables import tensors_in
    >>> import sys
    >>> [name for name, _ in tensors_in([sys._getframe()], torch.is_tensor)][:1]
    ['weights[0]']
    """
    variables = [item for frame in frames for item in list(frame.f_locals.items())]
    modules = [item for item in variables if hasattr(item[1], "named_parameters")]
    left = iter(range(_MOST))
    yield from _tensors(modules, is_tensor, _DEPTH, left)
    yield from _tensors(variables, is_tensor, _DEPTH, left)


def _tensors(
    items: Iterable[tuple[str, Any]],
    is_tensor: Callable[[Any], bool],
    depth: int,
    left: Iterator[int],
) -> Iterator[tuple[str, Any]]:
    """The tensors among values and inside of them, with the way to each, while any are left."""
    for name, value in items:
        if next(left, None) is None:
            return
        if is_tensor(value):
            yield name, value
        elif isinstance(value, type):
            continue
        elif hasattr(value, "named_parameters"):
            yield from ((f"{name}.{inner}", p) for inner, p in value.named_parameters())
        elif depth > 0:
            yield from _tensors(_parts(name, value), is_tensor, depth - 1, left)


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
