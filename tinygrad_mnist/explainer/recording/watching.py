"""Watching a program: each operation as it is called, and one backward pass as it runs.

An operation is known by its record; what is kept of it goes when the record goes.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.function import Function
from tinygrad_mnist.core.backward_pass import restore_reduced_dims, topological_order
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.backward_pass import vjp
from tinygrad_mnist.engine.hooks import Bundle, Gradients
from tinygrad_mnist.engine.modes import GradMode, Pass, backward_mode
from tinygrad_mnist.engine.node import (
    KEPT,
    PRIMITIVES,
    AccumulateGrad,
    OutputRecord,
    Record,
    edge,
)
from tinygrad_mnist.engine.observer import OBSERVERS, Observer, detached, observe
from tinygrad_mnist.engine.saved_tensors import unpack
from tinygrad_mnist.engine.tensor import TensorBase

from .frames import Place, Stack, visible

__all__ = ["Call", "Contribution", "Leaf", "Operand", "Seen", "Visit", "Watch", "array_of"]

_COPIED = 2**20
"""Elements of a result at most that is copied as soon as it is computed; a larger one is kept as it
is, and is not shown if it is changed in place later."""


def array_of(value: Any) -> Any:
    """The array of a tensor or gradient; of several outputs' gradients, each by its number."""
    if isinstance(value, Bundle):
        return {at: array_of(each) for at, each in value.items()}
    return value._array if isinstance(value, TensorBase) else value


def _copied(value: Any) -> Any:
    array = array_of(value)
    if isinstance(array, dict):
        return {at: each.copy() for at, each in array.items()}
    return np.array(array)


@dataclass(frozen=True)
class Kept:
    """An array as it was at some time."""

    array: Array
    counter: list[int] | None = None
    version: int = 0

    @classmethod
    def result(cls, tensor: TensorBase) -> Kept:
        """A result's numbers, which the program may change."""
        if tensor._array.size <= _COPIED:
            return cls(tensor._array.copy())
        return cls.operand(tensor)

    @classmethod
    def operand(cls, tensor: TensorBase) -> Kept:
        """The array itself, and its version."""
        return cls(tensor._array, tensor._counter, tensor._counter[0])

    def now(self) -> Array | None:
        """The numbers, which nobody changes any more; None if they were changed since."""
        if self.counter is None:
            return self.array
        return None if self.counter[0] != self.version else self.array.copy()


@dataclass(frozen=True)
class Operand:
    """An input of a call: a tensor's numbers, with its name in the program, or a number."""

    value: Kept | None
    name: str | None = None
    identity: int = 0
    """Of the array."""


@dataclass
class Call:
    """One call of an operation."""

    operands: tuple[Operand, ...]
    output: Kept | None
    places: tuple[Place, ...]
    under: Record | None = None
    """The record by whose formulas it was made."""
    going_back: bool = False
    """Whether it was made in a backward pass."""
    in_place: bool = False
    name: str | None = None
    """What the program calls the result."""
    thread: int = field(default_factory=threading.get_ident)


@dataclass(frozen=True)
class Contribution:
    """What an operation's gradient gave to one of its inputs."""

    position: int
    array: Array
    raw_shape: tuple[int, ...]
    """Of the formula's result, before what was broadcast was summed."""


@dataclass(frozen=True)
class Visit:
    """A record visited by the backward pass, its gradient complete."""

    record: Record
    gradient: Any
    contributions: tuple[Contribution, ...]
    frees: tuple[str, ...]
    seconds: float


@dataclass
class Leaf:
    """A leaf of the pass."""

    value: Array | None
    before: Array | None
    name: str | None = None
    """What the program called it where it was used last."""
    after: Array | None = None


@dataclass
class Seen:
    """A backward pass as it was seen to run."""

    starts: Sequence[tuple[Record, Any]]
    order: list[Record]
    create_graph: bool
    accumulates: bool
    asked: frozenset[Record]
    leaves: dict[AccumulateGrad, Leaf]
    saved: dict[Record, list[tuple[str, Any, int]]]
    """What each record had saved as the pass began: names, values, positions."""
    visits: list[Visit] = field(default_factory=list)
    arrived: dict[Record, Array] = field(default_factory=dict)
    """The complete gradients that came to records that were not visited."""
    seconds: float = 0.0
    places: tuple[Place, ...] = ()
    """Where the program asked for it."""
    names: dict[int, str] = field(default_factory=dict)
    """What the program's variables call records and arrays, by identity."""


class Watch:
    """Watches this thread inside a `with` block, and keeps the `step`-th backward pass it sees.

    `kept` is called with the pass when it is over, while the call that asked for it still runs.
    """

    def __init__(
        self,
        step: int | None,
        kept: Callable[[Seen], None],
        end: FrameType | None = None,
    ) -> None:
        self.step = step
        self.kept = kept
        self.passes = 0
        self.seen: Seen | None = None
        self.frees = True
        """Whether the pass frees what was saved, or would if it were `backward`'s."""
        self.is_own = False
        """Whether the pass is one of `explain`'s, which keeps the graph."""
        self.calls: weakref.WeakKeyDictionary[Record, Call] = weakref.WeakKeyDictionary()
        self.stack = Stack(end)
        self._last: Call | None = None
        self._parts: dict[int, tuple[Any, tuple[Place, ...]]] = {}
        """Of each view, by its array's identity: a reference to that, and where it was made."""
        self._computing: Record | None = None
        self._outside: tuple[Observer | None, Any] = (None, None)

    def __enter__(self) -> Watch:
        self._outside = (OBSERVERS.get(threading.get_ident()), backward_mode.walk)
        observe.set(self._observe)
        backward_mode.walk = self._walk
        return self

    def __exit__(self, *details: object) -> None:
        observer, backward_mode.walk = self._outside
        observe.set(observer)
        self.stack.forget()
        self._parts.clear()
        self._last = None

    # Forward

    def _observe(
        self, op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any], output: Any
    ) -> None:
        if self._outside[0] is not None:
            self._outside[0](op, inputs, attributes, output)
        if not isinstance(output, TensorBase) or op is detached:
            return
        if inputs and output is inputs[0]:
            self._changed(op, inputs, output)
            return
        record: Any = edge(output._record)[0]
        if output._view is not None:
            self._parts[id(output._array)] = (weakref.ref(output._array), self.stack.places(2))
        if isinstance(record, Record) and record.primitive is not None:
            self._last = self.calls[record] = self._call(inputs, output)
        else:
            self._last = None

    def _call(self, inputs: tuple[Any, ...], output: TensorBase) -> Call:
        places = self.stack.places(3)
        names = self._local_names(inputs)
        for each in inputs:
            if isinstance(each, TensorBase) and isinstance(each._record, OutputRecord):
                self._note_part(each, each._record)
        operands = tuple([_operand(each, names.get(id(each))) for each in inputs])
        for each in inputs:
            if id(each) in names and each._record is not None:
                known = self.calls.get(each._record)
                if known is not None and known.name is None:
                    known.name = names[id(each)]
        going_back = backward_mode.running is not None
        return Call(operands, Kept.result(output), places, self._computing, going_back)

    def _note_part(self, part: TensorBase, record: OutputRecord) -> None:
        """Remember for one of several outputs, a view, its numbers and where it was made."""
        reference, places = self._parts.get(id(part._array), (None, ()))
        node = record.inputs[0]
        if reference is None or reference() is not part._array or node is None:
            return
        if record not in self.calls:
            if [place.kind for place in places[-2:]] == ["function", "function"]:
                places = places[:-1]  # the one that takes a single part
            self.calls[record] = Call((), Kept.result(part), places)
            self.calls.setdefault(node, Call((), None, places))

    def _changed(self, op: Any, inputs: tuple[Any, ...], target: TensorBase) -> None:
        """A tensor was written to: by a record of its own, or by what was called just before."""
        record: Any = target._record
        if target._view is not None and target._view[0]._record is not None:
            record = target._view[0]._record
            record = record.inputs[1] if len(record.inputs) > 1 else record
        written = record is not None and record.primitive in (op, PRIMITIVES["index_put"])
        if written and record not in self.calls:
            self.calls[record] = call = self._call(inputs, target)
            call.in_place = True
        elif state.grad_enabled and self._last is not None and len(inputs) > 1:
            value: Any = inputs[1]._record if isinstance(inputs[1], TensorBase) else None
            if value is not None and self.calls.get(value) is self._last:
                self._last.in_place = True
        self._last = None

    def _local_names(self, inputs: tuple[Any, ...]) -> dict[int, str]:
        """What the variables of the innermost function of the program call these tensors."""
        frame = self.stack.innermost
        wanted = {id(each) for each in inputs if isinstance(each, TensorBase)}
        if frame is None or not wanted:
            return {}
        return {id(v): name for name, v in visible(frame).items() if id(v) in wanted}

    # Backward

    def _walk(
        self,
        usual: Callable[..., dict[Record, Any]],
        running: Pass,
        starts: Sequence[tuple[Record, Any]],
        *options: Any,
    ) -> dict[Record, Any]:
        outside = self._outside[1]
        if running.depth > 1:
            return usual(running, starts, *options)
        self.passes += 1
        if self.passes != self.step and self.step is not None:
            return self._watched(usual, outside, running, starts, options, None)
        self.step = -1
        seen = self._begun(starts, *options)
        begin = time.perf_counter()
        arrived = self._watched(usual, outside, running, starts, options, seen)
        seen.seconds = time.perf_counter() - begin
        seen.arrived.update({each: _copied(gradient) for each, gradient in arrived.items()})
        for record, leaf in seen.leaves.items():
            leaf.after = _grad_of(record)
        self.seen = seen
        self.kept(seen)
        return arrived

    def _watched(
        self, usual: Any, outside: Any, running: Pass, starts: Any, options: Any, seen: Seen | None
    ) -> dict[Record, Any]:
        """The pass, with each record that is visited noted."""
        before = backward_mode.vjp
        compute = before or vjp

        def noting(record: Record, gradient: Any, wanted: set[Record] | None) -> Gradients:
            if seen is None:
                return self._computed(compute, record, gradient, wanted)
            return self._visit(seen, compute, record, gradient, wanted)

        backward_mode.vjp = noting
        try:
            if outside is not None:
                arrived: dict[Record, Any] = outside(usual, running, starts, *options)
            else:
                arrived = usual(running, starts, *options)
            return arrived
        finally:
            backward_mode.vjp = before

    def _computed(
        self, compute: Any, record: Record, gradient: Any, wanted: set[Record] | None
    ) -> Gradients:
        outside, self._computing = self._computing, record
        try:
            found: Gradients = compute(record, gradient, wanted)
            return found
        finally:
            self._computing = outside

    def _begun(
        self, starts: Any, keep: bool, create_graph: bool, inputs: Any, accumulate: bool
    ) -> Seen:
        order = topological_order([record for record, _ in starts])
        used = self._operands(order)
        leaves = {
            record: Leaf(
                _value_of(record, order, used.get(record, ())), _grad_of(record),
                next((each.name for each in used.get(record, ()) if each.name), None),
            )
            for record in order
            if isinstance(record, AccumulateGrad)
        }  # fmt: skip
        self.frees = self.is_own or not keep
        return Seen(
            [(record, _copied(gradient)) for record, gradient in starts],
            order, create_graph, accumulate, frozenset(inputs or ()), leaves,
            {record: saved_by(record) for record in order}, places=self.stack.places(3),
        )  # fmt: skip

    def _operands(self, order: Sequence[Record]) -> dict[Record, list[Operand]]:
        """Of each leaf, what the calls that used it were given."""
        found: dict[Record, list[Operand]] = {}
        for user in order:
            call = self.calls.get(user)
            for source, operand in zip(user.inputs, call.operands if call else (), strict=False):
                if isinstance(source, AccumulateGrad):
                    found.setdefault(source, []).append(operand)
        return found

    def _visit(
        self, seen: Seen, compute: Any, record: Record, gradient: Any, wanted: set[Record] | None
    ) -> Gradients:
        given = _copied(gradient)
        shapes = _raw_shapes(record, given, wanted)
        begin = time.perf_counter()
        found = self._computed(compute, record, gradient, wanted)
        seconds = time.perf_counter() - begin
        one = isinstance(record, OutputRecord)  # what it gives is a bundle of its own gradient
        contributions = tuple([
            Contribution(position, copy, shapes.get(position, tuple(copy.shape)))
            for position, result, _ in found
            if isinstance(copy := given if one else _copied(result), np.ndarray)
        ])  # fmt: skip
        freed = seen.saved.get(record, []) if self.frees else []
        frees = tuple([name for name, value, _ in freed if isinstance(value, np.ndarray)])
        seen.visits.append(Visit(record, given, contributions, frees, seconds))
        return found


def _operand(given: Any, name: str | None) -> Operand:
    if isinstance(given, TensorBase):
        return Operand(Kept.operand(given), name, id(given._array))
    if isinstance(given, np.ndarray | bool | int | float | np.generic):
        return Operand(Kept(np.asarray(given)))
    return Operand(None)


def _value_of(
    leaf: AccumulateGrad, order: Sequence[Record], used: Sequence[Operand] = ()
) -> Array | None:
    """The numbers of a leaf; of one that no variable holds any more, as a call had them."""
    if leaf.variable is not None:
        return np.array(leaf.variable._array)
    for operand in used:
        if operand.value is not None:
            return operand.value.now()
    return next((value for user in order for _, value, at in saved_by(user)
                 if 0 <= at < len(user.inputs) and user.inputs[at] is leaf), None)  # fmt: skip


def _grad_of(record: Any) -> Array | None:
    grad = record.grad
    return None if grad is None else np.array(grad._array)


def saved_by(record: Record) -> list[tuple[str, Any, int]]:
    """What a record has saved: under which name, the value, of which input (the last: itself)."""
    op: Any = record.primitive
    if op is None:
        return []
    context = record.attributes.get("ctx")
    if context is not None and context._saved:
        return [
            (f"saved_tensors[{at}]", array_of(kept[0]), _position(record, kept[3]))
            for at, kept in enumerate(context._saved)
            if kept is not None
        ]
    found = []
    for which, saved in enumerate(record.saved):
        if saved is None or saved[0] is None:
            continue
        if saved[1] is not KEPT and which <= len(record.inputs):
            found.append((input_name(record, which), saved[0], which))
    return found


def _position(record: Record, source: Any) -> int:
    """Which input of a record this is; behind the last, its result; -1: neither."""
    if isinstance(source, Record):
        return record.inputs.index(source) if source in record.inputs else -1
    return -1 if source is None else len(record.inputs)


def input_name(record: Record, position: int) -> str:
    """What a record's operation calls its input at a position; `out` behind the last."""
    op: Any = record.primitive
    if position >= len(record.inputs):
        return "out"
    names = op.inputs
    function = record.attributes.get("function")
    if function is not None and hasattr(function.forward, "__code__"):
        code = function.forward.__code__
        with_context = function.setup_context is Function.setup_context
        names = code.co_varnames[with_context : code.co_argcount]
    if op.variadic:
        return f"{names[0] if names else 'inputs'}[{position}]"
    alone = "input" if len(record.inputs) == 1 else f"input {position}"
    return str(names[position]) if position < len(names) else alone


def _raw_shapes(
    record: Record, gradient: Any, wanted: set[Record] | None
) -> dict[int, tuple[int, ...]]:
    """Of which shape the formulas' results are, before broadcasting is undone: they run once more.

    Where they cannot, the pass itself is about to say why.
    """
    op: Any = record.primitive
    if op.vjp is not None or not isinstance(gradient, np.ndarray) or _is_plain(record):
        return {}
    shapes = {}
    observer = OBSERVERS.pop(threading.get_ident(), None)
    try:
        with GradMode(False), np.errstate(all="ignore"):
            if op.reduces and not record.attributes["keepdim"]:
                gradient = restore_reduced_dims(gradient, record)
            for position, source in enumerate(record.inputs):
                formula = op.formula(position)
                if formula is None or source is None or not (wanted is None or source in wanted):
                    continue
                values = [unpack(record, which, False) for which in formula.saved]
                known = {**record.attributes, "shape": source.shape, "position": position}
                keywords = {name: known[name] for name in formula.keywords}
                shapes[position] = np.shape(formula.function(gradient, *values, **keywords))
    except RuntimeError:
        return shapes
    finally:
        observe.set(observer)
    return shapes


def _is_plain(record: Record) -> bool:
    """Whether nothing can have been broadcast or reduced: all shapes are one."""
    return all(source is None or source.shape == record.shape for source in record.inputs)
