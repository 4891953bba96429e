"""From the source of a program to code: one compiled function, or loops that Python calls."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import math
import sys
import time
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mnist.kernels import cache_folder, dispatch

from .codegen.parts import in_parts

_LONG = 600
"""Lines of a source from which on it is no single function, which would take minutes to compile."""
_PATIENCE = 5.0
"""Seconds after which somebody who waits is told how far it has come."""

_HEAD = '''"""A training step, compiled by tinygrad_mnist; written by the program, not by hand."""

import math

import numpy as np

from tinygrad_mnist.compiler.loops import images, products, scalars
'''
_BATCH_LAST = "from tinygrad_mnist.kernels import batch_last\n"
_RECURRENT = "from tinygrad_mnist.compiler.loops import recurrent\n"
"""Compiled, or loaded, only for programs that call them."""


_loaded: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def load(text: str, fastmath: frozenset[str] = frozenset()) -> Callable[..., int]:
    """What computes a program of this source; it is kept as long as somebody has it."""
    if "batch_last." in text:
        dispatch.images.load()
    if "reassoc" in fastmath:
        text = text.replace("scalars.exp(", "np.exp(")  # of which LLVM knows that ln eˣ is x
    if text.count("\n") <= _LONG:
        function: Callable[..., int] = _compiled(text, fastmath)
        return function
    key = f"{sorted(fastmath)}{text}"
    known: InParts = _loaded.get(key) or InParts(text, fastmath)
    _loaded[key] = known
    return known


def _compiled(text: str, fastmath: frozenset[str]) -> Any:
    """The compiled function of a source; the same text is compiled once, on this disk.

    The source itself is never read from there: only what was compiled of it, under a name made of
    the source and of all that it is compiled with.
    """
    from tinygrad_mnist.kernels import compiling

    head = _HEAD + _BATCH_LAST * ("batch_last." in text) + _RECURRENT * ("recurrent." in text)
    digest = hashlib.sha256(f"{sorted(fastmath)}{head}{text}{surroundings()}".encode())
    known = _loaded.get(digest.hexdigest())
    if known is not None:
        return known
    module = types.ModuleType(f"step_{digest.hexdigest()[:20]}")
    sys.modules[module.__name__] = module  # where Numba looks for the names of what it loads
    exec(compile(f"{head}\n\n{text}\n", f"{module.__name__}.py", "exec"), vars(module))
    (function,) = (each for each in vars(module).values() if isinstance(each, types.FunctionType))
    kept = compiling.kept(
        function, cache_folder.for_code("programs"), digest.hexdigest(),
        error_model="numpy", nogil=True, fastmath=set(fastmath),
    )  # fmt: skip
    _loaded[digest.hexdigest()] = kept
    weakref.finalize(kept, sys.modules.pop, module.__name__, None)
    return kept


@functools.cache
def surroundings() -> str:
    """What compiled code depends on besides its source: versions, and the loops it calls."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(sys.version.encode())
    for name in ("numba", "numpy", "llvmlite"):
        digest.update(importlib.metadata.version(name).encode())
    folders = package / "kernels", package / "compiler" / "loops"
    for file in [file for folder in folders for file in sorted(folder.glob("*.py"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


class _Progress:
    """Tells whoever waits for many loops to be compiled how far it has come."""

    def __init__(self, calls: int, loops: int) -> None:
        self.ends: Callable[[float], None] = lambda seconds: None
        """Called with the seconds that it took to have code for a loop."""
        self._calls, self._loops, self._done = calls, loops, 0
        self._told = 0.0

    def listen_to(self, function: Any) -> Any:
        """Be told when a function is compiled, and return it."""
        function._cache.starts, function._cache.ends = self._before, self._after
        return function

    def _before(self) -> None:
        now = time.monotonic()
        if not self._told:
            dispatch.say(
                f"compiling a program of {self._calls} loops once, {self._loops} of them different"
            )
        elif now - self._told > _PATIENCE:
            dispatch.say(f"{min(self._done, self._loops)} of {self._loops} loops are compiled")
        else:
            return
        self._told = now

    def _after(self, seconds: float) -> None:
        self._done += 1
        self.ends(seconds)


class InParts:
    """A long source as Python: its loops are compiled, those that are alike once.

    Python takes a microsecond or two for each, which is little beside what so long a step computes.
    """

    def __init__(self, text: str, fastmath: frozenset[str]) -> None:
        parts = in_parts(text)
        self._cache = progress = _Progress(parts.calls, len(parts.functions))
        self.overloads: dict[Any, Any] = {}
        """What Numba compiled of it as a whole: nothing."""
        space: dict[str, Any] = {"math": math, "np": np}
        exec(compile(parts.step, "step.py", "exec"), space)
        self._step: Callable[..., int] = space["step"]
        space |= _modules(text, progress)
        for name, function in parts.functions.items():
            space[name] = progress.listen_to(_compiled(function, fastmath))

    def __call__(self, *arrays: Any) -> int:
        """What `step` returns."""
        with np.errstate(all="ignore"):
            return self._step(*arrays)


def _modules(text: str, progress: _Progress) -> dict[str, Any]:
    """What a source calls by the names of modules: loops that are kept, numbers in Python."""
    from tinygrad_mnist.kernels import compiling

    from .loops import images, products, scalars

    plain = {name: getattr(each, "py_func", each) for name, each in vars(scalars).items()}
    found: dict[str, Any] = {"scalars": types.SimpleNamespace(**plain)}
    modules: dict[str, Any] = {"images": images, "products": products}
    if "recurrent." in text:
        from .loops import recurrent

        modules["recurrent"] = recurrent
    if "batch_last." in text:
        from tinygrad_mnist.kernels import batch_last

        found["batch_last"] = batch_last
    folder = cache_folder.for_code("programs")
    for name, module in modules.items():
        called = {each: loop.py_func for each, loop in vars(module).items()
                  if hasattr(loop, "py_func") and f"{name}.{each}(" in text}  # fmt: skip
        found[name] = types.SimpleNamespace(**{
            each: progress.listen_to(compiling.kept(
                function, folder, surroundings(), error_model="numpy", nogil=True
            ))
            for each, function in called.items()
        })  # fmt: skip
    return found
