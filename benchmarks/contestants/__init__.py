"""The contestants: a file an engine, each with its `CONTESTANTS`. To add one, add a file.

A new file begins as `hips_autograd.py` does: a function from a `Job` to a `Training`, which imports
its engine inside, and a tuple that names it. Nothing else has to be told of it.
"""

from __future__ import annotations

import importlib
import pkgutil

from .contestant import Contestant

_FIRST = ("ours", "pytorch", "with_jax")
"""Files in the order of the tables; the others follow by name."""


def load() -> dict[str, Contestant]:
    """Every contestant by name, ours first."""
    files = [module.name for module in pkgutil.iter_modules(__path__)]
    ordered = [*_FIRST, *sorted(set(files) - set(_FIRST))]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in ordered]
    return {each.name: each for m in modules for each in getattr(m, "CONTESTANTS", ())}
