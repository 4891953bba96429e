"""When a process leaves NumPy for compiled loops.

The environment variable `TINYGRAD_MNIST_KERNELS` says what the kernels may use:

- `numpy`: NumPy alone, always.
- `numba` (the default): NumPy at first, so that nobody waits for a compiler at a prompt. There are
  four groups of kernels, those for images (convolution, pooling), for random numbers, for small
  operations of several steps (clamping, choosing, gathering), and the others. All of a group
  switch together, once and for good:

  1. at `warm_up()`, which every training job should call first, or, for images, at the first call
     after it: only programs that compute with images wait for these loops;
  2. at the first call on an array of `LARGE` elements or more, or, for all but the others, at the
     first one after those switched, if this machine has compiled the loops before: they are then
     loaded from the disk, in about a second;
  3. at call number `PATIENCE` of the process, whatever its size: that is a training loop,
     and the loops are compiled if they must be.

The rule counts calls and never reads a clock, so a program that is run again switches at the same
call. A switch does not change what float32 kernels return, save for products and convolutions that
are given to a loop: those add up in another order than BLAS does. Whoever needs the same bits from
first to last calls `warm_up()` first, or chooses `numpy`.

Compiled programs are apart from this: each has the loops that it calls compiled, once a machine,
and NumPy goes on computing outside of it.

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
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from .locks import held_through_fork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Function = TypeVar("Function", bound=Callable[..., Any])

VARIABLE: Final = "TINYGRAD_MNIST_KERNELS"
LARGE: Final = 8192
PATIENCE: Final = 1000

FLOATS: Final = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
"""The dtypes there are loops for."""

choice: Final = os.environ.get(VARIABLE, "numba")
if choice not in ("numpy", "numba"):
    raise ValueError(f"{VARIABLE} is {choice!r}; it must be 'numpy' or 'numba'")


class Loops:
    """Compiled loops that are used together, from some moment on.

    A module declares its loops by `loop`, and the parts they are made of by `part`, and asks
    `ready` before it calls one: until then they are plain functions, and Numba is not imported.
    """

    def __init__(
        self, name: str, what: str, seconds: int, files: tuple[str, ...], first: Loops | None = None
    ) -> None:
        self.on = False
        """Whether loops compute; NumPy does the work until then."""
        self.wanted = False
        """Whether the next call is to switch."""
        self.undecided = choice == "numba"
        self.calls = 0
        self.declared: list[tuple[Callable[..., Any], str | None, dict[str, Any]]] = []
        self.loaded = False
        self._loops: list[Any] = []
        self._stand_ins: dict[Callable[..., Any], object] = {}
        """For loops that are not loaded by Numba yet."""
        self._name, self._what, self._seconds = name, what, seconds
        self._files, self._first = files, first
        self._with_vectors: list[dict[str, Any]] = []
        self._lock = threading.RLock()

    def loop(self, signature: str, **options: Any) -> Callable[[Function], Function]:
        """Declare a loop of a signature; where it names `T`, for float32 and for float64.

        `const` before an array lets it be read-only and anywhere in memory. A loop lets other
        threads run, follows IEEE arithmetic save for what `fastmath` names, and is not compiled
        again for other types: it raises TypeError for them.
        """
        return self._declare(signature, options)

    def part(self, **options: Any) -> Callable[[Function], Function]:
        """Declare a part of the loops that call it, with its own `fastmath`."""
        return self._declare(None, options)

    def _declare(
        self, signature: str | None, options: dict[str, Any]
    ) -> Callable[[Function], Function]:
        def declare(function: Function) -> Function:
            _MODULES.setdefault(function.__module__, function.__globals__)
            self.declared.append((function, signature, options))
            return function

        return declare

    def uses_vectors(self, names: dict[str, Any]) -> None:
        """See that a module has the names of `vectors` when its loops are compiled."""
        self._with_vectors.append(names)

    def ready(self, elements: int, dtype: np.dtype[Any]) -> bool:
        """Whether loops compute now, for an array of so many elements and this dtype."""
        return (self.on or self.consider(elements)) and dtype in FLOATS

    def consider(self, elements: int) -> bool:
        """Count a call that found no loops, on an array of so many elements; switch if it is time.

        While one thread compiles, the others go on with NumPy.
        """
        if not self.undecided or _STAYING:
            return False
        self.calls += 1
        follows = self._first is not None and self._first.on
        large = (elements >= LARGE or follows) and _compiled_before(self._name)
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
        return self.on

    def _decide(self) -> None:
        if not self.undecided:
            return
        self.undecided = False
        if self._first is not None and not self._first.switch():
            return
        try:
            if self.loaded or not self._stand_in():
                self.load()
                self._compile_all()
            self.on = True
        except Exception as error:
            say(f"goes on with NumPy alone, as Numba fails here: {error}")

    def load(self) -> None:
        """Have the loops compiled, or loaded from the cache, when they are first called; once.

        So a program waits for those alone that it calls. NumPy goes on computing outside of it.
        """
        with self._lock:
            if self.loaded:
                return
            if self._first is not None:
                self._first.load()
            self._load()
            self.loaded = True

    def _stand_in(self) -> bool:
        """Put loops that lie compiled on the disk in their places, without Numba, if all do."""
        folder = _folder() if _compiled_before(self._name) else None
        if folder is None:
            return False
        for file in self._files:
            importlib.import_module(f"{__package__}.{file}")
        native_code = importlib.import_module(f"{__package__}.native_code")
        for function, signature, _ in self.declared:
            if signature is not None:
                loop = native_code.Loop(function, signature, self.load)
                self._stand_ins[function] = loop
                for names in _MODULES.values():
                    if names.get(function.__name__) is function:
                        names[function.__name__] = loop
        _call_helpers()
        return True

    def _load(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for file in self._files:
                importlib.import_module(f"{__package__}.{file}")
            compiling = importlib.import_module(f"{__package__}.compiling")
            for names in self._with_vectors:
                compiling.give_vectors(names)
            self._loops = compiling.compile_loops(
                self.declared, _MODULES.values(), _folder(), self._stand_ins
            )
        _call_helpers()

    def _compile_all(self) -> None:
        """Compile what is not compiled yet: from now on nobody waits for a loop."""
        folder, late = _folder(), [loop for loop in self._loops if loop._can_compile]
        if late and not _compiled_before(self._name):
            kept = "not kept" if folder is None else f"kept in {folder}"
            say(f"compiling its {self._what} once (about {self._seconds} s); {kept}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for loop in late:
                loop.compile()
        marker = _marker(self._name)
        if marker is not None and all(loop._cache.on_disk for loop in self._loops):
            with contextlib.suppress(OSError):
                marker.touch()


def _call_helpers() -> None:
    """Have threads there that share loops."""
    importlib.import_module(f"{__package__}.helpers").call()


_MODULES: Final[dict[str, dict[str, Any]]] = {}
"""The names of every module that declares loops."""

base: Final = Loops(
    "loops",
    "kernels",
    10,
    (
        "activations",
        "losses",
        "normalization",
        "products",
        "reductions",
        "softmax",
        "updates",
        "register_tiles",
    ),
)
images: Final = Loops(
    "image_loops",
    "kernels for images",
    20,
    ("convolution", "batch_last", "pooling", "winograd"),
    base,
)
draws: Final = Loops(
    "draw_loops", "kernels for random numbers", 5, ("random_loops", "normal_numbers"), base
)
small: Final = Loops(
    "small_loops", "kernels for small operations", 5, ("elementwise", "rows"), base
)


for _loops in (base, images, draws, small):  # who loads the others loads the first
    held_through_fork(_loops._lock, long=True)

_STAYING: Final[list[str]] = []


@contextlib.contextmanager
def staying(why: str) -> Iterator[None]:
    """Count no calls for a while, of any thread: what runs is many small calls, not training."""
    _STAYING.append(why)
    try:
        yield
    finally:
        _STAYING.remove(why)


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
def _compiled_before(group: str) -> bool:
    with contextlib.suppress(Exception):  # no Numba
        marker = _marker(group)
        return marker is not None and marker.exists()
    return False


def _marker(group: str) -> Path | None:
    """The empty file that stands for: these very loops lie compiled in the folder."""
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
