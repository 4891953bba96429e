"""A recorded computation run again in float64, from any of its nodes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.function import Function, FunctionCtx
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.tensor import wrap
from tinygrad_mnist.explainer.passes import Node
from tinygrad_mnist.tools.replay import At, Entry, own_gradients

__all__ = ["Again"]


_SYMMETRIC = ("cholesky_factor", "eigh_factors")
"""They read one half of a symmetric matrix, and give both halves a share of the gradient."""


class Again:
    """The computation run again in float64, from any of its nodes."""

    def __init__(
        self, entries: Sequence[Entry], starts: Mapping[int, Array], nodes: Sequence[Node]
    ) -> None:
        self.entries = entries
        known = {node.id: node.gradient for node in nodes if node.gradient is not None}
        self.arrived = {at: gradient.array.astype(np.float64) for at, gradient in known.items()}
        self.changed = {at for at, gradient in known.items() if gradient.before is not None}
        """Those whose gradients hooks changed: before these there is no slope of the whole."""
        self.starts = {at: g.astype(np.float64) for at, g in starts.items()}
        self.stuck: set[int] = set()
        """What cannot be run again, and so stays as it was recorded."""
        self.values: list[Any] = []
        self.users: list[list[int]] = [[] for _ in entries]
        for at, entry in enumerate(entries):
            self.values.append(self._first(at, entry))
            for source in {each.entry for each in entry.inputs if isinstance(each, At)}:
                self.users[source].append(at)
        self._after: dict[int, list[int]] = {}
        self._wide: list[Array | None] | None = None

    def _first(self, at: int, entry: Entry) -> Any:
        if entry.primitive is not None:
            try:
                return self._run(entry, self.values)
            except Exception:  # whatever a body or a user's forward does with what it never had
                self.stuck.add(at)
        return _wide(entry.output)

    def _run(self, entry: Entry, values: Any) -> Any:
        """An operation in float64; several outputs as a tuple."""
        op, attributes = entry.primitive, dict(entry.attributes)
        given = [values[each.entry] if isinstance(each, At) else _wide(each)
                 for each in entry.inputs]  # fmt: skip
        if op.vjp is not None:
            return _several(attributes, given)
        if "fill" in attributes or "generator" in attributes:
            raise NotImplementedError("random numbers are drawn once")
        if op.name in ("cholesky_solved", "ctc_loss"):
            raise NotImplementedError("PyTorch's gradient is not the slope in every direction")
        if attributes.get("dtype") in (np.dtype(np.float32), np.dtype(np.float16)):
            attributes["dtype"] = np.dtype(np.float64)
        if op.name in _SYMMETRIC:
            given = [(given[0] + given[0].swapaxes(-1, -2)) / 2]
        return op.compute(op.promoted(tuple(given)), attributes)

    def after(self, at: int, near: bool) -> list[int]:
        """What depends on an entry, in order; near, what uses it alone."""
        if near:
            users = self.users[at]
            parts = [part for user in users if isinstance(self.values[user], tuple)
                     for part in self.users[user]]  # fmt: skip
            return sorted({*users, *parts})
        if at not in self._after:
            found: set[int] = set()
            waiting = [at]
            while waiting:
                new = [user for user in self.users[waiting.pop()] if user not in found]
                found.update(new)
                waiting += new
            self._after[at] = sorted(found)
        return self._after[at]

    def can_run_from(self, at: int, near: bool) -> bool:
        """Whether what depends on an entry can be run again."""
        after = self.after(at, near)
        return self.stuck.isdisjoint(after) and (near or self.changed.isdisjoint(after))

    def cost(self, at: int, near: bool) -> float:
        """How many operations one run takes, large ones counting more."""
        found = [self.values[each] for each in self.after(at, near)]
        sizes = [sum(map(np.size, v)) if isinstance(v, tuple) else np.size(v) for v in found]
        return 1 + sum(1 + size / 4000 for size in sizes)

    def results(self, at: int, value: Array, near: bool) -> list[Array]:
        """The terms of Σ gradient · result, with `value` at an entry."""
        values: dict[int, Any] = {at: np.asarray(value)}
        if near:
            return self._near(at, values)
        layered = _Layered(self.values, values)
        for each in self.after(at, False):
            values[each] = self._run(self.entries[each], layered)
        return [g * layered[root] for root, g in self.starts.items()]

    def _near(self, at: int, changed: dict[int, Any]) -> list[Array]:
        """The terms of what uses an entry, each with nothing else changed."""
        terms = [self.starts[at] * changed[at]] if at in self.starts else []
        for user in self.users[at]:
            result = self._run(self.entries[user], _Layered(self.values, changed))
            outputs = {user: result}
            if isinstance(result, tuple):
                with_it = _Layered(self.values, changed | outputs)
                outputs = {
                    part: self._run(self.entries[part], with_it) for part in self.users[user]
                }
            terms += [self.arrived[e] * each for e, each in outputs.items() if e in self.arrived]
        return terms

    def gradient(self, at: int) -> Array | None:
        """The gradient by the engine's own formulas, in float64."""
        if self._wide is None:
            self._wide = [None] * len(self.entries)
            for root, g in self.starts.items():
                self._wide[root] = g
            for each in reversed(range(len(self.entries))):
                if each in self.changed:
                    self._wide[each] = self.arrived[each]
                self._spread(each, self._wide)
        return self._wide[at]

    def _spread(self, at: int, found: list[Array | None]) -> None:
        entry, g = self.entries[at], found[at]
        if entry.primitive is None or (g is None and entry.primitive.vjp is None):
            return
        values = [self.values[each.entry] if isinstance(each, At) else _wide(each)
                  for each in entry.inputs]  # fmt: skip
        for position, part in own_gradients(entry, g, values, self.values[at]).items():
            source = entry.inputs[position]
            if isinstance(source, At):
                known = found[source.entry]
                found[source.entry] = part if known is None else known + part


class _Layered:
    """Recorded values, with others in place of some."""

    def __init__(self, values: Sequence[Any], others: Mapping[int, Any]) -> None:
        self.values, self.others = values, others

    def __getitem__(self, at: int) -> Any:
        return self.others[at] if at in self.others else self.values[at]


def _wide(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float64)
    return value


def _several(attributes: Mapping[str, Any], given: list[Any]) -> Any:
    """What operations of several outputs, one output of them, and a Function of one's own give."""
    if "keys" in attributes:
        return tuple([given[0][key] for key in attributes["keys"]])
    if "function" not in attributes:
        chosen = given[0]
        return chosen[attributes["position"]] if isinstance(chosen, tuple) else chosen
    function: Any = attributes["function"]
    arguments = [wrap(each) if isinstance(each, np.ndarray) else each for each in given]
    with_context = function.setup_context is Function.setup_context
    with GradMode(False):
        found = function.forward(*([FunctionCtx()] if with_context else []), *arguments)
    return tuple([each._array for each in found]) if isinstance(found, tuple) else found._array
