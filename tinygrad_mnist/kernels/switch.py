"""When a process leaves NumPy for compiled loops.

The environment variable `TINYGRAD_MNIST_KERNELS` says what the kernels may use:

- `numpy`: NumPy alone, always.
- `numba` (the default): NumPy at first, so that nobody waits for a compiler at a prompt. All
  kernels switch together, once and for good:

  1. at `warm_up()`, which every training job should call first;
  2. at the first call on an array of `LARGE` elements or more, if this machine has compiled the
     loops before: they are then loaded from the disk, in about a second;
  3. at kernel call number `PATIENCE` of the process, whatever its size: that is a training loop,
     and the loops are compiled if they must be.

The rule counts calls and never reads a clock, so a program that is run again switches at the same
call. A switch does not change what float32 kernels return, save for products large enough to be
given to a loop: those add up in another order than BLAS does. Whoever needs the same bits from
first to last calls `warm_up()` first, or chooses `numpy`.

If the loops cannot be had at all, one line on stderr says why and NumPy goes on.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FLOATS", "LARGE", "PATIENCE", "consider", "loops", "warm_up"]

VARIABLE: Final = "TINYGRAD_MNIST_KERNELS"
LARGE: Final = 8192
PATIENCE: Final = 1000

FLOATS: Final = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
"""The dtypes there are loops for."""

choice: Final = os.environ.get(VARIABLE, "numba")
if choice not in ("numpy", "numba"):
    raise ValueError(f"{VARIABLE} is {choice!r}; it must be 'numpy' or 'numba'")

loops: ModuleType | None = None
"""The compiled loops, or None as long as NumPy does the work."""

_undecided = choice == "numba"
_calls = 0
_lock = threading.Lock()


def consider(elements: int) -> ModuleType | None:
    """Count a call that found no loops, on an array of this many elements; switch if it is time.

    While one thread compiles, the others go on with NumPy.
    """
    global _calls
    if not _undecided:
        return None
    _calls += 1
    time_to_switch = _calls >= PATIENCE or (elements >= LARGE and _compiled_before())
    if time_to_switch and _lock.acquire(blocking=False):
        try:
            _switch()
        finally:
            _lock.release()
    return loops


def warm_up() -> bool:
    """Switch to the compiled loops now, and return whether they are in use.

    Returns False where `TINYGRAD_MNIST_KERNELS=numpy` or the loops cannot be compiled.

    >>> from tinygrad_mnist import kernels
    >>> in_use = kernels.warm_up()
    """
    with _lock:
        _switch()
    return loops is not None


def _switch() -> None:
    global loops, _undecided
    if not _undecided:
        return
    try:
        loops = _load()
    except Exception as error:
        _say(f"goes on with NumPy alone, as Numba fails here: {error}")
    _undecided = False


def _load() -> ModuleType:
    """Import the loops: from the cache in about a second, else compiled."""
    directory = cache_directory()
    if not _compiled_before():
        kept = f"kept in {directory}" if _writable(directory) else f"{directory} is not writable"
        _say(f"compiling its kernels once (about 5 s); {kept}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import numba

        config: Any = numba.config
        user_setting = config.CACHE_DIR
        config.CACHE_DIR = str(directory)
        try:
            module = importlib.import_module(f"{__package__}.loops")
        finally:
            config.CACHE_DIR = user_setting
    if module.cached():
        with contextlib.suppress(OSError):
            _marker().touch()
    return module


def _writable(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
    return os.access(directory, os.W_OK)


def _say(text: str) -> None:
    sys.stderr.write(f"tinygrad_mnist: {text}\n")


def cache_directory() -> Path:
    """Where compiled code is kept: `NUMBA_CACHE_DIR`, else a folder of the user's cache."""
    from pathlib import Path

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("tinygrad_mnist") / "kernels"


@functools.cache
def _compiled_before() -> bool:
    with contextlib.suppress(Exception):  # no home directory, no Numba
        return _marker().exists()
    return False


def _marker() -> Path:
    """The empty file that stands for: these very loops lie compiled in the cache."""
    import hashlib
    import importlib.metadata
    from pathlib import Path

    digest = hashlib.sha256()
    for part in (sys.version, importlib.metadata.version("numba"), __file__):
        digest.update(part.encode())
    for source in sorted((Path(__file__).parent / "loops").glob("*.py")):
        digest.update(source.read_bytes())
    return cache_directory() / f"compiled-{digest.hexdigest()[:16]}"
