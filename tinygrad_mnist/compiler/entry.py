"""An entry: a program for one kind of call, where its arrays come from, where its results go."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.record import AccumulateGrad, Record, TensorBase, wrap

from .build import Built, build
from .capture import Reached
from .live import Leaf, Live, evaluate
from .program import Array, Constant, Draw, Input, Number, Program, Value
from .replay import replay
from .source import Unsupported, literal

Arguments = tuple[Any, ...]
Finder = Callable[[Arguments], TensorBase]
"""Finds a tensor, given the arguments of a call."""


@dataclass(frozen=True)
class Result:
    """Stands for a tensor in what the function returned: the value that takes its place."""

    value: Value
    given: Finder | None
    """For a tensor that came from outside: where it is found."""
    record: Record | None = None
    """The record of the traced tensor, its saved values released: every call's result shows it."""


@dataclass
class Entry:
    """A traced program, and how a call hands it arrays and takes its results."""

    traced: Program
    reached: Reached
    finders: list[Finder]
    """For each input of the program, the tensor it comes from."""
    grads: list[tuple[TensorBase, Value | None]]
    """Leaves that have another `.grad` after the call: a new tensor, or None."""
    absent_grads: list[TensorBase]
    """Leaves that have no `.grad` before the call."""
    returned: Any
    leaves: list[Leaf]
    """The numbers from outside that the program follows."""
    built: Built | None = None

    def __post_init__(self) -> None:
        try:
            self.built = build(self.traced)
        except Unsupported as missing:
            warnings.warn(
                f"compile: the operation {missing} cannot be compiled; the program is replayed "
                "with NumPy instead",
                UserWarning,
                stacklevel=4,
            )
        if self.built is not None:
            source = self.built.source
            self.numbers = np.array([literal(v) for v in source.numbers], np.float64)
            self.expressions = [
                (n, v.number.expression)
                for n, v in enumerate(source.numbers)
                if isinstance(v, Number) and isinstance(v.number, Live)
            ]
            self.read = [self._reader(v) for v in source.arrays]
        self.values = [leaf.value for leaf in self.leaves]
        written = {target for target, _ in self.traced.writes}
        self.written = [self.finders[i.position] for i in self.traced.inputs if i in written]
        self.draws = self.traced.read(Draw)

    def _reader(self, value: Value) -> Callable[[Arguments], Array]:
        if isinstance(value, Input):
            find = self.finders[value.position]
            return lambda arguments: find(arguments)._array
        if isinstance(value, Draw):
            return lambda arguments: draw(value)
        assert isinstance(value, Constant)
        return lambda arguments: value.array

    def holds(self) -> bool:
        """Whether nothing changed that the program depends on."""
        if not all(guard.holds() for guard in self.reached.guards):
            return False
        return all(leaf_record(leaf).grad is None for leaf in self.absent_grads)

    def followed(self, arguments: Arguments) -> bool:
        """Whether the program can follow the numbers from outside to what they are now."""
        values = [leaf.read(arguments) for leaf in self.leaves]
        if values == self.values:
            return True
        for leaf, now, before in zip(self.leaves, values, self.values, strict=True):
            if now != before and not leaf.trusted:
                return False
        conditions = [condition for leaf in self.leaves for condition in leaf.conditions]
        for function, left, right, outcome in conditions:
            if function(evaluate(left, values), evaluate(right, values)) is not outcome:
                return False
        if self.built is None:
            return False
        self.values = values
        self.numbers = self.foretold(values)
        return True

    def foretold(self, values: list[float]) -> Array:
        """The program's numbers where those from outside have these values."""
        numbers = self.numbers.copy()
        for n, expression in self.expressions:
            numbers[n] = evaluate(expression, values)
        return numbers

    def learn(self, earlier: Entry) -> None:
        """Trust the numbers that changed since an earlier trace, if it foretold this one."""
        if self.built is None or earlier.built is None or len(self.leaves) != len(earlier.leaves):
            return
        same = self.built.source.text == earlier.built.source.text
        if not same or not np.array_equal(earlier.foretold(self.values), self.numbers):
            return
        for leaf, known in zip(self.leaves, earlier.leaves, strict=True):
            leaf.trusted = leaf.value != known.value or known.trusted

    def run(self, arguments: Arguments) -> tuple[bool, Any]:
        """Run the program: whether it could, and what the function returns."""
        if self.built is None:
            found = self._replay(arguments)
        else:
            made = [np.empty(v.shape, v.dtype) for v in self.traced.results]
            arrays = [read(arguments) for read in self.read]
            if self.built.function(*arrays, self.numbers, *made) >= 0:
                return False, None
            found = dict(zip(self.traced.results, made, strict=True))
        for find in self.written:
            find(arguments)._counter[0] += 1
        for leaf, value in self.grads:
            leaf_record(leaf).grad = None if value is None else wrap(found[value])
        return True, _filled(self.returned, found, arguments)

    def _replay(self, arguments: Arguments) -> dict[Value, Any]:
        known: dict[Value, Any] = {}
        for given in self.traced.inputs:
            known[given] = self.finders[given.position](arguments)._array
        known |= {constant: constant.array for constant in self.traced.read(Constant)}
        known |= {value: draw(value) for value in self.draws}
        replay(self.traced, known)
        results = {value: known[value].copy() for value in self.traced.results}
        for target, value in self.traced.writes:
            known[target][...] = known[value]
        return results


def draw(value: Draw) -> Array:
    """Draw the numbers anew."""
    numbers = np.empty(value.attributes["shape"], value.attributes["dtype"])
    value.attributes["fill"](numbers)
    return numbers


def leaf_record(leaf: Any) -> AccumulateGrad:
    """The record that gathers a leaf's gradient."""
    record = leaf._record
    assert isinstance(record, AccumulateGrad)
    return record


def _filled(returned: Any, found: dict[Value, Any], arguments: Arguments) -> Any:
    """What the function returned, with this call's tensors in it."""
    if isinstance(returned, Result):
        if returned.given is not None:
            return returned.given(arguments)
        result = wrap(found[returned.value])
        result._record = returned.record
        return result
    if isinstance(returned, tuple | list):
        parts = [_filled(part, found, arguments) for part in returned]
        return parts if isinstance(returned, list) else tuple(parts)
    if isinstance(returned, dict):
        return {key: _filled(part, found, arguments) for key, part in returned.items()}
    return returned
