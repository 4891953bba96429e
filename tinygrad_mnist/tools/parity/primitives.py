"""How many primitives there are, by what they are for, and how much is composed of them."""

from __future__ import annotations

import importlib
import pkgutil

from tinygrad_mnist.engine.node import PRIMITIVES

from .table import OPERATIONS

__all__ = ["counted", "registered"]

_COPIES = ("as_strided", "cast", "clone", "constant_in", "copy_slices", "fill", "read", "zeros")
"""Those that change no number: casts, copies, fills, and what stands for a tensor in records."""


def registered() -> list[str]:
    """The names of all primitives of the package, whose modules load when they are needed."""
    for package in ("ops", "random", "nn.functional"):
        home = importlib.import_module(f"tinygrad_mnist.{package}")
        for module in pkgutil.iter_modules(home.__path__, f"{home.__name__}."):
            importlib.import_module(module.name)
    return sorted(
        name
        for name, each in PRIMITIVES.items()
        if each.body.__module__.startswith("tinygrad_mnist.")
    )


def counted() -> dict[str, int]:
    """Counts of primitives, and of public operations that are composed of them.

    >>> counted()["all"] >= counted()["differentiable"]
    True
    """
    names = registered()
    with_formulas = [name for name in names if PRIMITIVES[name].formulas]
    backward = [name for name in with_formulas if name.endswith("_backward")]
    copies = [name for name in with_formulas if name in _COPIES]
    composed = [
        row for row in OPERATIONS if row.public and row.name.split(".")[-1] not in PRIMITIVES
    ]
    return {
        "all": len(names),
        "differentiable": len(with_formulas) - len(backward) - len(copies),
        "backward": len(backward),
        "copies": len(copies),
        "without derivative": len(names) - len(with_formulas),
        "composed": len(composed),
    }
