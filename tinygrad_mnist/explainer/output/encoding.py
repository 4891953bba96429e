"""A pass as the JSON that its page reads: each array once, large ones packed or cut."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.explainer import passes
from tinygrad_mnist.explainer.binding import Binding

from .html import deflate

__all__ = ["BUDGET", "Arrays", "encoded"]

NUMBERS = 64
"""An array of at most so many elements is written out."""
WHOLE = 65_536
"""An array of at most so many elements is packed whole; of a larger one the first rows are."""
BUDGET = 1_500_000
"""Packed bytes at most; beyond them the largest arrays are cut to their first rows."""
_CUT = 1_024
_MANY, _FEW = 1_024, 256
"""Of at least so many elements, with at most so many different ones, each different one is kept
once: pixels of pictures, results of a ReLU."""


class Arrays:
    """The arrays of a page, each once."""

    def __init__(self) -> None:
        self._found: list[Array] = []
        self._index: dict[Any, int] = {}

    def add(self, array: Any) -> int | None:
        """The index of an array; None for None."""
        if array is None:
            return None
        array = np.asarray(array)
        content = np.ascontiguousarray(array)
        key = (array.shape, array.dtype.str, hashlib.blake2b(content.tobytes()).digest())
        if key not in self._index:
            self._index[key] = len(self._found)
            self._found.append(content.reshape(array.shape))
        return self._index[key]

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of an array."""
        return tuple(self._found[index].shape)

    def encoded(self, budget: int = BUDGET) -> list[dict[str, Any]]:
        """All of them."""
        entries = [_entry(array, WHOLE) for array in self._found]
        sizes = [len(entry.get("packed", "")) for entry in entries]
        for at in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
            if sum(sizes) <= budget or not sizes[at]:
                break
            entries[at] = _entry(self._found[at], _CUT)
            sizes[at] = len(entries[at].get("packed", ""))
        return entries


def _entry(array: Array, most: int) -> dict[str, Any]:
    kept = _first_rows(array, most)
    entry: dict[str, Any] = {
        "shape": list(kept.shape), "full": list(array.shape), "dtype": array.dtype.name,
    }  # fmt: skip
    if kept.size <= NUMBERS:
        entry["numbers"] = [_number(each) for each in kept.reshape(-1).tolist()]
    else:
        entry |= _packed(kept)
    return entry | _statistics(array)


def _first_rows(array: Array, most: int) -> Array:
    """As many whole rows as have at most so many elements; one at least, of which all is kept."""
    if array.size <= most or array.ndim == 0:
        return array
    row = max(1, array.size // max(1, array.shape[0]))
    return array[: max(1, most // row)] if row <= most else array[:0]


def _packed(array: Array) -> dict[str, str]:
    """The bytes, deflated; of few different numbers those, and for each element which it is."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    bits = little.view(f"<u{little.itemsize}")
    different = np.unique(bits)
    if bits.size < _MANY or different.size > _FEW:
        return {"packed": deflate(little.tobytes())}
    which = np.searchsorted(different, bits).astype(np.uint8)
    return {"palette": deflate(different.tobytes()), "packed": deflate(which.tobytes())}


def _statistics(array: Array) -> dict[str, Any]:
    numbers = array.astype(np.float64) if array.dtype == bool else array
    finite = numbers[np.isfinite(numbers)]
    some = finite.size > 0
    return {
        "min": _number(finite.min()) if some else None,
        "max": _number(finite.max()) if some else None,
        "mean": _number(finite.mean(dtype=np.float64)) if some else None,
        "nan": int(np.isnan(numbers).sum()), "inf": int(np.isinf(numbers).sum()),
        "zero": int((numbers == 0).sum()),
    }  # fmt: skip


def _number(value: Any) -> Any:
    """A number that JSON knows, or the name of one that it does not."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return "nan" if math.isnan(plain) else "inf" if plain > 0 else "-inf"
    return plain


def encoded(found: passes.Pass, made: dict[str, Any]) -> dict[str, Any]:
    """The whole pass."""
    arrays = Arrays()
    binding = Binding(found.nodes, arrays.add)
    nodes = [_node(node, arrays, binding) for node in found.nodes]
    steps = [_step(step, found.nodes[step.node], arrays, binding) for step in found.steps]
    return {
        "title": found.title, "what": "explain", "made": made,
        "nodes": nodes, "steps": steps,
        "scopes": [_scope(scope) for scope in found.scopes],
        "sources": [{"name": each.name, "text": each.text} for each in found.sources],
        "loops": [{"name": e.name, "nodes": e.nodes, "source": e.source} for e in found.loops],
        "notes": found.notes,
        "why": [vars(each) for each in found.why],
        "arrays": arrays.encoded(),
    }  # fmt: skip


def _scope(scope: passes.Scope) -> dict[str, Any]:
    return vars(scope).copy()


def _node(node: passes.Node, arrays: Arrays, binding: Binding) -> dict[str, Any]:
    source = node.source
    return {
        "id": node.id, "kind": node.kind, "name": node.name, "op": node.op,
        "grad_fn": node.grad_fn, "says": node.says, "formula": binding.forward(node),
        "inputs": [{"node": edge.node, "argument": edge.argument} for edge in node.inputs],
        "attributes": node.attributes, "shape": list(node.shape), "dtype": node.dtype,
        "value": arrays.add(node.value), "scope": node.scope,
        "source": None if source is None else {"file": source.file, "line": source.line},
        "order": node.order, "under": node.under, "requires_grad": node.requires_grad,
        "is_leaf": node.is_leaf, "view_of": node.view_of, "in_place": node.in_place,
        "saves": [
            {"name": saved.name, "array": arrays.add(saved.array), "node": saved.node}
            for saved in node.saves
        ],
        "seconds": node.seconds, "bytes": node.bytes, "loop": node.loop,
        "gradient": _gradient(node.gradient, arrays),
    }  # fmt: skip


def _gradient(gradient: passes.Gradient | None, arrays: Arrays) -> dict[str, Any] | None:
    if gradient is None:
        return None
    checks = {"pytorch": gradient.pytorch, "differences": gradient.differences}
    return {
        "array": arrays.add(gradient.array),
        "checks": {name: None if c is None else vars(c) for name, c in checks.items()},
    }


def _step(step: passes.Step, node: passes.Node, arrays: Arrays, binding: Binding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "number": step.number, "phase": step.phase, "node": step.node, "seconds": step.seconds,
        "bytes": step.bytes,
    }  # fmt: skip
    if step.phase == "backward":
        found["gradient"] = arrays.add(step.gradient)
        found["contributions"] = [
            {
                "to": part.to, "argument": part.argument,
                "formula": binding.derivative(node, part, step.gradient),
                "raw_shape": list(part.raw_shape), "summed": list(part.summed),
                "stretched": list(part.stretched), "array": arrays.add(part.array),
            }
            for part in step.contributions
        ]  # fmt: skip
        found["frees"] = list(step.frees)
    elif step.phase == "accumulate":
        found["before"] = arrays.add(step.before)
        found["array"] = arrays.add(step.array)
    return found
