"""Which frameworks there are, and which one a function is written in."""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Iterable, Iterator
from typing import Any

from .framework import Framework
from .numpy_pairs import is_pair

__all__ = ["GROUP", "find", "known", "of_function", "of_value"]

GROUP = "tinygrad_mnist.frameworks"
"""The group of entry points in which others name theirs."""
_BUILT_IN = {
    "tinygrad_mnist": "torchlike:Ours",
    "tinygrad_mnist-compiled": "torchlike:OursCompiled",
    "torch": "torchlike:Torch",
    "torch-compiled": "torchlike:Compiled",
    "torch-cuda": "torchlike:Cuda",
    "torch-mps": "torchlike:Mps",
    "jax": "with_jax:Jax",
    "jax-jit": "with_jax:JaxJit",
    "numpy": "numpy_pairs:NumPy",
    "autograd": "hips_autograd:Autograd",
    "mygrad": "with_mygrad:MyGrad",
    "tinygrad": "with_tinygrad:Tinygrad",
}
_DEPTH = 3
"""How far from function to function names are followed."""


@functools.cache
def known() -> dict[str, Framework]:
    """Every framework by its name, whether it is installed or not; those of entry points last.

    >>> sorted(known())[:3]
    ['autograd', 'jax', 'jax-jit']
    """
    from importlib import metadata  # slow to import, and needed once

    found: dict[str, Framework] = {}
    for name, place in _BUILT_IN.items():
        file, _, kind = place.partition(":")
        found[name] = getattr(importlib.import_module(f"{__package__}.{file}"), kind)()
    for point in metadata.entry_points(group=GROUP):
        found[point.name] = point.load()()
    return found


def find(name: str | Framework) -> Framework:
    """The framework of a name, ready for use.

    Raises:
        ValueError: there is none of that name; the message lists those there are.
        ModuleNotFoundError: it is not installed; the message says what to do.
    """
    if isinstance(name, Framework):
        return name
    framework = known().get(name)
    if framework is None:
        raise ValueError(f"there is no framework {name!r}; there are {', '.join(known())}")
    if sentence := framework.missing():
        raise ModuleNotFoundError(sentence)
    return framework


def of_value(value: Any) -> str | None:
    """Whose tensor a value is; None for an array of NumPy's, and for what is none."""
    roots = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    roots = {"jax" if root == "jaxlib" else root for root in roots}
    named = [name for name, framework in known().items()
             if framework.package in roots and name not in ("numpy", "autograd")]  # fmt: skip
    return named[0] if named and hasattr(value, "shape") else None


def of_function(function: Any) -> str | None:
    """The framework that a function is written in, by the names that it uses; None if unknown.

    A pair is NumPy's; a module, a method of a Function and what JAX transformed say it by their
    types; of others the modules they name are looked through, and functions that they call.

    >>> import numpy as np
    >>> of_function((np.sin, lambda g, x: g * np.cos(x)))
    'numpy'
    """
    if is_pair(function):
        return "numpy"
    packages = {framework.package: name for name, framework in reversed(known().items())}
    for root in _roots(function, _DEPTH, set()):
        if root in packages and root != "numpy":
            return packages[root]
    return None


def _roots(function: Any, depth: int, seen: set[int]) -> Iterator[str]:
    """The packages that a function names, the nearest first."""
    if id(function) in seen:
        return
    seen.add(id(function))
    owner = getattr(function, "__self__", None)
    for each in (function, owner, *(type.mro(owner) if isinstance(owner, type) else ())):
        if each is not None:
            yield from _types(each)
    plain = getattr(function, "__wrapped__", None) or getattr(function, "fun", None) or function
    plain = getattr(plain, "func", plain)
    plain = getattr(plain, "__func__", plain)
    if not isinstance(plain, types.FunctionType):
        call = vars(type(plain)).get("forward") or vars(type(plain)).get("__call__")
        plain = call if isinstance(call, types.FunctionType) else plain
    if not isinstance(plain, types.FunctionType):
        return
    named = list(_named(plain))
    for each in named:
        yield from _types(each)
    if depth:
        for each in named:
            if callable(each) and not isinstance(each, types.ModuleType):
                yield from _roots(each, depth - 1, seen)


def _types(value: Any) -> Iterable[str]:
    """The packages that a value comes from: of a module itself, else of its class, and its own."""
    if isinstance(value, types.ModuleType):
        names = [value.__name__]
    else:
        kinds = type.mro(value) if isinstance(value, type) else type(value).__mro__
        names = [kind.__module__ for kind in kinds]
        own = getattr(value, "__module__", None)
        names += [own] if isinstance(own, str) else []
    for name in names:
        root = name.partition(".")[0]
        yield "jax" if root == "jaxlib" else root


def _named(function: types.FunctionType) -> Iterator[Any]:
    """What the names in a function's code stand for, in their order; those of inner ones too."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    codes = [function.__code__]
    while codes:
        code = codes.pop(0)
        for name in (*code.co_freevars, *code.co_names):
            if name in cells:
                try:
                    yield cells[name].cell_contents
                except ValueError:  # not bound yet
                    continue
            elif name in function.__globals__:
                yield function.__globals__[name]
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
