"""Locks in processes that fork.

A child has but the thread that forked: what others held would be held for ever. Before a process
forks, it waits until nobody holds the locks of `held_through_fork` or Numba's, or is in the middle
of an import, so that the child finds whole what they guard. What takes too long, as where two
threads wait for each other, is not waited for: the child then begins with a fresh lock, as it does
for those of `renewed_after_fork`.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import weakref
from typing import Any, Final

_LONG, _SHORT = 60.0, 1.0
"""Seconds to wait for a compiler, and for what takes no time."""

_held: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_held_long: Final[list[Any]] = []
_renewed: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


_acquired: Final[list[Any]] = []
"""What the thread that forks holds meanwhile."""


def held_through_fork(lock: Any, long: bool = False) -> Any:
    """See that nobody else holds the lock while the process forks; the lock.

    Of those that may be held for `long`, who holds one may only ask for others declared before it.
    """
    if long:
        _held_long.insert(0, lock)
    else:
        _held.add(lock)
    return lock


def renewed_after_fork(lock: Any) -> Any:
    """See that a child begins with a free lock, whoever held it; the lock."""
    _renewed.add(lock)
    return lock


def _locks_of_compilers() -> list[Any]:
    """Numba's lock and llvmlite's, if they are loaded."""
    numba = sys.modules.get("numba.core.compiler_lock")
    llvmlite = sys.modules.get("llvmlite.binding.ffi")
    owners = (
        getattr(numba, "global_compiler_lock", None),
        getattr(getattr(llvmlite, "lib", None), "_lock", None),
    )
    found = [getattr(owner, "_lock", None) for owner in owners]
    return [lock for lock in found if lock is not None]


def _others_import() -> bool:
    """Whether another thread is in the middle of an import."""
    locks = getattr(importlib._bootstrap, "_module_locks", {})
    alive = [lock for reference in list(locks.values()) if (lock := reference()) is not None]
    return any(getattr(lock, "owner", None) not in (None, threading.get_ident()) for lock in alive)


def _wait_for_imports() -> None:
    end = time.monotonic() + _SHORT
    while _others_import() and time.monotonic() < end:
        time.sleep(1e-3)


def _declared() -> list[tuple[Any, float]]:
    """The locks to hold, in order, and how long to wait for each."""
    waits = [(lock, _LONG) for lock in (*_held_long, *_locks_of_compilers())]
    return waits + [(lock, _SHORT) for lock in list(_held)]


def _before() -> None:
    _wait_for_imports()  # which may declare locks
    acquired = [lock for lock, seconds in _declared() if lock.acquire(timeout=seconds)]
    _wait_for_imports()
    _acquired.extend(acquired)


def _release() -> None:
    while _acquired:
        _acquired.pop().release()


def _in_child() -> None:
    held = {id(lock) for lock in _acquired}
    for lock in (*[lock for lock, _ in _declared()], *_renewed):
        if id(lock) not in held:
            lock._at_fork_reinit()
    _release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_in_child)
