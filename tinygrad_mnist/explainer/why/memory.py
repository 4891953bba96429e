"""What `why` remembers, when it is asked to: lines, cuts, numbers that are not finite, gradients.

It is an observer of the engine's, and stands around the function that computes the gradients of a
record. Switched off, nothing of it is called.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.backward_pass import vjp
from tinygrad_mnist.engine.hooks import Gradient, Gradients
from tinygrad_mnist.engine.modes import Pass, backward_mode
from tinygrad_mnist.engine.node import OutputRecord, Record
from tinygrad_mnist.engine.observer import (
    OBSERVERS,
    Observer,
    constant,
    detached,
    from_outside,
    item,
    observe,
    untraceable,
)
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.views import requires_grad
from tinygrad_mnist.explainer.recording.frames import is_program

from .findings import Finding, bad_count, forward_trouble, not_finite, numbers
from .reason import Line
from .walks import Walk, changed_in_place

KEPT = 200_000
"""So many calls are remembered; the oldest are forgotten."""
PASSES = 8
"""So many backward passes are remembered."""
CHANGES = 16
"""So many of the latest changes in place of a leaf are remembered."""
READS = 16
"""So many of the latest readings (`.item()`) are compared with what Python makes of them."""
_DETACHING = ("data", "detach", "detach_", "tensor")
"""The functions that report a tensor without its record."""
_SMALL = 64
"""Numbers that are kept of a reading."""


class Call:
    """One call of an operation, or another way in which a tensor came to be."""

    __slots__ = ("changes", "graded", "line", "module", "name", "number", "parents", "place",
                 "sequence", "shape", "trouble")  # fmt: skip

    def __init__(self, number: int, name: str, shape: tuple[int, ...], graded: bool) -> None:
        self.number, self.name, self.shape = number, name, shape
        self.graded = graded
        """Whether it has a record: gradients come here."""
        self.parents: list[tuple[int, str | None]] = []
        """The calls that its inputs came from, each with how gradients are cut off on the way."""
        self.line: Line | None = None
        self.module: weakref.ref[Any] | None = None
        """The layer whose forward made the call."""
        self.trouble: Finding | None = None
        """The first numbers that are not finite were made here."""
        self.changes: tuple[int, ...] = ()
        """Of a leaf: how many calls there had been, each time when it was changed in place."""
        self.sequence, self.place = -1, -1


class Read(NamedTuple):
    """A tensor that Python read."""

    call: int
    numbers: Array
    """A copy of the first numbers."""
    size: int
    memory: weakref.ref[Array]

    def is_number(self, number: float) -> bool:
        """Whether this number was read."""
        return self.size == 1 and self.numbers.item() == number

    def gave(self, array: Array) -> bool:
        """Whether an array holds the numbers that were read."""
        memory = self.memory()
        if memory is not None and array.size and np.may_share_memory(array, memory):
            return True
        if array.size != self.size or self.size > _SMALL:
            return False
        return bool(np.array_equal(array.reshape(-1), self.numbers))


class Memory:
    """The calls and backward passes of a thread, while it is switched on."""

    def __init__(self, observer: Observer | None, outer_vjp: Any) -> None:
        self.observer, self.outer_vjp = observer, outer_vjp
        """Who listened before, and is told of everything still."""
        self.calls: dict[int, Call] = {}
        self.passes: deque[Walk] = deque(maxlen=PASSES)
        self.layers: dict[int, str] = {}
        """What the model that was asked about calls its layers, by identity."""
        self._count = self._operated = 0
        """How many calls there were; how many when the last operation was called."""
        self._of_record: dict[int, int] = {}
        self._left: dict[int, int] = {}
        """By the sequence of a record: the latest call that changed its tensor; that which left it.
        """
        self._of_array: dict[int, tuple[weakref.ref[Array], int]] = {}
        """The latest call that gave this array; by `_plain`, the latest without a record."""
        self._plain: dict[int, tuple[weakref.ref[Array], int]] = {}
        self._reads: deque[Read] = deque(maxlen=READS)

    # What is heard

    def hear(self, op: Any, inputs: Any, attributes: Any, output: Any) -> None:
        """The observer."""
        if self.observer is not None:
            self.observer(op, inputs, attributes, output)
        if op is untraceable or (backward_mode.running is not None and not state.grad_enabled):
            return
        if op is item:
            self._note_read(inputs[0])
        elif op is detached:
            self._note_cut(inputs[0], output, attributes["by"])
        elif op is constant or op is from_outside:
            self._note_constant(output)
        elif len(inputs) and output is inputs[0] and _is_leaf(output):
            call = self.source_of(output)
            call.changes = (*call.changes[-CHANGES:], self._count)
        else:
            self._note_call(op, inputs, attributes, output)

    def compute(self, record: Record, gradient: Gradient, wanted: set[Record] | None) -> Gradients:
        """In place of the engine's `vjp`: the same, and what came and went is remembered."""
        compute = self.outer_vjp or vjp
        running = backward_mode.running
        if running is None:
            return compute(record, gradient, wanted)
        walk = self._walk_of(running)
        try:
            found: Gradients = compute(record, gradient, wanted)
        except BaseException as error:
            walk.failure = walk.failure or (record, str(error), self._change_of(record))
            raise
        walk.note(record, gradient, found)
        return found

    def _change_of(self, record: Record) -> Line | None:
        """Where what a record saved was changed in place, if it was."""
        array = changed_in_place(record)
        number = None if array is None else _known(self._of_array, array)
        return None if number is None else self.calls[number].line

    def _walk_of(self, running: Pass) -> Walk:
        """What is remembered of the pass that is under way."""
        for walk in reversed(self.passes):
            if walk.running is running:
                return walk
        line, _, asked_by = _line()
        walk = Walk(running.order, running, line, asked_by == "grad", self._count)
        self.passes.append(walk)
        return walk

    def _note_call(self, op: Any, inputs: Any, attributes: Any, output: Any) -> None:
        tensors = [each for each in inputs if isinstance(each, TensorBase)]
        in_place = any(output is each for each in tensors) and state.grad_enabled
        cut = None if requires_grad(output) or in_place else _cut_of(op, output)
        parents = [
            (self.source_of(each).number, cut if requires_grad(each) else None) for each in tensors
        ]
        parents += [(number, None) for number in self._hidden(inputs, attributes)]
        call = self._add(op.name, output, parents)
        self._operated = call.number
        if not_finite(output._array):
            call.trouble = forward_trouble(op, inputs, attributes, output)

    def _hidden(self, inputs: Any, attributes: Any) -> list[int]:
        """The calls that numbers among the inputs, or index arrays among attributes, came from."""
        found = [
            read.call
            for each in inputs
            for read in self._reads
            if isinstance(each, float) and each not in (0.0, 1.0) and read.is_number(each)
        ][:1]
        for value in attributes.values():
            for part in value if isinstance(value, tuple) else (value,):
                known = _known(self._plain, part) if isinstance(part, np.ndarray) else None
                found += [] if known is None else [known]
        return found

    def _note_read(self, tensor: Any) -> None:
        array = tensor._array
        source = self.source_of(tensor)
        cut = "item" if requires_grad(tensor) else None
        call = self._add("item", None, [(source.number, cut)])
        numbers = array.reshape(-1)[:_SMALL].copy()
        self._reads.appendleft(Read(call.number, numbers, array.size, weakref.ref(array)))

    def _note_cut(self, source: Any, made: Any, by: str) -> None:
        cut = None
        if requires_grad(source):
            cut = by if _is_asked_for() else "no_derivative"
        self._add(by, made, [(self.source_of(source).number, cut)])

    def _note_constant(self, made: Any) -> None:
        array = made._array
        read = [each.call for each in self._reads if each.gave(array)][:1]
        parents: list[tuple[int, str | None]] = [(number, None) for number in read]
        if not parents:  # what Python read since the last operation, it may have computed with
            recent = [each for each in self._reads if each.call > self._operated]
            taken = array.size == sum(each.size for each in recent) and all(
                np.isin(each.numbers, array).all() for each in recent
            )
            parents = [(each.call, None if taken else "perhaps") for each in recent]
        call = self._add("numbers", made, parents)
        call.trouble = _of_data(made._array)

    # What is known

    def call_of(self, tensor: Any) -> Call | None:
        """The call that made a tensor, if it was heard."""
        record = tensor._record
        number = None if record is None else self._of_record.get(_node(record).sequence)
        if number is None and record is None:
            number = _known(self._plain, tensor._array)
        if number is None and (record is None or record.primitive is not None):
            number = _known(self._of_array, tensor._array)
        return None if number is None else self.calls.get(number)

    def before_asked(self, leaf: Any) -> Call | None:
        """The call that made a leaf's numbers, before it required a gradient."""
        return self.calls.get(_known(self._plain, leaf._array) or 0)

    def knows(self, *tensors: Any) -> bool:
        """Whether anything was heard of one of the tensors."""
        return any(each is not None and self.call_of(each) is not None for each in tensors)

    def call_of_record(self, record: Record) -> Call | None:
        """The call that left a record."""
        number = self._left.get(_node(record).sequence)
        return None if number is None else self.calls.get(number)

    def source_of(self, tensor: Any) -> Call:
        """The call that made a tensor; one that was not heard is noted as a source."""
        call = self.call_of(tensor)
        if call is not None:
            if not call.graded or requires_grad(tensor):
                return call
            return self._add("detach", tensor, [(call.number, "detach")])
        known = _known(self._plain, tensor._array) or _known(self._of_array, tensor._array)
        source = self.calls.get(known or 0)
        cut = "new_leaf" if source is not None and source.graded else None
        call = self._add("leaf" if _is_leaf(tensor) else "tensor", tensor,
                         [] if source is None else [(source.number, cut)])  # fmt: skip
        call.line = None if source is None else source.line
        call.trouble = None if source is not None else _of_data(tensor._array)
        return call

    def _add(self, name: str, made: Any, parents: list[tuple[int, str | None]]) -> Call:
        """Note a call, and by what it can be found again: the tensor that it made, if any."""
        self._count += 1
        call = Call(self._count, name, () if made is None else made._array.shape, False)
        call.parents = parents
        call.line, call.module, _ = _line()
        self.calls[call.number] = call
        if len(self.calls) > KEPT:
            self._forget(next(iter(self.calls)))
        if made is None:
            return call
        array, record = made._array, made._record
        call.graded = requires_grad(made)
        call.place = id(array)
        known = (weakref.ref(array), call.number)
        self._of_array[id(array)] = known
        if record is None:
            self._plain[id(array)] = known
        else:
            call.sequence = _node(record).sequence
            self._of_record[call.sequence] = call.number
            self._left.setdefault(call.sequence, call.number)
        return call

    def _forget(self, number: int) -> None:
        call = self.calls.pop(number)
        for calls in (self._of_record, self._left):
            if calls.get(call.sequence) == number:
                del calls[call.sequence]
        for places in (self._of_array, self._plain):
            if call.place in places and places[call.place][1] == number:
                del places[call.place]


def in_layer(memory: Memory | None, call: Call | None) -> str:
    """In which layer a call was made, by its name in the model and its type; "" for none."""
    layer = None if memory is None or call is None or call.module is None else call.module()
    if memory is None or layer is None:
        return ""
    name = memory.layers.get(id(layer), "")
    return f" in `{name}` ({type(layer).__name__})" if name else f" in {type(layer).__name__}"


def _node(record: Any) -> Any:
    return record.inputs[0] if isinstance(record, OutputRecord) else record


def _is_leaf(tensor: Any) -> bool:
    return tensor._record is not None and tensor._record.primitive is None


def _known(places: dict[int, tuple[weakref.ref[Array], int]], array: Array) -> int | None:
    """The number kept for an array, which is known by its identity while it lives."""
    reference, number = places.get(id(array), (None, 0))
    return number if reference is not None and reference() is array else None


def _of_data(array: Array) -> Finding | None:
    if not not_finite(array):
        return None
    count = bad_count(array)
    return Finding("bad_data", numbers(count, "that came in here are NaN or infinite"), count)


def _cut_of(op: Any, output: Any) -> str:
    """Why an operation on what requires a gradient left no record."""
    if not state.grad_enabled:
        return "no_grad"
    if output._array.dtype.kind != "f":
        return "integer" if op.name == "cast" else "no_derivative"
    return "no_derivative"


def _is_asked_for() -> bool:
    """Whether the user's own code called the `detach` that is running, and no operation did."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name not in _DETACHING:
        frame = frame.f_back
    caller = None if frame is None else frame.f_back
    return caller is None or is_program(caller.f_code.co_filename)


def _line() -> tuple[Line | None, weakref.ref[Any] | None, str]:
    """The user's line that is running, the layer it called, and `grad` where that asks."""
    frame: FrameType | None = sys._getframe(1)
    module, asked_by = None, ""
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if is_program(file):
            return Line(file, frame.f_lineno), module, asked_by
        if code.co_name == "forward" and module is None:
            layer = frame.f_locals.get("self")
            module = None if layer is None else weakref.ref(layer)
        elif code.co_name == "grad" and not asked_by:
            asked_by = "grad"
        frame = frame.f_back
    return None, module, asked_by


class _Threads(threading.local):
    def __init__(self) -> None:
        self.memory: Memory | None = None


threads = _Threads()
"""The latest memory of each thread, which `why` reads."""


class remember:
    """Remember what `why` needs to name lines and cuts, in this thread, from now on.

    A context manager, which restores what was before; or a plain call at the top of a script. What
    was remembered is kept until memory is next switched on; `remember(False)` switches it off and
    forgets. While it is on every operation costs some 20 µs more, and compiled functions run
    uncompiled.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> with torch.why.remember():
    ...     y = x.detach() * 2
    >>> torch.why(x, y).cause
    'detach'
    """

    def __init__(self, mode: bool = True) -> None:
        self.before = outside = (OBSERVERS.get(threading.get_ident()), backward_mode.vjp)
        known = threads.memory
        if known is not None and outside == (known.hear, known.compute):
            outside = known.observer, known.outer_vjp
        threads.memory = Memory(*outside) if mode else None
        if threads.memory is not None:
            outside = threads.memory.hear, threads.memory.compute
        observe.set(outside[0])
        backward_mode.vjp = outside[1]

    def __enter__(self) -> None:
        """It is on from the moment it was asked for."""

    def __exit__(self, *details: object) -> None:
        observer, backward_mode.vjp = self.before
        observe.set(observer)
