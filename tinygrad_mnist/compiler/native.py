"""From the source of a program to code: one compiled function, or loops that Python calls."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import signal
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tinygrad_mnist.kernels import cache_folder, dispatch, helpers, native_code, sources
from tinygrad_mnist.kernels.locks import held_through_fork
from tinygrad_mnist.kernels.native_code import Code

from . import background
from .codegen.parts import APART, in_parts
from .codegen.sharing import with_pieces
from .settings import config

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
_TEAM = "from tinygrad_mnist.kernels import team\n"
_RECURRENT = "from tinygrad_mnist.compiler.loops import recurrent\n"
"""Compiled, or loaded, only for programs that call them."""


_loaded: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_compiling: Final = held_through_fork(threading.RLock(), long=True)


def load(text: str, fastmath: frozenset[str] = frozenset()) -> Single | InParts:
    """What computes a program of this source; it is kept as long as somebody has it."""
    if "reassoc" in fastmath:
        text = text.replace("scalars.exp(", "np.exp(")  # of which LLVM knows that ln eˣ is x
    key = f"{sorted(fastmath)}{text}"
    known: Single | InParts | None = _loaded.get(key)
    if known is None:
        known = InParts(text, fastmath) if text.count("\n") > _LONG else Single(text, fastmath)
        _loaded[key] = known
    return known


class _Written:
    """A source with what it names: its digest, which all depends on, and the function it defines.

    The source itself is never read from the disk: only what was compiled of it.
    """

    def __init__(self, text: str, fastmath: frozenset[str]) -> None:
        text, pieces = with_pieces(text)
        head = _HEAD + _BATCH_LAST * ("batch_last." in text) + _RECURRENT * ("recurrent." in text)
        head += _TEAM * bool(pieces)
        text = "\n\n\n".join([*pieces.values(), text])
        self.text, self.fastmath, self._pieces = f"{head}\n\n{text}\n", fastmath, pieces
        stamp = f"{sorted(fastmath)}{self.text}{sources_of(text)}"
        self.digest = hashlib.sha256(stamp.encode()).hexdigest()

    def module(self) -> types.ModuleType:
        """A module with the function."""
        import numba

        module = types.ModuleType(f"step_{self.digest[:20]}")
        exec(compile(self.text, f"{module.__name__}.py", "exec"), vars(module))
        for name, piece in self._pieces.items():
            options = self.options() | _apart(piece)
            setattr(module, name, numba.njit(**options)(getattr(module, name)))
        return module

    def options(self) -> dict[str, Any]:
        """What Numba is told."""
        return {"error_model": "numpy", "nogil": True, "fastmath": set(self.fastmath)}


def _apart(text: str) -> dict[str, Any]:
    """What Numba is told of a function that writes no array which overlaps another."""
    from tinygrad_mnist.kernels import compiling

    return {"pipeline_class": compiling.Apart} if APART in text.partition("\n")[0] else {}


def _function_of(module: types.ModuleType) -> types.FunctionType:
    (found,) = (each for each in vars(module).values() if isinstance(each, types.FunctionType))
    return found


class Single:
    """A source as one function, compiled, or loaded from the disk, for arguments of each kind."""

    def __init__(self, text: str, fastmath: frozenset[str]) -> None:
        self._text, self._written = text, _Written(text, fastmath)
        self._codes: dict[str, Code] = {}
        self._ends: Callable[[float], None] = lambda seconds: None

    def tell(self, seconds: Callable[[float], None]) -> None:
        """Call this with the seconds that it took to have code."""
        self._ends = seconds

    def __call__(self, *arrays: Any) -> int:
        """What `step` returns."""
        returned: int = self.code(arrays).entry(*arrays)
        return returned

    def code(self, arrays: Sequence[Any]) -> Code:
        """The code for such arrays."""
        kinds = native_code.kinds(arrays)
        with _compiling:
            if kinds not in self._codes:
                if config.background:
                    file = file_for("step", arrays, self._written.digest)
                    background.wait_for(self._text, self._written.fastmath, arrays, file)
                begin = time.perf_counter()
                code = compiled_or_loaded("step", arrays, self._written.digest, self._function)
                self._codes[kinds] = code
                self._ends(time.perf_counter() - begin)
            return self._codes[kinds]

    def code_of_rows(self, arrays: Sequence[Any]) -> Code | None:
        """The code for the rows of such arrays, if there is any yet."""
        return self._codes.get(native_code.kinds(arrays, less=1))

    def _function(self) -> Any:
        import numba

        return numba.njit(**self._written.options())(_function_of(self._written.module()))


def _loop(text: str, fastmath: frozenset[str]) -> Any:
    """A function of a source as Numba has it: for arguments of each kind that it is called with."""
    from tinygrad_mnist.kernels import compiling

    written = _Written(text, fastmath)
    known = _loaded.get(written.digest)
    if known is not None:
        return known
    module = written.module()
    sys.modules[module.__name__] = module  # where Numba looks for the names of what it loads
    options = written.options() | _apart(text)
    kept = compiling.kept(
        _function_of(module), cache_folder.for_code("code"), written.digest, **options
    )
    _loaded[written.digest] = kept
    weakref.finalize(kept, sys.modules.pop, module.__name__, None)
    return kept


def file_for(name: str, arguments: Sequence[Any], stamp: str) -> Path | None:
    """Where the code of a function for such arguments is kept."""
    folder = cache_folder.for_code("code")
    return folder and native_code.file_for(folder, name, stamp, native_code.kinds(arguments))


def compiled_or_loaded(
    name: str, arguments: Sequence[Any], stamp: str, function: Callable[[], Any]
) -> Code:
    """The code of a function of Numba's for such arguments, which is kept on the disk."""
    file = file_for(name, arguments, stamp)
    found = native_code.load(file)
    if found is None:
        from tinygrad_mnist.kernels import compiling

        with _losing_no_interrupt():
            made = function()
            found = native_code.load(file) or compiling.code_for(made, arguments, file)
    helpers.call()
    return found


@contextlib.contextmanager
def _losing_no_interrupt() -> Iterator[None]:
    """Raise at the end of a block a Ctrl-C that was lost in it.

    LLVM calls Python back, and goes on whatever that raises.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    met: list[Any] = []

    def noted(*details: Any) -> None:
        met.append(details)
        before(*details)

    signal.signal(signal.SIGINT, noted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if met:
        before(*met[-1])


def sources_of(text: str) -> str:
    """What code compiled of a source depends on besides it: versions, and the loops it calls."""
    called = sorted({*re.findall(rf"\b({'|'.join(_MODULES)})\.(\w+)", text)})
    return sources.digest(*[f"{_MODULES[module]}.{name}" for module, name in called])


_MODULES: Final = {
    **{name: f"compiler.loops.{name}" for name in ("images", "products", "recurrent", "scalars")},
    "batch_last": "kernels.batch_last",
    "team": "kernels.team",
}
"""Where what a source names is."""


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
        self._progress = progress = _Progress(parts.calls, len(parts.functions))
        space: dict[str, Any] = {"math": math, "np": np}
        exec(compile(parts.step, "step.py", "exec"), space)
        self._step: Callable[..., int] = space["step"]
        space |= _names(text, progress)
        for name, function in parts.functions.items():
            space[name] = progress.listen_to(_loop(function, fastmath))

    def tell(self, seconds: Callable[[float], None]) -> None:
        """Call this with the seconds that it took to have code for a loop."""
        self._progress.ends = seconds

    def code(self, arrays: Sequence[Any]) -> Code:
        """Itself, whatever the arrays."""
        return Code(self, 0, self)

    def code_of_rows(self, arrays: Sequence[Any]) -> None:
        """There is none that compiled code can call."""

    def __call__(self, *arrays: Any) -> int:
        """What `step` returns."""
        with np.errstate(all="ignore"):
            return self._step(*arrays)


def _names(text: str, progress: _Progress) -> dict[str, Any]:
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
    folder = cache_folder.for_code("code")
    for name, module in modules.items():
        called = {each: loop.py_func for each, loop in vars(module).items()
                  if hasattr(loop, "py_func") and f"{name}.{each}(" in text}  # fmt: skip
        found[name] = types.SimpleNamespace(**{
            each: progress.listen_to(compiling.kept(
                function, folder, sources_of(f"{name}.{each}"), error_model="numpy", nogil=True
            ))
            for each, function in called.items()
        })  # fmt: skip
    return found
