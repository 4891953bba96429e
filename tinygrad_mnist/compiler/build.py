"""From a traced program to a compiled function: the passes in order, the source, the cache."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

from tinygrad_mnist.compiler.codegen.function import Source, generate
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.compiler.passes.fusion import fuse_updates
from tinygrad_mnist.compiler.passes.simplify import (
    fold_constants,
    remove_dead_code,
    share_common_subexpressions,
    simplify,
)
from tinygrad_mnist.kernels.locks import held_through_fork

from .native import InParts, Single, load
from .passes.batch_last import OF_IMAGES, put_batch_last
from .passes.fusion import Loop, Step, fuse
from .passes.lowering import lower
from .passes.views import move_views
from .program import Program

Pass = Callable[[Program], Program]

PASSES: tuple[Pass, ...] = (
    fold_constants,
    put_batch_last,
    lower,
    fold_constants,
    move_views,
    fold_constants,
    share_common_subexpressions,
    simplify,
    remove_dead_code,
    fuse_updates,
)
"""In order; each reads a program and returns one."""


@dataclass
class Stats:
    """What compiling did."""

    instructions_traced: int = 0
    instructions: int = 0
    loops: int = 0
    calls: int = 0
    temporaries: int = 0
    temporary_bytes: int = 0
    compile_seconds: float = 0.0
    """Those of the passes and of Numba, which begins when the program first runs."""
    passes: dict[str, int] = field(default_factory=dict)
    """Instructions after each pass."""
    recompilations: list[str] = field(default_factory=list)
    """What each program after a function's first was compiled for."""
    traces: int = 0
    """How often the function was traced: once for each kind of call, if nothing else changes."""

    def spent(self, seconds: float) -> None:
        """Count what compiling took."""
        self.compile_seconds += seconds


@dataclass
class Built:
    """A program, its source, and the compiled function."""

    program: Program
    source: Source
    function: Single | InParts
    stats: Stats


def optimise(program: Program, stats: Stats) -> tuple[Program, list[Step]]:
    """Run the passes, then gather what can be computed together."""
    stats.instructions_traced = len(program.instructions)
    for step in PASSES:
        program = step(program)
        stats.passes[step.__name__] = len(program.instructions)
    steps = fuse(program)
    stats.instructions = len(program.instructions)
    stats.loops = sum(isinstance(step, Loop) for step in steps)
    stats.calls = len(steps) - stats.loops
    return program, steps


def build(traced: Program) -> Built:
    """Optimise, write the source, and compile it, or load it from the disk.

    Raises Unsupported when an operation cannot be spelled in the source.
    """
    for i in traced.instructions:
        if not i.output.size:
            raise Unsupported(f"{i.op}, which gives no numbers,")
        if not all(value.size for value in i.operands):
            raise Unsupported(f"{i.op}, which reads no numbers,")
        if i.op in OF_IMAGES and len(i.output.shape) > _MOST_OF_IMAGES:
            raise Unsupported(f"{i.op}, in three dimensions,")
    with _building:
        return _built(traced)


_MOST_OF_IMAGES = 4
"""Dimensions of images: their number, channels, height and width."""
_building = held_through_fork(threading.RLock(), long=True)


def _built(traced: Program) -> Built:
    stats = Stats()
    begin = time.perf_counter()
    program, steps = optimise(traced, stats)
    source = generate(program, steps)
    stats.temporaries, stats.temporary_bytes = source.temporaries, source.temporary_bytes
    function = loaded(source.text, stats)
    _keep_memory(stats.temporary_bytes)
    stats.spent(time.perf_counter() - begin)
    return Built(program, source, function, stats)


_DYNAMIC = 31 << 20
"""Bytes up to which glibc learns by itself what to keep."""
_MOST_KEPT = 1 << 30
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_kept = 0


def _keep_memory(size: int) -> None:
    """Make the C library keep the memory of temporaries between calls, up to `_MOST_KEPT` bytes.

    glibc hands large pieces back to the system, which gives them out anew page by page at the next
    call; from the first freed piece on it keeps all that are no larger, up to 32 MiB, and what is
    larger where it is told so (mallopt(3)). The piece is never touched, so it costs nothing.
    """
    global _kept
    np.empty(min(2 * size, _DYNAMIC), np.uint8)
    if size > max(_DYNAMIC, _kept):
        _kept = min(2 * size, _MOST_KEPT)
        with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
            for setting in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
                ctypes.CDLL(None).mallopt(setting, _kept)


def give_back_memory() -> None:
    """Give back to the system what compiling took, where the C library can."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


_liberties: ContextVar[frozenset[str]] = ContextVar("liberties", default=frozenset())
"""What LLVM may do to floating-point arithmetic, by the names of its flags: nothing by default.

Sums take one all the same: `loops.scalars.add`.
"""


@contextlib.contextmanager
def taking(liberties: frozenset[str]) -> Iterator[None]:
    """Compile with these liberties inside a `with` block."""
    before = _liberties.set(liberties)
    try:
        yield
    finally:
        _liberties.reset(before)


def liberties() -> frozenset[str]:
    """What LLVM may do now."""
    return _liberties.get()


def loaded(text: str, stats: Stats) -> Single | InParts:
    """What computes a program of this source; `stats` is told of what Numba compiles for it."""
    function = load(text, liberties())
    function.tell(stats.spent)  # it compiles when it first runs
    return function
