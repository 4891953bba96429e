"""When a process leaves NumPy for compiled loops.

The environment variable `TINYGRAD_MNIST_KERNELS` says what the kernels may use:

- `numpy`: NumPy alone, always.
- `numba` (the default): NumPy at first, so that nobody waits for a compiler at a prompt. There are
  two groups of kernels, those for images (convolution, pooling) and the others. All of a group
  switch together, once and for good:

  1. at `warm_up()`, which every training job should call first, or, for images, at the first call
     after it: only programs that compute with images wait for these loops;
  2. at the first call on an array of `LARGE` elements or more, if this machine has compiled the
     loops before: they are then loaded from the disk, in about a second;
  3. at call number `PATIENCE` of the process, whatever its size: that is a training loop,
     and the loops are compiled if they must be.

The rule counts calls and never reads a clock, so a program that is run again switches at the same
call. A switch does not change what float32 kernels return, save for products and convolutions that
are given to a loop: those add up in another order than BLAS does. Whoever needs the same bits from
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
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FLOATS", "LARGE", "PATIENCE", "core", "images", "warm_up"]

VARIABLE: Final = "TINYGRAD_MNIST_KERNELS"
CACHE_VARIABLE: Final = "NUMBA_CACHE_DIR"
LARGE: Final = 8192
PATIENCE: Final = 1000

FLOATS: Final = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
"""The dtypes there are loops for."""

choice: Final = os.environ.get(VARIABLE, "numba")
if choice not in ("numpy", "numba"):
    raise ValueError(f"{VARIABLE} is {choice!r}; it must be 'numpy' or 'numba'")


class Loops:
    """Compiled loops that are used together, from some moment on."""

    def __init__(self, package: str, what: str, seconds: int, others: Loops | None = None) -> None:
        self.loops: ModuleType | None = None
        """None as long as NumPy does the work."""
        self.wanted = False
        """Whether the next call is to switch."""
        self.undecided = choice == "numba"
        self.calls = 0
        self._package, self._what, self._seconds = package, what, seconds
        self._others = others
        self._lock = threading.Lock()

    def consider(self, elements: int) -> ModuleType | None:
        """Count a call that found no loops, on an array of so many elements; switch if it is time.

        While one thread compiles, the others go on with NumPy.
        """
        if not self.undecided:
            return None
        self.calls += 1
        large = elements >= LARGE and _compiled_before(self._package)
        time_to_switch = self.wanted or self.calls >= PATIENCE or large
        if time_to_switch and self._lock.acquire(blocking=False):
            try:
                self._decide()
            finally:
                self._lock.release()
        return self.loops

    def switch(self) -> bool:
        """Switch now, and return whether the loops are in use."""
        with self._lock:
            self._decide()
        return self.loops is not None

    def _decide(self) -> None:
        if not self.undecided:
            return
        self.undecided = False
        if self._others is not None and not self._others.switch():
            return
        try:
            self.loops = _load(self._package, self._what, self._seconds)
        except Exception as error:
            _say(f"goes on with NumPy alone, as Numba fails here: {error}")


core: Final = Loops("loops", "kernels", 10)
images: Final = Loops("image_loops", "kernels for images", 15, core)


def warm_up() -> bool:
    """Switch to the compiled loops now, and return whether they are in use.

    Those for images follow when the first of them is called. Returns False where
    `TINYGRAD_MNIST_KERNELS=numpy` or the loops cannot be compiled.

    >>> from tinygrad_mnist import kernels
    >>> in_use = kernels.warm_up()
    """
    images.wanted = core.switch()
    return images.wanted


def _load(package: str, what: str, seconds: int) -> ModuleType:
    """Import loops: from the cache in about a second, else compiled."""
    directory = cache_directory()
    if not _compiled_before(package):
        kept = f"kept in {directory}" if _writable(directory) else f"{directory} is not writable"
        _say(f"compiling its {what} once (about {seconds} s); {kept}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import numba

        with _cache_in(numba.config, str(_marker(package).parent)):
            module = importlib.import_module(f"{__package__}.{package}")
    if module.cached():
        with contextlib.suppress(OSError):
            _marker(package).touch()
    return module


@contextlib.contextmanager
def _cache_in(config: Any, folder: str) -> Iterator[None]:
    """Let Numba keep compiled code in a folder, which its environment variable would overrule."""
    setting, variable = config.CACHE_DIR, os.environ.get(CACHE_VARIABLE)
    config.CACHE_DIR = os.environ[CACHE_VARIABLE] = folder
    try:
        yield
    finally:
        config.CACHE_DIR = setting
        if variable is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = variable


def _writable(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
    return os.access(directory, os.W_OK)


def _say(text: str) -> None:
    sys.stderr.write(f"tinygrad_mnist: {text}\n")


def cache_directory() -> Path:
    """Where compiled code is kept: `NUMBA_CACHE_DIR`, else a folder of the user's cache."""
    from pathlib import Path

    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("tinygrad_mnist") / "kernels"


@functools.cache
def _compiled_before(package: str) -> bool:
    with contextlib.suppress(Exception):  # no home directory, no Numba
        return _marker(package).exists()
    return False


def _marker(package: str) -> Path:
    """The empty file that stands for: these very loops lie compiled in the cache.

    They lie beside it, in a folder of their own: Numba takes a loop for unchanged when its file is,
    though a part of it may have changed in another file.
    """
    import hashlib
    import importlib.metadata
    from pathlib import Path

    digest = hashlib.sha256()
    for part in (sys.version, importlib.metadata.version("numba"), __file__):
        digest.update(part.encode())
    for folder in dict.fromkeys(("loops", package)):
        for source in sorted((Path(__file__).parent / folder).glob("*.py")):
            digest.update(source.read_bytes())
    return cache_directory() / f"{package}-{digest.hexdigest()[:16]}" / "compiled"
