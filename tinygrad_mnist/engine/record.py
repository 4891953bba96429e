"""The record that an operation leaves behind, and what the engine knows of a Tensor.

A record is data: the operation, its attributes, the records of its inputs, the values its formulas
will need. Walking from record to record is all that the backward pass does.
"""

from __future__ import annotations

import contextvars
import itertools
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from .primitive import Primitive

Array = np.ndarray[Any, Any]
Observer = Callable[["Primitive", tuple[Any, ...], dict[str, Any], Any], None]

NO_ATTRIBUTES: dict[str, Any] = {}
CONSTANT = [0]
"""The version counter of Python numbers, which never change."""
KEPT = [0]
"""The version counter of a number that belongs to the record, so that no walk releases it."""
next_sequence = itertools.count().__next__


class ThreadState(threading.local):
    """What each thread has of its own: its gradient mode, and a context for silent arithmetic."""

    backward_on_tensors: bool
    """Whether the backward pass runs on Tensors, so that the observer sees each operation of it."""
    quietly: Callable[..., Any]
    """`quietly(f, ...)` calls f with NumPy's floating-point warnings off, as PyTorch is."""

    def __init__(self) -> None:
        self.grad_enabled = True
        self.backward_on_tensors = False
        self.sender: Callable[..., Any] | None = None
        context = contextvars.Context()
        context.run(np.seterr, all="ignore")
        self.quietly = context.run


state = ThreadState()

OBSERVERS: dict[int, Observer] = {}
"""For each thread that has one, the observer to which every call of a primitive is reported."""


class observe:
    """Report every call of a primitive in this thread to `observer`, inside a `with` block.

    The observer gets the primitive, its inputs, its attributes and its output.
    """

    def __init__(self, observer: Observer | None) -> None:
        self.observer = observer
        self.previous = OBSERVERS.get(threading.get_ident())

    def __enter__(self) -> None:
        self.previous = OBSERVERS.get(threading.get_ident())
        self.set(self.observer)

    def __exit__(self, *details: object) -> None:
        self.set(self.previous)

    @staticmethod
    def set(observer: Observer | None) -> None:
        """Make `observer` this thread's (None: nobody)."""
        if observer is None:
            OBSERVERS.pop(threading.get_ident(), None)
        else:
            OBSERVERS[threading.get_ident()] = observer


def report(
    op: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any], output: TensorBase | None
) -> None:
    """Tell this thread's observer, if it has one, of a call."""
    observer = OBSERVERS.get(threading.get_ident())
    if observer is not None:
        observer(op, inputs, attributes, output)


Step = tuple[Any, "Primitive", dict[str, Any]]
"""One of the operations that lead from a tensor to a view of it: the step before (None: it is the
first), the operation, its attributes."""

View = tuple["TensorBase", int, Step, str | None]
"""Of a view: the base, the version at which its record was last right, the steps from base to
view (the last one), and why it must not be changed in place under records, if it must not."""


class TensorBase:
    """What the engine knows of a Tensor: an array, its record and its version."""

    __slots__ = ("_array", "_counter", "_record", "_view", "__weakref__")

    _array: Array
    _record: Record | None
    """Where gradients for this tensor go; None when it does not require one."""
    _counter: list[int]
    """One number, raised by every in-place change and shared by all who share the memory."""
    _view: View | None
    """For a view: the tensor that owns the memory, and how to come from there to the view."""


TENSOR_TYPE: list[type[TensorBase]] = [TensorBase]
"""The class of every tensor that operations return: the one entry is set where it is defined."""


def wrap(array: Array, counter: list[int] | None = None) -> Any:
    """A Tensor that holds `array` itself and requires no gradient."""
    tensor = object.__new__(TENSOR_TYPE[0])
    tensor._array = array
    tensor._record = None
    tensor._counter = [0] if counter is None else counter
    tensor._view = None
    return tensor


Saved = tuple[Any, list[int], int]
"""A value kept for a formula: itself, its version counter, and the version when it was kept."""


FREED: tuple[Saved | None, ...] = (None,)
"""In place of what a record saved, when a walk has released it."""


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away."""

    numbers: ClassVar = itertools.count()

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self.hooks = hooks
        self.id = number

    @classmethod
    def of(cls, hooks: dict[int, Any], hook: Any) -> RemovableHandle:
        """Add `hook` to `hooks`; the handle that takes it away again."""
        number = next(cls.numbers)
        hooks[number] = hook
        return cls(hooks, number)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *details: object) -> None:
        self.remove()


class Watch:
    """What somebody asked of a record: hooks to call with its gradient, or to keep it."""

    __slots__ = ("grad", "hooks", "metadata", "node_hooks", "post_hooks", "pre_hooks",
                 "retains_grad")  # fmt: skip

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.pre_hooks: dict[int, Callable[[Any], Any]] = {}
        """Called before the record's operation goes backward; the next ones after it."""
        self.node_hooks: dict[int, Callable[[Any, Any], Any]] = {}
        self.post_hooks: dict[int, Callable[[Any], None]] = {}
        """Of a leaf: called when its `.grad` has grown."""
        self.metadata: dict[Any, Any] = {}
        self.retains_grad = False
        self.grad: Any = None


class Record:
    """What one call of a primitive leaves behind: data, no closures.

    Records point to the records of their inputs, never to Tensors, so that memory goes as soon as
    nobody needs it. Each primitive has a subclass, named as PyTorch names it (`MulBackward0`).
    Nothing is older than its own inputs: descending order of `sequence` is an order for the walk.
    """

    __slots__ = (
        "primitive", "attributes", "edges", "shape", "dtype", "saved", "sequence", "watch",
        "__weakref__",
    )  # fmt: skip

    primitive: Primitive | None
    attributes: dict[str, Any]
    edges: tuple[Record | None, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    saved: tuple[Saved | None, ...]
    sequence: int
    watch: Watch | None
    subclasses: ClassVar[dict[str, type[Record]]] = {}

    @classmethod
    def named(cls, name: str) -> type[Record]:
        """The subclass called `name`, made on first use."""
        if name not in cls.subclasses:
            cls.subclasses[name] = type(
                name, (Record,), {"__slots__": (), "__module__": "builtins"}
            )
        return cls.subclasses[name]

    def name(self) -> str:
        """The operation's name as PyTorch spells it, for example "MulBackward0"."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name == "CopySlices" else name

    def watched(self) -> Watch:
        """What was asked of this record, to be added to."""
        if self.watch is None:
            self.watch = Watch()
        return self.watch

    @property
    def grad(self) -> Any:
        """The gradient that was kept, if any."""
        return None if self.watch is None else self.watch.grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        self.watched().grad = gradient

    @property
    def requires_grad(self) -> bool:
        """Always True: a record is left only where gradients may be asked for."""
        return True

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for whatever a user wants to note about this record."""
        return self.watched().metadata

    def _sequence_nr(self) -> int:
        """A number that grows with each record."""
        return self.sequence

    def register_hook(self, fn: Callable[[Any, Any], Any]) -> RemovableHandle:
        """Call `fn(grad_inputs, grad_outputs)` after the operation's backward has run.

        Both are tuples of Tensors (or None); a tuple that `fn` returns replaces `grad_inputs`.
        """
        return RemovableHandle.of(self.watched().node_hooks, fn)

    def register_prehook(self, fn: Callable[[Any], Any]) -> RemovableHandle:
        """Call `fn(grad_outputs)` before the operation's backward; it may return others."""
        return RemovableHandle.of(self.watched().pre_hooks, fn)

    def __getattr__(self, name: str) -> Any:
        """`_saved_<name>`: what was saved for the formulas, by PyTorch's name for it.

        The record of a Function has what its forward put on the context as well.
        """
        which = self._place_of(name.removeprefix("_saved_")) if name.startswith("_saved_") else None
        if which is None:
            context = self.attributes.get("ctx")
            if context is not None and hasattr(context, name):
                return getattr(context, name)
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        if self.saved is FREED:
            raise freed_error()
        kept = self.saved[which]
        if kept is None or not isinstance(kept[0], np.ndarray):
            return None if kept is None else kept[0]
        tensor = wrap(kept[0], kept[1])
        tensor._record = self if which == len(self.edges) else self.edges[which]
        return tensor

    def _place_of(self, name: str) -> int | None:
        """Where in `saved` the value is that PyTorch calls `name`."""
        if self.primitive is None or self.primitive.variadic:
            return None
        inputs = tuple(["self" if each == "input" else each for each in self.primitive.inputs])
        names = (*inputs, "result")
        place = names.index(name) if name in names else len(self.saved)
        known = self.saved is FREED or (place < len(self.saved) and self.saved[place])
        return place if known and name in names else None

    @property
    def next_functions(self) -> tuple[tuple[Record | None, int], ...]:
        """The records of the inputs, each with the number of the output it stands for (0)."""
        return tuple((edge, 0) for edge in self.edges)


def freed_error() -> RuntimeError:
    """The error for values that an earlier walk released."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
        "to backward through the graph a second time or if you need to access saved tensors "
        "after calling backward."
    )


class AccumulateGrad(Record):
    """The record of a leaf: the end of a path, where `.grad` gathers."""

    __slots__ = ("_variable",)
    __module__ = "builtins"  # so that it prints as PyTorch's does

    def __init__(self, tensor: TensorBase) -> None:
        self.primitive = None
        self.attributes = NO_ATTRIBUTES
        self.edges = ()
        self.saved = ()
        self.shape = tensor._array.shape
        self.dtype = tensor._array.dtype
        self.sequence = next_sequence()
        self.watch = Watch()
        self._variable = weakref.ref(tensor)

    def name(self) -> str:
        """PyTorch's name, which is not that of the class here."""
        return "torch::autograd::AccumulateGrad"

    @property
    def variable(self) -> Any:
        """The leaf tensor, None when it is gone."""
        return self._variable()


def move_grad(old: Record | None, new: Record) -> None:
    """What a tensor keeps of its gradient goes on to its newer record; hooks stay behind."""
    if old is None or old.watch is None:
        return
    kept, retains_grad = old.watch.grad, old.watch.retains_grad
    if kept is not None or retains_grad:
        watch = new.watched()
        watch.grad, watch.retains_grad = kept, retains_grad
        old.watch.grad, old.watch.retains_grad = None, False


def make_record(
    op: Primitive,
    edges: tuple[Record | None, ...],
    out: Array,
    saved: tuple[Saved | None, ...],
    attributes: dict[str, Any],
) -> Record:
    """A record of one call."""
    record: Record = object.__new__(op.record_type)
    record.primitive = op
    record.edges = edges
    record.shape = out.shape
    record.dtype = out.dtype
    record.saved = saved
    record.attributes = attributes
    record.sequence = next_sequence()
    record.watch = None
    return record


def named_as(tensor: Any, name: str) -> Any:
    """Name the record that an operation just left in `tensor`, as PyTorch names it; the tensor."""
    record = tensor._record
    if record is not None:
        record.__class__ = Record.named(name)
    return tensor


def must_not_change(tensor: Any, *others: TensorBase) -> Any:
    """Have walks through the record of `tensor` refuse once `others` were changed; the tensor.

    They are indices: the record holds copies of them, PyTorch's holds them as they are.
    """
    record = tensor._record
    if record is not None:
        record.saved += tuple([(each._array, each._counter, each._counter[0]) for each in others])
    return tensor


def not_freed(tensor: Any) -> Any:
    """Have walks leave what the operation just saved, a number that PyTorch's node owns: alpha."""
    record = tensor._record
    if record is not None:
        record.saved = tuple([saved and (saved[0], KEPT, 0) for saved in record.saved])
    return tensor


def bare_record(
    op: Primitive,
    edges: tuple[Record | None, ...],
    out: Array,
    attributes: dict[str, Any],
    record_type: type[Record],
) -> Record:
    """A record of the class given that has saved nothing."""
    record = make_record(op, edges, out, (), attributes)
    record.__class__ = record_type
    return record


# Old names, for branches under way: to be taken out.
label, hand_over, relies_on, keep_for_more_walks = named_as, move_grad, must_not_change, not_freed
