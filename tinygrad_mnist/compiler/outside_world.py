"""Noticing, while a function is traced, what it takes from the world: time, chance, files, keys.

No guard can tell that these are as they were, so no program may hold what they gave. Calls of C
functions are seen by a profile function, generators of random numbers by their state.
"""

from __future__ import annotations

import contextvars
import datetime
import gc
import io
import os
import pickle
import random
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_PACKAGE = __name__.partition(".")[0]
_MACHINERY = {_PACKAGE, "numba", "llvmlite", "threadpoolctl", "importlib", "_frozen_importlib",
              "_frozen_importlib_external", "logging", "warnings"}  # fmt: skip
"""What these read is none of the function's results."""
_BETWEEN = sys.stdlib_module_names | {"numpy"}
_SYSTEM = {"time": "the time", "posix": "the system", "nt": "the system", "_uuid": "the system",
           "_socket": "the network"}  # fmt: skip
_PURE = {"fspath", "_path_normpath", "_path_splitroot", "_path_splitroot_ex", "putenv", "unsetenv"}
_ENVIRONMENT = {os._Environ.__getitem__.__code__, os._Environ.__iter__.__code__}


class OutsideWorld:
    """Watches this thread inside a `with` block; `obstacle` then says what was read, and where."""

    def __init__(self, generators: Sequence[Any]) -> None:
        self.obstacle = ""
        self.read_environment = False
        self._generators = generators

    def __enter__(self) -> None:
        self._states = self._read_states()
        self._profiler = sys.getprofile()
        sys.setprofile(self._notice)

    def __exit__(self, *details: object) -> None:
        previous: Any = self._profiler
        sys.setprofile(previous if callable(previous) else None)
        if previous is not None and not callable(previous):
            previous.enable()  # cProfile's, which is not written in Python
        if not self.obstacle and self._read_states() != self._states:
            self.obstacle = _because("a random number of Python's or NumPy's is read")

    def _read_states(self) -> bytes:
        states = random.getstate(), np.random.get_state(legacy=False)
        return pickle.dumps([*states, *self._generators])

    def _notice(self, frame: types.FrameType, event: Any, given: Any) -> None:
        if event == "c_call" and not self.obstacle:
            what = _what_gives(given)
            user = _user_of(frame) if what else None
            if user is not None:
                self.obstacle = _because(f"{what} is read ({given.__name__})", user)
        elif event == "call" and frame.f_code in _ENVIRONMENT and not self.read_environment:
            self.read_environment = _user_of(frame) is not None
        if callable(self._profiler):
            self._profiler(frame, event, given)


def _because(what: str, user: types.FrameType | None = None) -> str:
    where = ""
    if user is not None:
        frame = traceback.extract_stack(user, limit=1)[-1]
        where = f' File "{frame.filename}", line {frame.lineno}: {frame.line}'
    return f"{what}: pass it as an argument.{where}"


def _what_gives(function: Callable[..., Any]) -> str:
    """What a C function reads of the world; nothing for most."""
    owner = getattr(function, "__self__", None)
    name = function.__name__
    if function is np.fromfile:
        return "a file"
    if isinstance(owner, types.ModuleType):
        if owner.__name__ in _SYSTEM and name not in _PURE:
            return _SYSTEM[owner.__name__]
        return "a file" if function in (input, open) else ""
    if isinstance(owner, random.Random):
        return "a random number"
    if isinstance(owner, io.IOBase) and not isinstance(owner, io.BytesIO | io.StringIO):
        return "a file" if name.startswith("read") else ""
    if isinstance(owner, type):
        is_time = issubclass(owner, datetime.date) and name in ("now", "today", "utcnow")
        return "the time" if is_time else ""
    read = isinstance(owner, contextvars.ContextVar) and name == "get"
    return "a context variable" if read else ""


def _user_of(frame: types.FrameType) -> types.FrameType | None:
    """The user's function for which a library is called; None where it is nobody's."""
    user: types.FrameType | None = None
    at: types.FrameType | None = frame
    collectors = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    while at is not None:
        if at.f_code in collectors:
            return None
        room = str(at.f_globals.get("__name__")).partition(".")[0]
        if room in _MACHINERY:
            return user if room == _PACKAGE else None
        if user is None and room not in _BETWEEN:
            user = at
        at = at.f_back
    return None
