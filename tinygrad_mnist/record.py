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
    from tinygrad_mnist.primitive import Primitive

Array = np.ndarray[Any, Any]
Observer = Callable[["Primitive", tuple[Any, ...], dict[str, Any], Any], None]

NO_ATTRIBUTES: dict[str, Any] = {}
CONSTANT = [0]
"""The version counter of Python numbers, which never change."""
next_birth = itertools.count().__next__


class ThreadState(threading.local):
    """What each thread has of its own: its gradient mode, and a context for silent arithmetic."""

    quietly: Callable[..., Any]
    """`quietly(f, ...)` calls f with NumPy's floating-point warnings off, as PyTorch is."""

    def __init__(self) -> None:
        self.grad_enabled = True
        self.sender: Callable[..., None] | None = None
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


class TensorBase:
    """What the engine knows of a Tensor: an array, its record and its version."""

    __slots__ = ("_array", "_counter", "_record", "_view", "__weakref__")

    _array: Array
    _record: Record | None
    """Where gradients for this tensor go; None when it does not require one."""
    _counter: list[int]
    """One number, raised by every in-place change and shared by all who share the memory."""
    _view: tuple[TensorBase, Record | None] | None
    """For a view: the tensor it was taken from, and that tensor's record at the time."""


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


class Watch:
    """What somebody asked of a record: hooks to call with its gradient, or to keep it."""

    __slots__ = ("grad", "hooks", "post_hooks", "retains_grad")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.post_hooks: dict[int, Callable[[Any], None]] = {}
        self.retains_grad = False
        self.grad: Any = None


class Record:
    """What one call of a primitive leaves behind: data, no closures.

    Records point to the records of their inputs, never to Tensors, so that memory goes as soon as
    nobody needs it. Each primitive has a subclass, named as PyTorch names it (`MulBackward0`).
    Nothing is older than its own inputs: descending order of `birth` is an order for the walk.
    """

    __slots__ = (
        "primitive", "attributes", "edges", "shape", "dtype", "saved", "birth", "watch",
        "__weakref__",
    )  # fmt: skip

    primitive: Primitive | None
    attributes: dict[str, Any]
    edges: tuple[Record | None, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    saved: tuple[Saved | None, ...]
    birth: int
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
        return type(self).__name__

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
    def next_functions(self) -> tuple[tuple[Record | None, int], ...]:
        """The records of the inputs, each with the number of the output it stands for (0)."""
        return tuple((edge, 0) for edge in self.edges)


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
        self.birth = next_birth()
        self.watch = Watch()
        self._variable = weakref.ref(tensor)

    @property
    def variable(self) -> Any:
        """The leaf tensor, None when it is gone."""
        return self._variable()


def current_record(tensor: TensorBase) -> Record | None:
    """The tensor's record; a view follows when an in-place operation gave its base a newer one."""
    if tensor._view is None:
        return tensor._record
    base, seen = tensor._view
    base_record = current_record(base)
    if base_record is not seen:
        old = tensor._record
        if old is None or base_record is None:
            raise NotImplementedError(
                "this tensor is a view of a tensor that was changed in place by an operation "
                "autograd records; take the view again after the change"
            )
        assert old.primitive is not None
        tensor._record = make_record(old.primitive, (base_record,), tensor._array, old.saved,
                                 old.attributes)  # fmt: skip
        tensor._record.__class__ = type(old)
        tensor._view = (base, base_record)
    return tensor._record


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
    record.birth = next_birth()
    record.watch = None
    return record


def label(tensor: Any, name: str) -> Any:
    """Name the record that an operation just left in `tensor`, as PyTorch names it; the tensor."""
    record = tensor._record
    if record is not None:
        record.__class__ = Record.named(name)
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
