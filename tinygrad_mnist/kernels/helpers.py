"""When the team's helpers are called: when there is code that may share loops with them."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from . import blas_threads, cache_folder, native_code, piece_size, sources, team


def call() -> None:
    """Have helpers for as many threads as BLAS has, if its threads can be counted."""
    if team.is_possible and blas_threads.NUMPYS is not None and not team.is_called():
        team.call(_work, piece_size.for_threads, blas_threads.NUMPYS.get())


@functools.cache
def _work() -> Any:
    """What a helper does: code that is compiled once a machine."""
    folder = cache_folder.for_code("code")
    file = folder and native_code.file_for(folder, "work", sources.digest(piece_size.HELP))
    found = native_code.load(file)
    if found is None:
        code: Any = importlib.import_module(f"{__package__}.team_code")
        compiling: Any = importlib.import_module(f"{__package__}.compiling")
        found = compiling.code_for(code.work, (0,), file)
    return found.entry
