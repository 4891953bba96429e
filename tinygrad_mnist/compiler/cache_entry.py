"""An entry: a program for one kind of call, where its arrays come from, where its results go."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.codegen.function import literal
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.engine.node import AccumulateGrad, Record
from tinygrad_mnist.engine.tensor import TensorBase, wrap
from tinygrad_mnist.random import default_generator

from .build import Built, Stats, build
from .guards import Reached
from .program import Array, Constant, Draw, Number, Program, Value, replay
from .symbolic import Symbol, SymFloat, evaluate

Arguments = tuple[Any, ...]
Finder = Callable[[Arguments], Any]
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
class CacheEntry:
    """A traced program, and how a call hands it arrays and takes its results."""

    traced: Program
    draws: list[Draw]
    """All that was drawn at random, in order, used or not."""
    reached: Reached
    finders: list[Finder]
    """For each input of the program, the tensor it comes from."""
    has_grad: list[tuple[TensorBase, bool]]
    """Leaves, and whether they have a `.grad` before the call."""
    grads: list[tuple[Finder, Value | None]]
    """Leaves that have another `.grad` after the call: a new tensor, or None."""
    returned: Any
    leaves: list[Symbol]
    """The numbers from outside that the program follows."""
    arguments: int
    """How many of the inputs are arguments; they come first."""
    scattered: list[int]
    """Which inputs do not lie in memory one after the other: they are copied."""
    shared: list[tuple[int, TensorBase]]
    """Arguments that are tensors which the function reaches in another way too."""
    back: CacheEntry | None = None
    """Goes backward from the results, where gradients may be asked for after the call."""
    built: Built | None = None

    def __post_init__(self) -> None:
        try:
            self.built = build(self.traced)
        except Unsupported as missing:
            self.replay_because(f"the operation {missing} cannot be compiled")
        if self.built is not None:
            source = self.built.source
            self.numbers = np.array([literal(v) for v in source.numbers], np.float64)
            self.expressions = [
                (n, v.number.expression)
                for n, v in enumerate(source.numbers)
                if isinstance(v, Number) and isinstance(v.number, SymFloat)
            ]
        self.values = [leaf.value for leaf in self.leaves]
        self.conditions = [condition for leaf in self.leaves for condition in leaf.conditions]
        self.checked: list[Array] = []
        """The arrays besides arguments that were found to fit; kept, so that none takes the
        place of another in memory unseen."""
        self.written = sorted({target.position for target, _ in self.traced.writes})
        self.owners: set[int] = set()
        """Whose memory is written, by identity, where no argument is."""
        self.others = [] if self.built is None else self.built.source.others
        self.results = tuple(self.traced.results)
        self.shapes = [(value.shape, value.dtype) for value in self.results]

    @property
    def program(self) -> Program:
        """The instructions, after all passes; `print` shows a table."""
        return self.traced if self.built is None else self.built.program

    @property
    def source(self) -> str:
        """The Numba source; empty where the program is replayed."""
        return "" if self.built is None else self.built.source.text

    @property
    def stats(self) -> Stats:
        """Instructions before and after, temporaries and their bytes, seconds."""
        return Stats() if self.built is None else self.built.stats

    def replay_because(self, reason: str) -> None:
        """Compute instruction by instruction from now on, and say why."""
        self.built = None
        warnings.warn(
            f"compile: {reason}; the program is replayed with NumPy instead",
            UserWarning,
            stacklevel=5,
        )

    def arrays(self, tensors: list[Any]) -> list[Array] | None:
        """The arrays of a call like the traced one; None for a call that is not."""
        if not self.reached.guards.hold():
            return None
        for leaf, present in self.has_grad:
            record: Any = leaf._record
            if record is None or (record.grad is not None) is not present:
                return None
        found = [tensor._array for tensor in tensors]
        for position, tensor in self.shared:
            if found[position] is not tensor._array:
                return None
        for position in self.scattered:
            found[position] = np.ascontiguousarray(found[position])
        kept = found[self.arguments :]
        if len(kept) != len(self.checked) or any(map(operator.is_not, kept, self.checked)):
            if not all(map(_fits, self.traced.inputs, found)):
                return None
            self.checked = kept
            self.owners = {_owner(found[position]) for position in self.written}
        if not self.written:
            return found
        if self.written[0] < self.arguments:
            return None if self._overlap(found) else found
        for array in found[: self.arguments]:
            base = array.base
            if id(array if base is None else base) in self.owners:
                return None
        return found

    def _overlap(self, arrays: list[Array]) -> bool:
        """Whether an argument shares memory with another array, and one of them is written."""
        owners = [_owner(array) for array in arrays]
        pairs = [(n, written) for n in range(self.arguments) for written in self.written]
        return any(n != written and owners[n] == owners[written] for n, written in pairs)

    def numbers_now(self, arguments: Arguments) -> Array | None:
        """The program's numbers for this call; None where it cannot follow those from outside."""
        values = [leaf.read(arguments) for leaf in self.leaves]
        if values == self.values:
            return self.numbers
        for leaf, now, before in zip(self.leaves, values, self.values, strict=True):
            if now != before and not leaf.trusted:
                return None
        for function, left, right, outcome in self.conditions:
            if function(evaluate(left, values), evaluate(right, values)) is not outcome:
                return None
        return self.predicted(values)

    def predicted(self, values: list[float]) -> Array:
        """The program's numbers where those from outside have these values."""
        numbers = self.numbers.copy()
        for n, expression in self.expressions:
            numbers[n] = evaluate(expression, values)
        return numbers

    def learn(self, earlier: CacheEntry) -> None:
        """Trust the numbers that changed since an earlier trace, if it predicted this one."""
        if not self.same_source(earlier) or len(self.leaves) != len(earlier.leaves):
            return
        if not np.array_equal(earlier.predicted(self.values), self.numbers):
            return
        for leaf, known in zip(self.leaves, earlier.leaves, strict=True):
            leaf.trusted = leaf.value != known.value or known.trusted

    def same_source(self, other: CacheEntry) -> bool:
        """Whether two entries run the same code."""
        mine, others = self.built, other.built
        return mine is not None and others is not None and mine.source.text == others.source.text

    def run(self, arguments: Arguments) -> tuple[bool, Any]:
        """Run the program: whether it could, and what the function returns."""
        try:
            tensors = [find(arguments) for find in self.finders]
            inputs = self.arrays(tensors)
        except AttributeError:  # a gradient that was there is gone
            return False, None
        if inputs is None:
            return False, None
        compute = self._replayed if self.built is None else self._computed
        found = compute(inputs, arguments)
        if found is None:
            return False, None
        for position in self.written:
            tensors[position]._counter[0] += 1
        for find, value in self.grads:
            leaf_record(find(arguments)).grad = None if value is None else wrap(found[value])
        found = self.recorded(found, tensors, arguments)
        return True, self._filled(self.returned, found, arguments)

    def recorded(
        self, found: dict[Value, Any], tensors: list[Any], arguments: Arguments
    ) -> dict[Value, Any]:
        """The results, where they need no record of their own."""
        return found

    def _computed(self, inputs: list[Array], arguments: Arguments) -> dict[Value, Any] | None:
        """The results of the compiled function; None where it is not for these arguments."""
        assert self.built is not None
        numbers = self.numbers_now(arguments)
        if numbers is None:
            return None
        generator = default_generator.get_state() if self.draws else None
        if self.others or self.draws:
            drawn = {value: draw(value) for value in self.draws}
            inputs += [drawn[v] if isinstance(v, Draw) else v.array for v in self.others]
        made = [np.empty(shape, dtype) for shape, dtype in self.shapes]
        if self.built.function(*inputs, numbers, *made) < 0:
            return dict(zip(self.results, made))  # noqa: B905  (of one length, made of each other)
        if generator is not None:
            default_generator.set_state(generator)
        return None

    def _filled(self, returned: Any, found: dict[Value, Any], arguments: Arguments) -> Any:
        """What the function returned, with this call's tensors and numbers in it."""
        if isinstance(returned, Result):
            if returned.given is not None:
                return returned.given(arguments)
            result = found[returned.value]
            if not isinstance(result, TensorBase):
                result = wrap(result)
                result._record = returned.record
            return result
        if isinstance(returned, SymFloat):
            values = [leaf.read(arguments) for leaf in self.leaves]
            return float(evaluate(returned.expression, values))
        if isinstance(returned, tuple | list):
            parts = [self._filled(part, found, arguments) for part in returned]
            return collected(returned, parts)
        if isinstance(returned, dict):
            return {key: self._filled(part, found, arguments) for key, part in returned.items()}
        return returned

    def _replayed(self, inputs: list[Array], arguments: Arguments) -> dict[Value, Any] | None:
        """The results, computed instruction by instruction.

        None where the numbers are not the same, or where an operation raises: the function then
        runs as usual, and raises what it always raises.
        """
        if [leaf.read(arguments) for leaf in self.leaves] != self.values:
            return None
        generator = default_generator.get_state()
        known: dict[Value, Any] = dict(zip(self.traced.inputs, inputs, strict=True))
        known |= {constant: constant.array for constant in self.traced.read(Constant)}
        known |= {value: draw(value) for value in self.draws}
        try:
            replay(self.traced, known)
        except (IndexError, RuntimeError, ValueError):
            default_generator.set_state(generator)
            return None
        results = {value: np.array(known[value]) for value in self.traced.results}
        written = [(known[target], known[value].copy()) for target, value in self.traced.writes]
        for array, numbers in written:
            array[...] = numbers
        return results


def _fits(given: Value, array: Array) -> bool:
    """Whether an array can be what the program takes."""
    alike = array.shape == given.shape and array.dtype == given.dtype
    return bool(alike and array.flags.c_contiguous)


def _owner(array: Array) -> int:
    """The identity of what owns an array's memory."""
    base = array.base
    return id(array if base is None else base)


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


def collected(like: Any, parts: list[Any]) -> Any:
    """These parts in a tuple, a list or a named tuple, as `like` is."""
    kind = type(like)
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
