"""Compiling loops with Numba, or loading them from the disk; importing this imports Numba."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import numba

from . import simd as vectors

Function = Callable[..., Any]
Declared = tuple[Function, str | None, dict[str, Any]]
"""A loop, its signature (None for a part of other loops), and options of Numba's."""


def give_vectors(names: dict[str, Any]) -> None:
    """Give a module the instructions of vector registers, which its loops name."""
    names |= {name: getattr(vectors, name) for name in vectors.__all__}


def compile_loops(declared: Iterable[Declared], modules: Iterable[dict[str, Any]]) -> bool:
    """Put compiled loops in the place of the functions declared, in every module that has them.

    Returns whether all were written to, or came from, the disk.
    """
    on_disk = True
    for function, signature, options in declared:
        options = {"error_model": "numpy", **options}
        if signature is None:
            compiled: Function = numba.njit(**options)(function)
        else:
            compiled, kept = _compiled(function, _signatures(signature), nogil=True, **options)
            on_disk = on_disk and kept
        for names in modules:
            if names.get(function.__name__) is function:
                names[function.__name__] = compiled
    return on_disk


def _compiled(function: Function, signatures: list[str], **options: Any) -> tuple[Function, bool]:
    """The compiled function, and whether it is on the disk.

    What the cache holds is replaced if it is damaged. If there can be no cache, the loop is
    compiled for this process alone.
    """
    with contextlib.suppress(Exception):
        return numba.njit(signatures, cache=True, **options)(function), True
    with contextlib.suppress(Exception):
        _forget(function)
        return numba.njit(signatures, cache=True, **options)(function), True
    return numba.njit(signatures, **options)(function), False


def _signatures(signature: str) -> list[str]:
    """The signature as Numba spells it, for each dtype."""

    def spelled(array: re.Match[str]) -> str:
        dimensions = 2 if array["row"] else 1
        return f"Array({array['dtype']}, {dimensions}, 'C', readonly=True, aligned=False)"

    signature = re.sub(r"const (?P<dtype>\w+)\[(?P<row>:, )?::1\]", spelled, signature)
    kinds = ("float32", "float64") if re.search(r"\bT\b", signature) else ("",)
    return [re.sub(r"\bT\b", kind, signature) for kind in kinds]


def _forget(function: Function) -> None:
    """Remove what the cache holds for a function."""
    directory = Path(cast(str, numba.njit(cache=True)(function).stats.cache_path))
    module = Path(function.__code__.co_filename).stem
    for file in directory.glob(f"{module}.{function.__name__}-*.nb[ic]"):
        file.unlink(missing_ok=True)
