"""Numbers, shapes and names as text shows them."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.explainer import passes

__all__ = ["called", "numbers", "plain", "shape"]

_FEW = 6


def plain(text: str) -> str:
    """Text on one line, with what would move a terminal's cursor or colour it left out."""
    return "".join([c for c in text if unicodedata.category(c)[0] != "C"])


def called(node: passes.Node) -> str:
    """What a node is called: by the program's name and its operation's."""
    if node.op is None:
        return plain(node.name) if node.name else node.kind
    return f"{plain(node.name)} = {node.op}" if node.name else node.op


def shape(node: passes.Node) -> str:
    """A shape with its type: "float32 64×10"."""
    return f"{node.dtype} {sized(node.shape)}".strip()


def sized(dims: tuple[int, ...]) -> str:
    """A shape as it is read: "64×10", "scalar"."""
    return "×".join(map(str, dims)) if dims else "scalar"


def numbers(array: Array | None) -> str:
    """An array's numbers when they are few, else their range.

    >>> import numpy as np
    >>> from tinygrad_mnist.explainer.output.writing import numbers
    >>> numbers(np.array([1.0, 2.5]))
    '[1, 2.5]'
    >>> numbers(np.arange(100.0))
    '100 numbers from 0 to 99, mean 49.5'
    """
    if array is None:
        return "(not kept)"
    if array.ndim == 0:
        return number(array[()])
    if array.size <= _FEW:
        return _nested(array.tolist())
    if array.dtype == bool:
        return f"{array.size:,} of true and false, {int(array.sum()):,} of them true"
    finite = array[np.isfinite(array)]
    bad = array.size - finite.size
    told = f"{array.size:,} numbers"
    if finite.size:
        mean = number(finite.mean(dtype=np.float64))
        told += f" from {number(finite.min())} to {number(finite.max())}, mean {mean}"
    return told + (f", {bad:,} of them NaN or infinite" if bad else "")


def number(value: Any) -> str:
    """A number in few digits."""
    return str(value) if isinstance(value, bool | np.bool_) else f"{value or 0:.5g}"


def _nested(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(map(_nested, values))}]"
    return number(values)
