"""A backward pass, record by record: how much gradient came, what went on, and where it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.backward_pass import add, vjp
from tinygrad_mnist.engine.hooks import Bundle, Gradient, Gradients
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.node import FREED, AccumulateGrad, Record
from tinygrad_mnist.engine.tensor import TensorBase

from .findings import Finding, called, why_not_finite, why_zero
from .reason import Line


class Amount(NamedTuple):
    """How much gradient there is."""

    size: int
    zeros: int
    bad: int
    """How many are NaN or infinite."""
    largest: float
    """The largest size of a finite one."""

    @property
    def all_zero(self) -> bool:
        """Whether nothing is left of it."""
        return self.zeros == self.size


def arrays_of(gradient: Gradient) -> list[Array]:
    """The arrays of a gradient: several for an operation of several outputs."""
    parts: Iterable[Any] = gradient.values() if isinstance(gradient, Bundle) else (gradient,)
    return [part._array if isinstance(part, TensorBase) else np.asarray(part) for part in parts]


def amount(gradient: Gradient) -> Amount:
    """How much gradient a tensor, an array or a bundle holds."""
    size, zeros, bad, largest = 0, 0, 0, 0.0
    for array in arrays_of(gradient):
        finite = np.isfinite(array)
        size += array.size
        zeros += array.size - int(np.count_nonzero(array))
        bad += array.size - int(np.count_nonzero(finite))
        if array.size:
            largest = max(largest, float(np.max(np.abs(array), where=finite, initial=0)))
    return Amount(size, zeros, bad, largest)


class Visit:
    """What the pass did at a record."""

    __slots__ = ("arrived", "findings", "given", "record")

    def __init__(self, record: Record, arrived: Amount) -> None:
        self.record, self.arrived = record, arrived
        self.given: dict[int, Amount] = {}
        """What went on to the input of each position."""
        self.findings: dict[int, Finding] = {}
        """Why what went on is zero, or not finite, where what arrived was not."""


class Walk:
    """A backward pass that was heard, or was made to find out."""

    def __init__(
        self,
        order: Iterable[Record],
        running: Any = None,
        line: Line | None = None,
        by_grad: bool = False,
        when: int = 0,
    ) -> None:
        self.order = list(order)
        """The records that lead up to where it started, newest first."""
        self.running, self.line, self.by_grad = running, line, by_grad
        """The engine's own note of it; the line that asked for it, and if by `autograd.grad`."""
        self.when = when
        """How many calls were remembered before."""
        self.failure: tuple[Record, str, Line | None] | None = None
        """At which record an error ended the pass, what it says, and where, if so, what the record
        had saved was changed in place."""
        self.visits: dict[Record, Visit] = {}
        self.added: set[Record] = set()
        """The leaves whose `.grad` held something before."""
        self._consumers: dict[Record, list[tuple[Record, int]]] | None = None

    @property
    def root(self) -> Record:
        """Where the pass started; the newest, if there were several."""
        return self.order[0]

    def note(self, record: Record, gradient: Gradient, found: Gradients) -> None:
        """Note a visit."""
        visit = self.visits[record] = Visit(record, amount(gradient))
        for position, result, _ in found:
            source: Any = record.inputs[position]
            visit.given[position] = given = amount(result)
            before = source.grad if isinstance(source, AccumulateGrad) else None
            if before is not None and np.any(before._array):
                self.added.add(source)
            if given.bad and not visit.arrived.bad:
                visit.findings[position] = found_by(
                    why_not_finite, record, position, gradient, result
                )
            elif _lost(given, visit.arrived):
                visit.findings[position] = found_by(why_zero, record, position, gradient, result)

    @property
    def consumers(self) -> dict[Record, list[tuple[Record, int]]]:
        """For each record those that use it, and as which input."""
        if self._consumers is None:
            self._consumers = {}
            for record in self.order:
                for position, source in enumerate(record.inputs):
                    if source is not None:
                        self._consumers.setdefault(source, []).append((record, position))
        return self._consumers

    def into(self, record: Record) -> list[tuple[Visit, int, Amount]]:
        """What arrived at a record: from which visit, as which input, how much."""
        return [
            (visit, position, visit.given[position])
            for consumer, position in self.consumers.get(record, ())
            if (visit := self.visits.get(consumer)) is not None and position in visit.given
        ]


def found_by(find: Callable[..., Finding], record: Record, *what: Any) -> Finding:
    """What `find` makes of it; the pass that is explained goes on in any case."""
    try:
        return find(record, *what)
    except Exception as error:
        text = f"{called(record)} did this ({type(error).__name__} as it was looked at)"
        return Finding("unknown", text, None)


def _lost(given: Amount, arrived: Amount) -> bool:
    """Whether a larger part is zero than of what arrived."""
    return given.zeros * max(arrived.size, 1) > arrived.zeros * max(given.size, 1)


def is_freed(order: Iterable[Record]) -> bool:
    """Whether a backward pass has freed what it needs."""
    for record in order:
        context = record.attributes.get("ctx") if record.attributes else None
        if record.saved is FREED or (context is not None and context._saved is None):
            return True
    return False


def changed_in_place(record: Record) -> Array | None:
    """What a record saved and was changed in place since, if anything was."""
    for saved in record.saved:
        if saved is not None and saved[1][0] != saved[2]:
            array: Array = saved[0]
            return array
    return None


class Again(threading.local):
    """The passes that were made to answer a question: each once, however many tensors ask."""

    def __init__(self) -> None:
        self.walks: dict[Record, Walk | None] = {}


again = Again()


def walk_again(root: Record) -> Walk | None:
    """`made_again`, kept until the question is answered."""
    if root not in again.walks:
        again.walks[root] = made_again(root)
    return again.walks[root]


def made_again(root: Record) -> Walk | None:
    """A backward pass from a record with 1, which changes nothing; None where it is freed.

    Hooks are not called; the backward of a `Function` is. None, too, where it fails.
    """
    order = topological_order([root])
    if is_freed(order):
        return None
    walk = Walk(order)
    pending: dict[Record, Gradient] = {root: np.ones(root.shape, root.dtype)}
    owned: set[Record] = set()
    with GradMode(False), np.errstate(all="ignore"):
        for record in order:
            gradient = pending.pop(record, None)
            if gradient is None or isinstance(record, AccumulateGrad):
                continue
            try:
                found = vjp(record, gradient, None)
            except Exception:  # of a Function, or of numbers that were overwritten
                return None
            walk.note(record, gradient, found)
            for position, result, fresh in found:
                source = record.inputs[position]
                assert source is not None
                add(pending, owned, source, result, fresh)
    walk.added.clear()
    return walk
