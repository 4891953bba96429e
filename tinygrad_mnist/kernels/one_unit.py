"""Numba compiles a function and all that it calls as one unit.

Of each function that another calls, Numba makes machine code of its own, with ways into it for
Python and for C, and then compiles it once more as a part of its caller. What is called by a
function given to `whole` is a part of that and no more: it becomes LLVM's code once, and is
optimised where it is used. All other functions are compiled as ever; so is a part that Python
calls after all.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from typing import Any, Final

import llvmlite.binding
import numba
import numba.core.codegen
import numba.core.cpu
import numba.core.dispatcher
import numba.core.environment

_wholes: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""What compiles functions that are units."""
_units: Final[list[Any]] = []
"""What is being compiled now, from the outermost in: a compiler if a unit, else a part."""
_modules: Final[dict[Any, Any]] = {}
"""Of the parts that are being compiled, with all that they call."""
_KNOWN: Final = "0.68."
"""The versions of Numba of which these are the methods; others compile everything as ever."""


class _Part:
    """In the place of a part's code for Python: compiles it as a unit if Python calls it."""

    def __init__(self, compiler: Any) -> None:
        self._compiler = compiler
        self._function: Any = None

    def __call__(self, *args: Any) -> Any:
        if self._function is None:
            self._function = numba.jit(**self._compiler.targetoptions)(self._compiler.py_func)
        return self._function(*args)


def whole(function: Any) -> Any:
    """Let what is compiled of a function of Numba's be one unit; the function."""
    _wholes.add(function._compiler)
    return function


def _is_part() -> bool:
    return bool(_units) and _units[-1] not in _wholes


def _instead(kind: str, name: str) -> Callable[[Any], None]:
    """Let a function stand for a method of Numba's, which it is given first, in known versions."""

    def replace(function: Any) -> None:
        if numba.__version__.startswith(_KNOWN):
            owner = operator.attrgetter(kind)(numba.core)
            before = getattr(owner, name)
            setattr(owner, name, lambda *args, **kwargs: function(before, *args, **kwargs))

    return replace


@_instead("dispatcher._FunctionCompiler", "_compile_core")
def _(compiled: Any, self: Any, *args: Any) -> Any:
    if not _units and self not in _wholes:
        return compiled(self, *args)
    _units.append(self)
    try:
        return compiled(self, *args)
    finally:
        _units.pop()
        if not _units:
            _modules.clear()


@_instead("dispatcher.Dispatcher", "add_overload")
def _(add: Any, self: Any, result: Any) -> None:
    if isinstance(result.entry_point, _Part):
        self.overloads[tuple(result.signature.args)] = result
    else:
        add(self, result)


@_instead("cpu.CPUContext", "create_cpython_wrapper")
def _(create: Any, *args: Any, **kwargs: Any) -> None:
    if not _is_part():
        create(*args, **kwargs)


@_instead("cpu.CPUContext", "create_cfunc_wrapper")
def _(create: Any, *args: Any) -> None:
    if not _units:
        create(*args)


@_instead("cpu.CPUContext", "get_executable")
def _(executable: Any, self: Any, library: Any, *described: Any) -> Any:
    if _is_part():
        return _Part(_units[-1])
    found = executable(self, library, *described)
    if _units:
        for place in library._final_module.global_variables:
            environment = _environment(place.name)
            if environment is not None and not place.is_declaration:
                library.codegen.set_env(place.name, environment)
    return found


@_instead("codegen.CPUCodeLibrary", "add_linking_library")
def _(add: Any, self: Any, library: Any) -> None:
    if _units:
        self._linking_libraries.append(library)
    else:
        add(self, library)


@_instead("codegen.CPUCodeLibrary", "_get_module_for_linking")
def _(get: Any, self: Any) -> Any:
    if not _units or self._finalized:
        return get(self)
    if self not in _modules:
        module = self._final_module.clone()
        for function in module.functions:
            if not function.is_declaration and function.linkage == _llvm.Linkage.external:
                function.linkage = "linkonce_odr"
        for each in dict.fromkeys(self._linking_libraries):
            module.link_in(each._get_module_for_linking(), preserve=True)
            self._reload_init.update(each._reload_init)
        _modules[self] = module
    return _modules[self]


_llvm: Any = llvmlite.binding
_environment: Any = numba.core.environment.lookup_environment
