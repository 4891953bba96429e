"""The gradients of a pass held against PyTorch's, and against central differences.

A central difference needs no formula: the recorded computation runs again in float64 from one node
on, its numbers a little larger and a little smaller, and the results' difference is the slope.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.explainer.passes import Check, Node, Pass
from tinygrad_mnist.tools.parity.ulp import ulp_difference
from tinygrad_mnist.tools.replay import At, Entry, Replayed, gradients, own_gradients

from .again import Again

__all__ = ["against_differences", "against_pytorch", "entries_of", "starts_of"]

_ULP = 64
"""Units of the last place of the largest gradient that two orders of summation may differ by."""
_ALL, _CHOSEN = 16, 8
"""Of so many elements at most each is tried; of more, so many, and one random direction."""
_RUNS = 60_000
"""So many operations at most are run again, one of 4,000 numbers counting twice."""
_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
_TINY = float(np.finfo(np.float64).tiny)
_FINER = 40
"""So many smaller steps at most are tried where the gradient is not the slope."""
_TOLERANCE = {"float32": 1e-3, "float64": 1e-5}
"""Of the largest gradient, by the type of the pass: its own rounding, not that of the slopes."""


def entries_of(found: Pass) -> list[Entry]:
    """The operations of a pass, and what they began with, as they can be run again."""
    given: dict[int, dict[int, Array]] = {}
    for step in found.steps:
        node = found.nodes[step.node]
        by_edge = _by_edge(node)
        at = {edge.argument: place for place, edge in enumerate(node.inputs)}
        given[step.node] = given.get(step.node, {}) | {
            at[p.argument] if by_edge else p.position: p.array for p in step.contributions
        }
    return [
        Entry(node.primitive, _inputs(node, found.nodes), node.settings, node.value,
              given.get(node.id, {}))
        for node in found.nodes
    ]  # fmt: skip


def _inputs(node: Node, nodes: Sequence[Node]) -> tuple[Any, ...]:
    """For each input of the operation where it comes from; None for what was none."""
    op = node.primitive
    if op is None:
        return ()
    if _by_edge(node):
        return tuple([_end(nodes[edge.node]) for edge in node.inputs])
    ends = {edge.argument: _end(nodes[edge.node]) for edge in node.inputs}
    return tuple([ends.get(name) for name in op.inputs])


def _by_edge(node: Node) -> bool:
    """Whether the operation takes as many inputs as it is given, of no names of its own."""
    op, names = node.primitive, {edge.argument for edge in node.inputs}
    return op is not None and (
        op.variadic or len(names) != len(node.inputs) or not names <= set(op.inputs)
    )


def _end(node: Node) -> Any:
    """A number as itself, any other node by its place."""
    value = node.value if node.kind == "constant" and node.name is None else None
    number = value is not None and value.ndim == 0 and value.dtype != bool
    return value.item() if value is not None and number else At(node.id)


def starts_of(found: Pass) -> dict[int, Array]:
    """The gradients that the pass began with, by node, those from what is left out among them."""
    reached = {part.to for step in found.steps for part in step.contributions}
    return found.starts | {
        node.id: node.gradient.array
        for node in found.nodes
        if node.gradient is not None and node.id not in reached | found.starts.keys()
    }


def _changed(found: Pass) -> dict[int, Array]:
    """The gradients that hooks changed, as they left them, by node."""
    return {
        node.id: node.gradient.array
        for node in found.nodes
        if node.gradient is not None and node.gradient.before is not None
    }


# PyTorch


def against_pytorch(found: Pass) -> None:
    """Hold each gradient of a pass against PyTorch's; nothing where PyTorch is not installed."""
    with np.errstate(all="ignore"):
        _against_pytorch(found)


def _against_pytorch(found: Pass) -> None:
    entries, starts = entries_of(found), starts_of(found)
    reached = [node for node in found.nodes if node.gradient is not None]
    try:
        checks = _all_compared(reached, entries, gradients(entries, starts, _changed(found)))
    except ModuleNotFoundError:
        return
    if not all(check.ok for check in checks.values()):
        ours = {node.id: node.gradient.array for node in reached if node.gradient is not None}
        alone = _all_compared(reached, entries, gradients(entries, starts, ours))
        if all(check.ok for check in alone.values()):
            checks |= {at: replace(alone[at], note=_GROWN) for at, c in checks.items() if not c.ok}
    for node in reached:
        assert node.gradient is not None
        node.gradient.pytorch = checks[node.id]


_CHANGED = "before a hook changed it"
_GROWN = "step by step: on the way back, differences of roundings grow"


def _all_compared(
    nodes: Sequence[Node], entries: Sequence[Entry], replayed: Replayed
) -> dict[int, Check]:
    """The checks of all nodes, by their ids."""
    checks = {}
    for node in nodes:
        assert node.gradient is not None
        before = node.gradient.before
        ours = node.gradient.array if before is None else before
        check = _compared(ours, replayed, node.id)
        if not check.ok:
            terms = _of_users(entries, nodes, node.id, ours.dtype, absolute=True)
            check = _compared(ours, replayed, node.id, _largest(terms))
        if not check.ok and math.isfinite(check.largest):
            moved = _rounding(entries, nodes, node.id, node.gradient.array.dtype)
            check = replace(check, ok=check.ulp is not None and check.largest <= 16 * moved)
        if before is not None:
            told = [_CHANGED, check.note] if check.note else [_CHANGED]
            check = replace(check, note="; ".join(told))
        checks[node.id] = check
    return checks


def _of_users(
    entries: Sequence[Entry], nodes: Sequence[Node], at: int, kind: Any, absolute: bool = False
) -> Array:
    """The gradient of a node by the formulas of what uses it, computed in a type."""
    total: Array = np.zeros((), kind)
    for user in nodes:
        entry = entries[user.id]
        places = [place for place, each in enumerate(entry.inputs) if each == At(at)]
        if places and user.gradient is not None:
            given = [entries[e.entry].output if isinstance(e, At) else e for e in entry.inputs]
            values = [_in_type(each, kind) for each in given]
            g, output = _in_type(user.gradient.array, kind), _in_type(entry.output, kind)
            found = own_gradients(entry, g, values, output, absolute)
            total = total + sum(found.get(place, 0.0) for place in places)
    return total


def _in_type(value: Any, kind: Any) -> Any:
    is_floating = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(kind) if is_floating else value


def _rounding(entries: Sequence[Entry], nodes: Sequence[Node], at: int, kind: Any) -> float:
    """How much the rounding of a type moves a gradient: the formulas in float32 and in float64."""
    narrow, wide = (_of_users(entries, nodes, at, each) for each in (np.float32, np.float64))
    finer = float(np.finfo(kind).eps / np.finfo(np.float32).eps)
    return _largest(np.asarray(narrow - wide)) * finer


def _compared(ours: Array, replayed: Replayed, at: int, scale: float = 0.0) -> Check:
    theirs, behind = replayed.gradients[at], replayed.behind[at]
    note = None
    if behind:
        note = f"PyTorch has no counterpart of {', '.join(behind)}: its part is as it was recorded"
    if theirs is None:
        theirs = np.zeros_like(ours)
    if theirs.shape != ours.shape:
        return Check(False, None, math.inf, ours.size, f"PyTorch's has the shape {theirs.shape}")
    largest = np.asarray(max(_largest(theirs), scale))
    apart = ulp_difference(ours, theirs.astype(ours.dtype), largest)
    worst = float(apart.max(initial=0))
    return Check(worst <= _ULP, worst if math.isfinite(worst) else None,
                 _largest(ours - theirs), ours.size, note)  # fmt: skip


def _largest(array: Array) -> float:
    """The largest magnitude of what is finite."""
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


# Central differences


def against_differences(found: Pass, runs: int = _RUNS) -> None:
    """Hold the gradients of a pass against central differences.

    From the leaves on, and as far as `runs` allows from other nodes, all that depends on them is
    run again; else what uses them, the gradients there taken as right. Kinks, where the slopes to
    both sides differ, count as right if the gradient lies between these, and are told in the note;
    so is where nothing can be told, which counts as no element.
    """
    with np.errstate(all="ignore"):
        _against_differences(found, runs)


def _against_differences(found: Pass, runs: int) -> None:
    again = Again(entries_of(found), starts_of(found), found.nodes)
    left = float(runs)
    for node in sorted(found.nodes, key=lambda node: not node.is_leaf):
        if node.gradient is None or not isinstance(again.values[node.id], np.ndarray):
            continue
        if node.gradient.before is not None:
            node.gradient.differences = Check(True, None, 0.0, 0, "a hook changed it: no slope")
            continue
        size = node.gradient.array.size
        tries = size if size <= _ALL else _CHOSEN + 1
        far = [(tries, False), (1, False)] if node.is_leaf else [(tries, False)]
        for times, near in (*far, (tries, True)):
            cost = 3 * times * again.cost(node.id, near)
            if again.can_run_from(node.id, near) and (near or cost <= left / 4):
                node.gradient.differences = _Tried(again, node, times, near).check()
                left -= cost
                break


class _Tried:
    """One gradient against the slopes in some directions."""

    def __init__(self, again: Again, node: Node, tries: int, near: bool) -> None:
        self.again, self.at, self.near = again, node.id, near
        self.value: Array = again.values[node.id]
        assert node.gradient is not None
        self.gradient: Array = node.gradient.array.astype(np.float64)
        self.tolerance = _TOLERANCE.get(node.dtype, 1e-3) * _largest(self.gradient)
        self.here = self._terms(self.value)
        self.size = sum(float(np.abs(term[np.isfinite(term)]).sum()) for term in self.here)
        self.tries = tries
        self.worst = 0.0
        self.kinks = self.wrong = self.rounded = self.endless = self.undefined = self.coarse = 0

    def check(self) -> Check:
        """What came of all directions."""
        size = self.value.size
        if self.tries == size:
            places = list(range(size))
        else:
            largest = int(np.argmax(np.abs(np.nan_to_num(self.gradient))))
            spread = np.linspace(0, size - 1, max(self.tries - 2, 0)).astype(int).tolist()
            places = sorted({largest, *spread}) if self.tries > 1 else []
            self._try(np.asarray(np.random.default_rng(0).uniform(-1, 1, self.value.shape)))
        for place in places:
            direction = np.zeros(size)
            direction[place] = 1
            self._try(direction.reshape(self.value.shape))
        count = len(places) + (self.tries != size) - self.endless - self.coarse
        return Check(not self.wrong, None, self.worst, count, self._note(size, len(places)))

    def _note(self, size: int, elements: int) -> str | None:
        told = ["through what uses it"] if self.near else []
        if elements < size:
            told.append(f"{elements} of {size} elements and one random direction")
        if self.kinks:
            told.append(f"at {self.kinks} the slopes to both sides differ")
        if self.endless:
            told.append(f"at {self.endless} there is no slope: not all numbers are finite")
        if self.coarse:
            told.append(f"at {self.coarse} differences are too coarse to tell")
        if self.undefined:
            told.append(f"at {self.undefined} the gradient is not finite, though there is a slope")
        if self.rounded:
            told.append("rounding: in float64 the formulas hold")
        return "; ".join(told) or None

    def _try(self, direction: Array) -> None:
        step = _STEP * float(np.median(self._sizes(direction)))
        tried = self._slope(direction, step)
        if not math.isfinite(tried.slope) or not (tried.is_whole or math.isfinite(tried.found)):
            self.endless += 1
        elif not self._holds(tried, direction):
            self.undefined += not math.isfinite(tried.found)
            if math.isfinite(tried.found) and not tried.is_whole:
                self.endless += 1  # what is no number may hide the difference
                return
            finer = self._finer(direction, tried) if math.isfinite(tried.found) else tried
            if finer is None:
                self.coarse += 1
            elif not self._holds(finer, direction):
                self.wrong += 1
                apart = abs(finer.found - finer.slope)
                self.worst = max(self.worst, apart if math.isfinite(apart) else 0.0)

    def _sizes(self, direction: Array) -> Any:
        """How large the numbers are that are changed; of zeros, how large all are."""
        for values in (self.value[direction != 0], self.value):
            sizes = np.abs(values[np.isfinite(values) & (values != 0)])
            if sizes.size:
                return sizes
        return np.ones(1)

    def _terms(self, value: Array) -> list[Array]:
        return [np.asarray(term) for term in self.again.results(self.at, value, self.near)]

    def _slope(self, direction: Array, step: float) -> _Slope:
        higher, lower = self.value + step * direction, self.value - step * direction
        above, here, below = self._terms(higher), self.here, self._terms(lower)
        moved = (higher - lower) / (2 * step)
        moved = np.where(np.isfinite(moved), moved, direction)
        return _Slope(
            step,
            _apart(above, below) / (2 * step),
            _along(self.gradient, moved),
            _apart(above, here) / step,
            _apart(here, below) / step,
            64 * float(np.finfo(np.float64).eps) * self.size / step,
            all(np.isfinite(term).all() for term in (*above, *here, *below)),
        )

    def _holds(self, tried: _Slope, direction: Array) -> bool:
        """Whether the gradient is the slope, or between those to both sides of a kink."""
        allowed = self.tolerance * math.sqrt(float(np.abs(direction).sum())) + tried.noise
        apart = abs(tried.found - tried.slope)
        if apart <= allowed:
            self.worst = max(self.worst, apart)
            return True
        up, down = tried.up, tried.down
        between = min(up, down) - allowed <= tried.found <= max(up, down) + allowed
        if between and abs(up - down) > allowed:
            self.kinks += 1
            return True
        exact = self.again.gradient(self.at)
        close = 1e-2 * allowed + tried.noise
        if exact is not None and abs(_along(exact, direction) - tried.slope) <= close:
            self.rounded += 1
            self.worst = max(self.worst, apart if math.isfinite(apart) else 0.0)
            return True
        return False

    def _finer(self, direction: Array, tried: _Slope) -> _Slope | None:
        """The slope of a step so small that a smaller one changes nothing; None: there is none.

        The first fits the smallest numbers, unless the results' rounding would hide the slope.
        """
        most = max(self.tolerance, 0.1 * abs(tried.found)) or _TINY
        step = max(_STEP * float(self._sizes(direction).min()), 8 * tried.noise * tried.step / most)
        if step < tried.step:
            tried = self._slope(direction, step)
        for _ in range(_FINER):
            finer = self._slope(direction, tried.step / 4)
            if finer.noise > max(self.tolerance, 0.1 * abs(finer.found)):
                return None
            if abs(finer.slope - tried.slope) <= 1e-3 * abs(finer.slope) + finer.noise:
                return finer
            tried = finer
        return None


@dataclass(frozen=True)
class _Slope:
    """What steps of one size along a direction, and against it, show."""

    step: float
    slope: float
    found: float
    """The gradient along what was changed."""
    up: float
    down: float
    noise: float
    """By how much the rounding of the results may change the slope."""
    is_whole: bool
    """Whether all results are finite."""


def _along(gradient: Array, direction: Array) -> float:
    """The gradient in a direction, of what changes in it."""
    return float(np.sum(np.where(direction != 0, gradient * direction, 0.0)))


def _apart(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The sum of all differences; two that are NaN, or infinite alike, do not differ."""
    total = 0.0
    for a, b in zip(ours, theirs, strict=True):
        same = (a == b) | ((a != a) & (b != b))
        total += float(np.sum(np.where(same, 0.0, a - b)))
    return total
