"""From a traced program to a compiled function: the passes in order, the source, the cache."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinygrad_mnist import kernels
from tinygrad_mnist.compiler.codegen.function import Source, generate
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.compiler.passes.fusion import fuse_updates
from tinygrad_mnist.compiler.passes.simplify import (
    fold_constants,
    remove_dead_code,
    share_common_subexpressions,
    simplify,
)
from tinygrad_mnist.kernels import cache_folder, dispatch
from tinygrad_mnist.kernels.locks import held_through_fork

from .passes.batch_last import put_batch_last
from .passes.fusion import Loop, Step, fuse
from .passes.lowering import lower
from .program import Program

Pass = Callable[[Program], Program]

PASSES: tuple[Pass, ...] = (
    fold_constants,
    put_batch_last,
    lower,
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
    passes: dict[str, int] = field(default_factory=dict)
    """Instructions after each pass."""
    recompilations: list[str] = field(default_factory=list)
    """What each program after a function's first was compiled for."""


@dataclass
class Built:
    """A program, its source, and the compiled function."""

    program: Program
    source: Source
    function: Callable[..., int]
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
    empty = next((i.op for i in traced.instructions if not i.output.size), None)
    if empty is not None:
        raise Unsupported(f"{empty}, which gives no numbers,")
    with _building:
        return _built(traced)


_building = held_through_fork(threading.RLock(), long=True)


def _built(traced: Program) -> Built:
    stats = Stats()
    begin = time.perf_counter()
    kernels.warm_up()  # the products that are measured, and called, are among them
    program, steps = optimise(traced, stats)
    source = generate(program, steps)
    stats.temporaries, stats.temporary_bytes = source.temporaries, source.temporary_bytes
    function = load(source.text, _liberties.get())
    _keep_memory(stats.temporary_bytes)
    stats.compile_seconds = time.perf_counter() - begin
    return Built(program, source, function, stats)


_MOST_KEPT = 31 << 20


def _keep_memory(size: int) -> None:
    """Make the C library keep the memory of temporaries between calls.

    glibc hands large pieces back to the system, which gives them out anew page by page at the next
    call; from the first freed piece on it keeps all that are no larger (mallopt(3),
    M_MMAP_THRESHOLD, up to 32 MiB). The piece is never touched, so it costs nothing.
    """
    np.empty(min(2 * size, _MOST_KEPT), np.uint8)


_HEAD = '''"""A training step, compiled by tinygrad_mnist; written by the program, not by hand."""

import math

import numpy as np

from tinygrad_mnist.compiler.loops import images, products, scalars
'''
_BATCH_LAST = "from tinygrad_mnist.kernels import batch_last\n"
_RECURRENT = "from tinygrad_mnist.compiler.loops import recurrent\n"
"""Compiled, or loaded, only for programs that call them."""


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


_loaded: weakref.WeakValueDictionary[str, Callable[..., int]] = weakref.WeakValueDictionary()


def load(text: str, fastmath: frozenset[str] = frozenset()) -> Callable[..., int]:
    """The compiled function of a source; the same text is compiled once, on this disk.

    It is kept as long as somebody has it. The source itself is never read from the disk: only what
    was compiled of it, under a name made of the source and of all that it is compiled with.
    """
    from tinygrad_mnist.kernels import compiling

    head = _HEAD
    if "batch_last." in text:
        dispatch.images.load()
        head += _BATCH_LAST
    if "recurrent." in text:
        head += _RECURRENT
    digest = hashlib.sha256(f"{sorted(fastmath)}{head}{text}{surroundings()}".encode())
    known = _loaded.get(digest.hexdigest())
    if known is not None:
        return known
    module = types.ModuleType(f"step_{digest.hexdigest()[:20]}")
    sys.modules[module.__name__] = module  # where Numba looks for the names of what it loads
    exec(compile(f"{head}\n\n{text}\n", f"{module.__name__}.py", "exec"), vars(module))
    function: Callable[..., int] = compiling.kept(
        module.step, cache_folder.for_code("programs"), digest.hexdigest(),
        error_model="numpy", nogil=True, fastmath=set(fastmath),
    )  # fmt: skip
    _loaded[digest.hexdigest()] = function
    weakref.finalize(function, sys.modules.pop, module.__name__, None)
    return function


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
