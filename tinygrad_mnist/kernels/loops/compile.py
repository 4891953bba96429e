"""The decorators that compile loops, or load them from the disk."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["cached", "loop", "part_of_loops"]

Function = TypeVar("Function", bound=Callable[..., Any])

_uncached: list[str] = []


def loop(signature: str, **options: Any) -> Callable[[Function], Function]:
    """Compile for a signature; where it names `T`, for float32 and for float64.

    `const` before an array lets it be read-only and anywhere in memory. A loop lets other threads
    run, follows IEEE arithmetic save for what `fastmath` names, and is not compiled again for other
    types: it raises TypeError for them. If what the cache holds is damaged it is replaced; if there
    can be no cache, the loop is compiled for this process alone.
    """
    options = {"nogil": True, "error_model": "numpy", **options}
    signatures = _signatures(signature)

    def decorate(function: Function) -> Function:
        with contextlib.suppress(Exception):
            return _compile(function, signatures, cache=True, **options)
        with contextlib.suppress(Exception):
            _forget(function)
            return _compile(function, signatures, cache=True, **options)
        _uncached.append(function.__name__)
        return _compile(function, signatures, **options)

    return decorate


def part_of_loops(**options: Any) -> Callable[[Function], Function]:
    """Compile as a part of the loops that call it, with its own `fastmath`."""

    def decorate(function: Function) -> Function:
        return cast(Function, numba.njit(error_model="numpy", **options)(function))

    return decorate


def cached() -> bool:
    """Whether every loop was written to, or came from, the disk."""
    return not _uncached


def _signatures(signature: str) -> list[str]:
    """The signature as Numba spells it, for each dtype."""

    def spelled(array: re.Match[str]) -> str:
        dimensions = 2 if array["row"] else 1
        return f"Array({array['dtype']}, {dimensions}, 'C', readonly=True, aligned=False)"

    signature = re.sub(r"const (?P<dtype>\w+)\[(?P<row>:, )?::1\]", spelled, signature)
    kinds = ("float32", "float64") if re.search(r"\bT\b", signature) else ("",)
    return [re.sub(r"\bT\b", kind, signature) for kind in kinds]


def _compile(function: Function, signatures: list[str], **options: Any) -> Function:
    return cast(Function, numba.njit(signatures, **options)(function))


def _forget(function: Callable[..., Any]) -> None:
    """Remove what the cache holds for a function."""
    directory = Path(cast(str, numba.njit(cache=True)(function).stats.cache_path))
    module = Path(function.__code__.co_filename).stem
    for file in directory.glob(f"{module}.{function.__name__}-*.nb[ic]"):
        file.unlink(missing_ok=True)
