"""An operation's attributes as a reader sees them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.wording import cut

__all__ = ["printable", "says_of"]

_INTERNAL = frozenset(("ctx", "function", "tensors", "outputs", "steps", "keys", "starts"))


def printable(attributes: dict[str, Any]) -> dict[str, str]:
    """Attributes by name, as text; those of the engine's own left out."""
    return {
        name: cut(_printed(value), 120)
        for name, value in attributes.items()
        if name not in _INTERNAL
    }


def _printed(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size > 16:
            return f"{value.dtype.name} array of shape {value.shape}"
        return str(value.tolist())
    if isinstance(value, slice):
        parts = ["" if part is None else str(part) for part in (value.start, value.stop)]
        return ":".join(parts) + ("" if value.step is None else f":{value.step}")
    if isinstance(value, tuple):
        inner = ", ".join(map(_printed, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, type):
        return value.__name__
    return str(value)


def says_of(record: Any) -> str | None:
    """What an operation computes, in its own words."""
    if "function" in record.attributes:
        says = record.attributes["function"].__doc__
    else:
        says = getattr(record.primitive, "says", None)
    return None if says is None else str(says).strip()
