"""Compiled code that lies on the disk, called without Numba: that alone takes longer to import.

A file holds the object code for one signature, and what it names besides itself: functions of
Python and of Numba's runtime, of BLAS, and other loops, which are loaded first. A name that is
found nowhere would end the process; so each is looked up before the code is loaded.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import pickle
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import llvmlite.binding
import numpy as np

from . import blas_threads, cache_folder, sources, team

_llvm: Any = llvmlite.binding
LAID: Final = 0x501
"""Of an array's flags: in rows without gaps, aligned, writeable."""


@dataclass(frozen=True)
class Code:
    """Compiled code for arguments of certain kinds."""

    entry: Callable[..., Any]
    """The function for Python."""
    address: int
    """Of the function that compiled code calls."""
    owner: object
    """Whoever keeps the code in memory."""


class Head(NamedTuple):
    """What must be known to load object code."""

    entry: str
    function: str
    environments: list[tuple[str, list[Any]]]
    """What Numba's runtime looks for by a name, the function's own first."""
    names: list[str]
    """What is named besides, to be found in the process."""
    calls: dict[str, str]
    """The names of other loops, and the files that hold them."""


def kinds(arguments: Sequence[Any], less: int = 0) -> str:
    """What arguments must have in common to run the same code; of arrays with `less` dimensions."""
    return ", ".join([_kind(given, less) for given in arguments])


def _kind(given: Any, less: int) -> str:
    if isinstance(given, tuple):
        return f"({kinds(given)})"
    if not isinstance(given, np.ndarray):
        return type(given).__name__
    flags = given.flags
    layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
    return f"{given.dtype.name} {given.ndim - less} {layout} {flags.num & LAID:x}"


@functools.cache
def machine() -> str:
    """What code is compiled for, and how: the processor, and settings of Numba's."""
    found = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_")]
    settings = sorted(each for each in found if not each.startswith(cache_folder.VARIABLE))
    processor = _llvm.get_host_cpu_name(), _llvm.get_host_cpu_features().flatten()
    return repr((_llvm.get_process_triple(), *processor, *settings))


def file_for(folder: Path, name: str, *key: str) -> Path:
    """Where code is kept, by its name and by all that it depends on."""
    digest = hashlib.sha256(repr((*key, machine())).encode()).hexdigest()
    return folder / f"{name}-{digest[:24]}.nbc"


def keep(file: Path, head: Head, code: bytes, rest: bytes = b"") -> bool:
    """Put code into a file; `rest` is what Numba makes a part of other code of."""
    cache_folder.prune()
    return cache_folder.keep(file, pickle.dumps((tuple(head), code, rest)))


def read(file: Path) -> tuple[Head, bytes, bytes]:
    """What a file holds."""
    head, code, rest = pickle.loads(cache_folder.read(file))
    return Head(*head), code, rest


def name_of(function: Callable[..., Any]) -> str:
    """How the files of a function are called."""
    return f"{Path(function.__code__.co_filename).stem}.{function.__name__}"


def stamp_of(function: Callable[..., Any]) -> str:
    """What the code of a loop depends on."""
    module = function.__module__.removeprefix("tinygrad_mnist.")
    return sources.digest(f"{module}.{function.__name__}")


def load(file: Path | None) -> Code | None:
    """The code that a file holds, if there is a file, whole, and all is found that it names."""
    if file is not None:
        with contextlib.suppress(Exception):  # damaged, or of another version
            return _loaded(file)
    return None


def _loaded(file: Path) -> Code | None:
    head, code, _ = read(file)
    runtime = _runtime()
    for name, other in head.calls.items():
        _llvm.add_symbol(name, _other(file.parent / other).address)
    engine = _llvm.create_mcjit_compiler(_llvm.parse_assembly(""), _target())
    if not all(map(_llvm.address_of_symbol, head.names)):
        return None
    engine.add_object_file(_llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    found = []
    for name, constants in head.environments:
        environment = runtime.Environment({})
        environment.consts.extend(constants)
        place = engine.get_global_value_address(name)
        ctypes.c_void_p.from_address(place).value = id(environment)
        found.append(environment)
    addresses = [engine.get_function_address(name) for name in (head.entry, head.function)]
    owner = engine, found
    space = types.ModuleType(file.stem)
    entry = runtime.make_function(space, file.stem, "", addresses[0], found[0], owner)
    return Code(entry, addresses[1], owner)


@functools.cache
def _other(file: Path) -> Code:
    """Another loop, which stays loaded."""
    found = _loaded(file)
    if found is None:
        raise LookupError(file)
    return found


def _target() -> Any:
    triple = _llvm.Target.from_default_triple()
    return triple.create_target_machine(opt=3, jit=True)


@functools.cache
def _runtime() -> Any:
    """The part of Numba's runtime that makes functions for Python; all of it is made known."""
    _llvm.initialize_native_target()
    _llvm.initialize_native_asmprinter()
    runtime = _extension("_dynfunc")
    for module in (runtime, _extension("_helperlib")):
        for name, address in module.c_helpers.items():
            _llvm.add_symbol(f"numba_{name}", address)
    for name, address in _extension("core.runtime._nrt_python").c_helpers.items():
        _llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    _llvm.add_symbol("_Py_NoneStruct", id(None))
    for name, error in vars(builtins).items():
        if isinstance(error, type) and issubclass(error, BaseException):
            _llvm.add_symbol(f"PyExc_{name}", id(error))
    name_blas()
    name_team()
    return runtime


def _extension(name: str) -> Any:
    """An extension module of Numba's, without Numba."""
    full = f"numba.{name}"
    if "numba" in sys.modules:
        return importlib.import_module(full)
    package = importlib.util.find_spec("numba")
    assert package is not None
    assert package.origin is not None
    folder = os.path.dirname(package.origin)
    finder = importlib.machinery.FileFinder(
        os.path.join(folder, *name.split(".")[:-1]),
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    )
    found = finder.find_spec(full)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    sys.modules.pop(full, None)  # Numba itself may still be imported
    return module


PREFIX: Final = "tinygrad_mnist_"
"""Of what compiled code calls in NumPy's BLAS."""


TEAM: Final = f"{PREFIX}team"


def name_team() -> None:
    """Let compiled code name the words of the team."""
    _llvm.add_symbol(TEAM, team.ADDRESS)


@functools.cache
def name_blas() -> bool:
    """Let compiled code name the functions of NumPy's BLAS; whether all of them are there."""
    library = blas_threads.NUMPYS
    if library is None or None in library:
        return False
    for name, function in library._asdict().items():
        _llvm.add_symbol(f"{PREFIX}{name}", ctypes.cast(function, ctypes.c_void_p).value)
    return True
