"""When a process leaves NumPy for compiled loops.

The environment variable `TINYGRAD_MNIST_KERNELS` says what the kernels may use:

- `numpy`: NumPy alone, always.
- `numba` (the default): NumPy at first, so that nobody waits for a compiler at a prompt. There are
  four groups of kernels, those for images (convolution, pooling), for random numbers, for small
  operations of several steps (clamping, choosing, gathering), and the others. All of a group
  switch together, once and for good:

  1. at `warm_up()`, which every training job should call first, or, for images, at the first call
     after it;
  2. at the first call on an array of `LARGE` elements or more, or, for all but the others, at the
     first one after those switched, if this machine has used the loops before;
  3. at call number `PATIENCE` of the process, whatever its size: that is a training loop.

After that a loop is compiled when it is first called for a dtype, once a machine: what lies
compiled on the disk is loaded, in some milliseconds and without Numba.

The rule counts calls and never reads a clock, so a program that is run again switches at the same
call. A switch does not change what float32 kernels return, save for products and convolutions that
are given to a loop: those add up in another order than BLAS does. Whoever needs the same bits from
first to last calls `warm_up()` first, or chooses `numpy`.

Compiled programs are apart from this: each has the loops that it calls compiled, once a machine,
and NumPy goes on computing outside of it.

If Numba cannot be had at all, one line on stderr says why and NumPy goes on.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np

from .locks import held_through_fork
from .loop import FLOATS as _FLOATS
from .loop import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Function = TypeVar("Function", bound=Callable[..., Any])

VARIABLE: Final = "TINYGRAD_MNIST_KERNELS"
LARGE: Final = 8192
PATIENCE: Final = 1000

FLOATS: Final = frozenset(_FLOATS)
"""The dtypes there are loops for."""

choice: Final = os.environ.get(VARIABLE, "numba")
if choice not in ("numpy", "numba"):
    raise ValueError(f"{VARIABLE} is {choice!r}; it must be 'numpy' or 'numba'")


class Loops:
    """Compiled loops that are used together, from some moment on.

    A module declares its loops by `loop`, and the parts they are made of by `part`, and asks
    `ready` before it calls one: Numba is imported when code must be compiled, no sooner.
    """

    def __init__(self, name: str, first: Loops | None = None) -> None:
        self.on = False
        """Whether loops compute; NumPy does the work until then."""
        self.wanted = False
        """Whether the next call is to switch."""
        self.undecided = choice == "numba"
        self.calls = 0
        self._name, self._first = name, first
        self._lock = held_through_fork(threading.RLock(), long=True)

    def loop(self, signature: str, **options: Any) -> Callable[[Function], Function]:
        """Declare a loop of a signature; where it names `T`, for float32 and for float64.

        `const` before an array lets it be read-only and anywhere in memory. A loop lets other
        threads run, follows IEEE arithmetic save for what `fastmath` names, and is not compiled
        for other types: it raises TypeError for them.
        """

        def declare(function: Function) -> Function:
            _MODULES.setdefault(function.__module__, function.__globals__)
            return cast("Function", Loop(function, signature, options, _entry_for))

        return declare

    def part(self, **options: Any) -> Callable[[Function], Function]:
        """Declare a part of the loops that call it, with its own `fastmath`."""

        def declare(function: Function) -> Function:
            _MODULES.setdefault(function.__module__, function.__globals__)
            _PARTS.append((function, options))
            return function

        return declare

    def uses_vectors(self, names: dict[str, Any]) -> None:
        """See that a module has the names of `vectors` when its loops are compiled."""
        _WITH_VECTORS.append(names)

    def ready(self, elements: int, dtype: np.dtype[Any]) -> bool:
        """Whether loops compute now, for an array of so many elements and this dtype."""
        return (self.on or self.consider(elements)) and dtype in FLOATS

    def consider(self, elements: int) -> bool:
        """Count a call that found no loops, on an array of so many elements; switch if it is time.

        While one thread compiles, the others go on with NumPy.
        """
        if not self.undecided or _STAYING or _PAUSED:
            return False
        self.calls += 1
        follows = self._first is not None and self._first.on
        large = (elements >= LARGE or follows) and _used_before(self._name)
        time_to_switch = self.wanted or self.calls >= PATIENCE or large
        if time_to_switch and self._lock.acquire(blocking=False):
            try:
                self._decide()
            finally:
                self._lock.release()
        return self.on

    def switch(self) -> bool:
        """Switch now, and return whether the loops are in use."""
        with self._lock:
            self._decide()
        return self.on or _PAUSED.get(self, False)

    def _decide(self) -> None:
        if not self.undecided:
            return
        self.undecided = False
        if self._first is not None and not self._first.switch():
            return
        try:
            if not _used_before(self._name):
                prepare()
                _note(self._name)
            _call_helpers()
            with _pausing:
                if self in _PAUSED:
                    _PAUSED[self] = True
                else:
                    self.on = True
        except Exception as error:
            say(f"goes on with NumPy alone, as Numba fails here: {error}")


_MODULES: Final[dict[str, dict[str, Any]]] = {}
"""The names of every module that declares loops."""
_PARTS: Final[list[tuple[Callable[..., Any], dict[str, Any]]]] = []
_WITH_VECTORS: Final[list[dict[str, Any]]] = []
_FILES: Final = (
    "activations", "batch_last", "convolution", "elementwise", "losses", "normal_numbers",
    "normalization", "pooling", "products", "random_loops", "reductions", "register_tiles", "rows",
    "softmax", "team", "updates", "winograd",
)  # fmt: skip
"""Those modules."""

_preparing: Final = held_through_fork(threading.RLock(), long=True)
base: Final = Loops("loops")
images: Final = Loops("image_loops", base)
draws: Final = Loops("draw_loops", base)
small: Final = Loops("small_loops", base)


def prepare() -> None:
    """Let Numba know every loop and its parts by their names; compiles none.

    What is compiled thereafter and calls a loop compiles it too. NumPy goes on computing outside.
    """
    with _preparing, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _prepare()


@functools.cache
def _prepare() -> None:
    for file in _FILES:
        importlib.import_module(f"{__package__}.{file}")
    compiling = importlib.import_module(f"{__package__}.compiling")
    for names in _WITH_VECTORS:
        compiling.give_vectors(names)
    compiling.compile_parts(_PARTS, _MODULES.values())
    _call_helpers()


def _entry_for(loop: Loop, signature: str) -> Callable[..., Any]:
    """The code of a loop: loaded from the disk without Numba, or compiled."""
    native_code = importlib.import_module(f"{__package__}.native_code")
    function, folder = loop.py_func, _folder()
    name, stamp = native_code.name_of(function), native_code.stamp_of(function)
    file = folder and native_code.file_for(folder, name, stamp, signature)
    with _preparing:
        found = native_code.load(file)
        if found is not None:
            return cast("Callable[..., Any]", found.entry)
        prepare()
        compiling = importlib.import_module(f"{__package__}.compiling")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cast("Callable[..., Any]", compiling.entry_for(loop, signature, _tell))


@functools.cache
def _tell() -> None:
    """Say, once, why the first calls take long."""
    folder = _folder()
    kept = "not kept" if folder is None else f"once a machine; kept in {folder}"
    say(f"compiling each of its kernels when it is first called, {kept}")


def _call_helpers() -> None:
    """Have threads there that share loops."""
    importlib.import_module(f"{__package__}.helpers").call()


_STAYING: Final[list[str]] = []


@contextlib.contextmanager
def staying(why: str) -> Iterator[None]:
    """Count no calls for a while, of any thread: what runs is many small calls, not training."""
    _STAYING.append(why)
    try:
        yield
    finally:
        _STAYING.remove(why)


_PAUSED: Final[dict[Loops, bool]] = {}
"""The groups while NumPy computes, and whether they compute after that."""
_paused_by: Final[list[None]] = []
_pausing: Final = held_through_fork(threading.Lock())


@contextlib.contextmanager
def by_numpy() -> Iterator[None]:
    """Compute with NumPy for a while, in all threads: no loop is compiled for a single call."""
    with _pausing:
        _paused_by.append(None)
        for loops in (base, images, draws, small):
            _PAUSED.setdefault(loops, loops.on)
            loops.on = False
    try:
        yield
    finally:
        with _pausing:
            _paused_by.pop()
            if not _paused_by:
                for loops, on in _PAUSED.items():
                    loops.on = on
                _PAUSED.clear()


def warm_up() -> bool:
    """Switch to the compiled loops now, and return whether they are in use.

    Those for images follow when the first of them is called. Returns False where
    `TINYGRAD_MNIST_KERNELS=numpy` or the loops cannot be compiled.

    >>> from tinygrad_mnist import kernels
    >>> in_use = kernels.warm_up()
    """
    images.wanted = base.switch()
    return images.wanted


def say(text: str) -> None:
    """Tell whoever waits, on stderr."""
    sys.stderr.write(f"tinygrad_mnist: {text}\n")


@functools.cache
def _used_before(group: str) -> bool:
    with contextlib.suppress(Exception):  # no Numba
        marker = _marker(group)
        return marker is not None and marker.exists()
    return False


def _note(group: str) -> None:
    """Note for later processes that these loops were used here."""
    marker = _marker(group)
    if marker is not None:
        with contextlib.suppress(OSError):
            marker.touch()


def _marker(group: str) -> Path | None:
    """The empty file that stands for: these very loops were used on this machine."""
    folder = _folder()
    return None if folder is None else folder / f"{group}-{_digest()[:16]}.compiled"


def _folder() -> Path | None:
    """Where compiled code is kept."""
    from . import cache_folder

    return cache_folder.for_code("code")


def _digest() -> str:
    """Of all that the loops depend on: a part of one may have changed in another file."""
    import hashlib
    import importlib.metadata
    from pathlib import Path

    digest = hashlib.sha256()
    for part in (sys.version, importlib.metadata.version("numba"), __file__):
        digest.update(part.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
