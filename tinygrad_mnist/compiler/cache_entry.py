"""A cache entry: a program for one kind of call, its guards, where its results go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.codegen.function import literal
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.engine.node import AccumulateGrad
from tinygrad_mnist.engine.tensor import wrap
from tinygrad_mnist.random import default_generator

from .any_size import Refused, build, guarded
from .background import Later
from .build import Built, Stats
from .inputs import Arguments, Finder, Inputs
from .program import IGNORES, Array, Constant, Draw, Program, Value, interpret
from .reached import Reached
from .results import fill, in_order
from .symbolic import Numbers, Symbol


class Declined(Exception):
    """A program met a number that it is not for, or is not compiled yet.

    Nothing is changed, the function runs as usual.
    """


@dataclass
class CacheEntry:
    """A traced program, and how a call hands it arrays and takes its results."""

    traced: Program
    inputs: Inputs
    returned: Any
    symbols: Sequence[Symbol]
    """The numbers from outside that the program follows."""
    reached: Reached = field(default_factory=Reached)
    draws: list[Draw] = field(default_factory=list)
    """All that was drawn at random, in order, used or not."""
    grads: list[tuple[Finder, Value | None]] = field(default_factory=list)
    """Leaves that have another `.grad` after the call: a new tensor, or None."""
    orders: dict[Value, tuple[int, ...]] = field(default_factory=dict)
    """How the dimensions of results lie in memory, where that is not one row after the other."""
    back: CacheEntry | None = None
    """Goes backward from the results, where gradients may be asked for after the call."""
    built: Built | None = None

    def __post_init__(self) -> None:
        self.numbers = Numbers(self.symbols)
        self.others: list[Constant | Draw] = []
        self.loop: object = None
        """What `scan` keeps of it."""
        self._step: Callable[..., int] | None = None
        """The code for arrays as those of the first call."""
        self.notice = ""
        """Why the program is replayed, if it is."""
        try:
            self.built = build(self.traced)
        except Refused:
            raise
        except Unsupported as missing:
            self.interpret_because(f"the operation {missing} cannot be compiled")
        except Exception as error:
            self.interpret_because(f"it cannot be compiled ({first_line(error)})")
        if self.built is not None:
            self.numbers.set_program([literal(value) for value in self.built.source.numbers])
            self.others = self.built.source.others
            self.reached = guarded(self.built, self.reached)
        self.results = tuple(self.traced.results)
        self.shapes = [(value.shape, value.dtype) for value in self.results]
        losses = [i for i in self.traced.instructions if i.op == "nll_loss"]
        self.declined = False
        self.strict = any(IGNORES not in i.attributes for i in losses)
        """Whether a program for labels that a loss ignores may be another one."""

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

    def interpret_because(self, reason: str) -> None:
        """Compute instruction by instruction from now on."""
        self.built = self._step = None
        self.notice = f"compile: {reason}; the program is replayed with NumPy instead"

    def learn(self, earlier: CacheEntry) -> None:
        """Trust the numbers that changed since an earlier trace, if it predicted this one."""
        if self.same_source(earlier) and self.numbers.predicted_by(earlier.numbers):
            self.numbers.trust_what_changed_since(earlier.numbers)

    def same_source(self, other: CacheEntry) -> bool:
        """Whether two entries run the same code."""
        mine, others = self.built, other.built
        return mine is not None and others is not None and mine.source.text == others.source.text

    def changed(self, arguments: Arguments) -> str:
        """Why it is not for a call of its kind."""
        found = self.reached.guards.changed()
        if found:
            return found
        for leaf, present in self.inputs.has_grad:
            if (getattr(leaf._record, "grad", None) is not None) is not present:
                shape = "×".join(map(str, leaf._array.shape))
                return f"a leaf {shape} has {'no' if present else 'a'} gradient now"
        for symbol, now in zip(self.symbols, self.numbers.read(arguments), strict=True):
            if repr(now) != repr(symbol.value):
                return f"a number is {now}, not {symbol.value}"
        return "a label is the one that a loss ignores" if self.declined else "something changed"

    def run(self, arguments: Arguments) -> tuple[bool, Any]:
        """Run the program: whether it could, and what the function returns.

        Raises Declined where it met a label or an index that it does not know.
        """
        try:
            tensors = [find(arguments) for find in self.inputs.finders]
            arrays = self.inputs.arrays(tensors) if self.reached.guards.hold() else None
        except AttributeError:  # a gradient that was there is gone
            return False, None
        if arrays is None:
            return False, None
        found = None if self.built is None else self._computed(arrays, arguments)
        if self.built is None:
            found = self._interpreted(arrays, arguments)
        if found is None:
            return False, None
        for result, order in self.orders.items():
            found[result] = in_order(found[result], order)
        for position, raised in self.inputs.bumps:
            tensors[position]._counter[0] += raised
        for find, value in self.grads:
            leaf_record(find(arguments)).grad = None if value is None else wrap(found[value])
        found = self.recorded(found, tensors, arguments)
        return True, fill(self.returned, found, arguments, self.numbers, {})

    def recorded(
        self, found: dict[Value, Any], tensors: list[Any], arguments: Arguments
    ) -> dict[Value, Any]:
        """The results, where they need no record of their own."""
        return found

    def _computed(self, inputs: list[Array], arguments: Arguments) -> dict[Value, Any] | None:
        """The results of the compiled function; None where it is not for these arguments."""
        assert self.built is not None
        numbers = self.numbers.now(arguments)
        if numbers is None:
            return None
        generator = default_generator.get_state() if self.draws else None
        if self.others or self.draws:
            drawn = {value: draw(value) for value in self.draws}
            inputs = inputs + [drawn[v] if isinstance(v, Draw) else v.array for v in self.others]
        made = [np.empty(shape, dtype) for shape, dtype in self.shapes]
        try:
            if self._step is None:
                self._step = self.built.function.code([*inputs, numbers, *made]).entry
            done = self._step(*inputs, numbers, *made) < 0
        except Later:
            done = False
        except Exception as error:  # whatever Numba raises that cannot compile the source
            self.interpret_because(f"Numba cannot compile the program ({first_line(error)})")
            done = None
        if done:
            return dict(zip(self.results, made))  # noqa: B905  (of one length, made of each other)
        if generator is not None:
            default_generator.set_state(generator)
        if done is None:
            return None
        raise Declined

    def _interpreted(self, inputs: list[Array], arguments: Arguments) -> dict[Value, Any] | None:
        """The results, computed instruction by instruction.

        None where the numbers are not the same, or where an operation raises: the function then
        runs as usual, and raises what it always raises.
        """
        if not self.numbers.are(self.numbers.read(arguments)):
            return None
        generator = default_generator.get_state()
        known: dict[Value, Any] = dict(zip(self.traced.inputs, inputs, strict=True))
        known |= {constant: constant.array for constant in self.traced.read(Constant)}
        known |= {value: draw(value) for value in self.draws}
        try:
            interpret(self.traced, known)
        except Exception:
            default_generator.set_state(generator)
            return None
        results = {value: np.array(known[value]) for value in self.traced.results}
        written = [(known[target], known[value].copy()) for target, value in self.traced.writes]
        for array, numbers in written:
            array[...] = numbers
        return results


def draw(value: Draw) -> Array:
    """Draw the numbers anew."""
    numbers = np.empty(value.attributes["shape"], value.attributes["dtype"])
    value.attributes["fill"](numbers)
    return numbers


def leaf_record(leaf: Any) -> AccumulateGrad:
    """The record that accumulates a leaf's gradient."""
    record = leaf._record
    assert isinstance(record, AccumulateGrad)
    return record


def first_line(error: Exception) -> str:
    """What an error says, shortly."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
