"""What no guard can watch, and noticing whether a function that is traced reads it.

A large array may be filled anew between two calls, and an iterator goes on by itself. A function
may reach such things and never read them, as a data set that lies beside the model.
"""

from __future__ import annotations

import array
import contextlib
import io
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

BUFFERS = (bytearray, memoryview, array.array, np.ndarray)
_MOST_BYTES = 1 << 16
"""Up to which size the numbers of an array are compared at each call."""
WHOLE = {"__dict__", "vars"}
"""What gives all attributes of an object at once."""
_ABSENT = object()


def unwatched(found: Any) -> str:
    """Why no guard can watch what was found; nothing where one can."""
    if isinstance(found, BUFFERS):
        large = np.asarray(found).nbytes > _MOST_BYTES
        return "an array of more numbers than are compared at each call" if large else ""
    if isinstance(found, Iterator) and _advances_unseen(found):
        return "an iterator, which goes on at each call"
    return ""


def _advances_unseen(found: Iterator[Any]) -> bool:
    """Whether an iterator keeps how far it has come elsewhere than in attributes."""
    if isinstance(found, io.IOBase):
        return not found.closed and found.readable()
    return not isinstance(getattr(type(found), "__next__", None), types.FunctionType)


@dataclass(frozen=True)
class Place:
    """An attribute of an object."""

    owner: Any
    key: str

    @contextlib.contextmanager
    def tells(self, told: Callable[[], None]) -> Iterator[bool]:
        """Call `told` when it is read inside a `with` block; False where that is not possible.

        It is a property meanwhile, which finds and keeps what it is asked for where it lies.
        """
        kind, key = type(self.owner), self.key
        before = next((vars(base)[key] for base in kind.__mro__ if key in vars(base)), _ABSENT)
        if hasattr(type(before), "__get__") or not hasattr(self.owner, "__dict__"):
            yield False
            return

        def read(owner: Any) -> Any:
            found = vars(owner).get(key, before)
            if found is _ABSENT:
                raise AttributeError(f"{kind.__name__!r} object has no attribute {key!r}")
            if owner is self.owner or unwatched(found):
                told()
            return found

        def write(owner: Any, value: Any) -> None:
            vars(owner)[key] = value

        def remove(owner: Any) -> None:
            if vars(owner).pop(key, _ABSENT) is _ABSENT:
                raise AttributeError(key)

        own = vars(kind).get(key, _ABSENT)
        try:
            setattr(kind, key, property(read, write, remove))
        except TypeError:  # a class of C's
            yield False
            return
        try:
            yield True
        finally:
            delattr(kind, key) if own is _ABSENT else setattr(kind, key, own)
