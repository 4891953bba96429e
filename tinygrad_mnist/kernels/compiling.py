"""Compiling loops with Numba, or loading them from the disk; importing this imports Numba."""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba.core.compiler
import numba.core.compiler_lock
import numba.core.serialize
import numba.core.sigutils
import numba.core.typing.typeof

from . import cache_folder, native_code
from . import simd as vectors
from . import team_code as team_code  # how compiled code shares loops
from .loop import Loop
from .native_code import Code, Head
from .one_unit import whole

Function = Callable[..., Any]
_lock: Any = numba.core.compiler_lock.global_compiler_lock
_llvm: Any = llvmlite.binding
_results: Any = numba.core.compiler.CompileResult
_serialize: Any = numba.core.serialize
_signatures: Any = numba.core.sigutils
_typeof: Any = numba.core.typing.typeof.typeof_impl


def give_vectors(names: dict[str, Any]) -> None:
    """Give a module the instructions of vector registers, which its loops name."""
    names |= {name: getattr(vectors, name) for name in vectors.__all__}


def compile_parts(
    parts: Iterable[tuple[Function, dict[str, Any]]], modules: Iterable[dict[str, Any]]
) -> None:
    """Put Numba's functions in the place of the parts of loops, in every module that has them."""
    for function, options in parts:
        compiled = numba.njit(error_model="numpy", **options)(function)
        for names in modules:
            if names.get(function.__name__) is function:
                names[function.__name__] = compiled


def entry_for(loop: Loop, signature: str, starts: Callable[[], None]) -> Function:
    """The code of a loop for one of its signatures, compiled or loaded, as Python calls it.

    `starts` is called before it is compiled.
    """
    function = _function(loop)
    function._cache.starts = starts
    found: Function = function.compile(signature)
    return found


@functools.cache
def _function(loop: Loop) -> Any:
    """Numba's function of a loop: compiled for those of its signatures that are asked for."""
    function = whole(numba.njit(error_model="numpy", nogil=True, **loop.options)(loop.py_func))
    stamp = native_code.stamp_of(loop.py_func)
    function._cache = Kept(loop.py_func, cache_folder.for_code("code"), stamp)
    compile_for = function.compile
    declared = {each: _signatures.normalize_signature(each)[0] for each in loop.signatures}

    def compile_one(asked: Any) -> Any:
        """For a signature as it was declared, or for types that fit one."""
        with _lock:
            for signature, taken in declared.items():
                if asked in (signature, taken) or _fit(function.typingctx, asked, taken):
                    function._cache.signature = signature
                    entry = compile_for(signature)
                    _stay_apart(function.overloads[taken])
                    return entry
        raise TypeError(f"no loop of {loop.py_func.__name__} is for arguments of types {asked}")

    function.compile = compile_one
    return function


def _fit(context: Any, given: Any, taken: Any) -> bool:
    pairs = zip(given, taken, strict=True) if len(given) == len(taken) else [(None, None)]
    return all(None not in pair and context.can_convert(*pair) is not None for pair in pairs)


def _type_of(loop: Loop, _: Any) -> Any:
    """What compiled code finds by the name of a loop."""
    return numba.types.Dispatcher(_function(loop))


_typeof.register(Loop, _type_of)


def kept(
    function: Function,
    folder: Path | None,
    stamp: str,
    signatures: Sequence[str] = (),
    **options: Any,
) -> Any:
    """A function that Numba compiles, or loads from the folder where an earlier run kept it.

    With signatures it is compiled for them now, and for no others; else for those it is called
    with. What was kept counts only if `stamp` is the same. The folder must be safe, as those of
    `cache_folder` are: what is read from it can run anything.
    """
    compiled = whole(numba.njit(**options)(function))
    compiled._cache = Kept(function, folder, stamp)
    for signature in signatures:
        compiled.compile(signature)
    if signatures:
        compiled.disable_compile()
        for made in compiled.overloads.values():
            _stay_apart(made)
    return compiled


class Apart(numba.core.compiler.Compiler):
    """Compiles functions that write no array which overlaps another of theirs.

    LLVM asks while a loop runs, and not at all where it would have to ask of many arrays.
    """

    def __init__(self, *args: Any) -> None:
        flags = args[5]
        flags.noalias = True
        super().__init__(*args)  # type: ignore[no-untyped-call]


_APART: dict[str, Path | None] = {}
"""What compiled code calls by these names is no part of it; the files that hold it."""


def _stay_apart(made: Any) -> None:
    """Let code that calls a loop find it in memory: as a part of that it is compiled anew.

    LLVM takes longer for the loop than for most of what calls it, and knows no more there.
    """
    _APART.setdefault(made.fndesc.mangled_name, None)
    codegen = made.library.codegen
    made.library._shared_module = _llvm.parse_assembly(str(codegen._create_empty_module("apart")))


def code_for(function: Any, arguments: Sequence[Any], file: Path | None) -> Code:
    """What Numba compiles of a function of its own for such arguments, kept in a file."""
    taken = tuple([function.typeof_pyval(given) for given in arguments])
    whole(function).compile(taken)
    made = function.overloads[taken]
    if file is not None and (head := _head(made)) is not None:
        native_code.keep(file, head, made.library._get_compiled_object())
    address = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
    return Code(made.entry_point, address, function)


def _head(made: Any) -> Head | None:
    """What must be known to load code without Numba; None if it calls loops that are not kept."""
    module = made.library._final_module
    declared = [each for each in (*module.functions, *module.global_variables)
                if each.is_declaration]  # fmt: skip
    named = [each.name for each in declared if not each.name.startswith("llvm.")]
    loops = {name: _APART[name] for name in named if name in _APART}
    calls = {name: file.name for name, file in loops.items() if file is not None}
    if len(calls) < len(loops):
        return None
    describes = made.fndesc
    environments = {describes.env_name: list(made.environment.consts)}
    others = made._find_referenced_environments()
    environments |= {each.env_name: list(each.consts) for each in others}
    return Head(
        describes.llvm_cpython_wrapper_name, describes.llvm_func_name, [*environments.items()],
        [name for name in named if name not in loops], calls,
    )  # fmt: skip


class Kept:
    """What a Numba function asks for compiled code, in the place of Numba's own cache.

    One file holds the code for one signature. What is damaged is compiled anew; what cannot be
    written serves this process alone.
    """

    def __init__(self, function: Function, folder: Path | None, stamp: str) -> None:
        self.cache_path = os.fspath(folder or "")
        self.on_disk = folder is not None
        self.starts: Callable[[], None] = _nothing
        """Called before something is compiled that was not kept."""
        self.ends: Callable[[float], None] = _nothing
        """Called with the seconds that it took to have code for a signature."""
        self._function, self._folder, self._stamp = function, folder, stamp
        self.signature = ""
        """As it was declared, if it was."""
        self._begun = 0.0

    def _file(self, folder: Path, sig: Any) -> Path:
        return native_code.file_for(
            folder, native_code.name_of(self._function), self._stamp, self.signature or str(sig)
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled code for a signature, or None."""
        self._begun = time.perf_counter()
        target_context.refresh()
        if self._folder is not None:
            with contextlib.suppress(Exception):
                file = self._file(self._folder, sig)
                head, code, rest = native_code.read(file)
                (name, kind, (_, shared)), *state = pickle.loads(rest)
                if not _APART.keys() >= head.calls.keys():
                    raise LookupError
                library = name, kind, (code, shared)
                found = _results._rebuild(target_context, library, *state)
                _APART[found.fndesc.mangled_name] = file
                self.ends(time.perf_counter() - self._begun)
                return found
        self.starts()
        return None

    def save_overload(self, sig: Any, compiled: Any) -> None:
        """Keep what was compiled for a signature."""
        head = None if self._folder is None else _head(compiled)
        if self._folder is not None and head is not None:
            (name, kind, (code, shared)), *state = compiled._reduce()
            rest: bytes = _serialize.dumps(((name, kind, (b"", shared)), *state))
            file = self._file(self._folder, sig)
            self.on_disk &= native_code.keep(file, head, code, rest)
            _APART[compiled.fndesc.mangled_name] = file
        self.ends(time.perf_counter() - self._begun)


def _nothing(*_: Any) -> None:
    """What is done where nobody listens."""
