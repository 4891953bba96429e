"""What an operation leaves behind, and the least that a tensor is.

A record is data, never a closure, and points to the records of its inputs, never to tensors: so
memory goes as soon as nobody needs it. No record is older than its inputs: descending order of
`sequence` is a topological order.
"""

from __future__ import annotations

import contextvars
import itertools
import threading
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
next_sequence = itertools.count().__next__


class State(threading.local):
    """What each thread has of its own."""

    def __init__(self) -> None:
        self.grad_enabled = True
        """Whether operations leave records."""
        context = contextvars.Context()
        context.run(np.seterr, all="ignore")
        self.quietly = context.run
        """`quietly(f, ...)` calls f with NumPy's floating-point warnings off, as PyTorch is."""


state = State()


class Record:
    """What one call of a primitive leaves behind."""

    __slots__ = ("attributes", "dtype", "inputs", "primitive", "saved", "sequence", "shape")

    def __init__(
        self, out: Array, primitive: Any, inputs: tuple[Record | None, ...],
        saved: tuple[Any, ...], attributes: dict[str, Any],
    ) -> None:  # fmt: skip
        self.primitive = primitive
        """The `Primitive`; None in the record of a leaf."""
        self.inputs = inputs
        """The records of the inputs; None for one that needs no gradient."""
        self.saved = saved
        """The inputs, and at last the result: each if a formula asks for it, else None."""
        self.attributes = attributes
        self.shape, self.dtype = out.shape, out.dtype
        self.sequence = next_sequence()

    def __repr__(self) -> str:
        of = [source and source.sequence for source in self.inputs]
        return f"<record {self.sequence}: {getattr(self.primitive, 'name', 'leaf')} of {of}>"


class Leaf(Record):
    """The record of a tensor that was not computed: the end of a path, where gradients add up."""

    __slots__ = ("grad",)

    def __init__(self, array: Array) -> None:
        super().__init__(array, None, (), (), {})
        self.grad: Any = None


class TensorBase:
    """The least that a tensor is: an array, and its record; None if it requires no gradient."""

    __slots__ = ("_array", "_record")
    _array: Array
    _record: Record | None


tensor_class: list[type[TensorBase]] = [TensorBase]
"""The class of what operations return: the one entry is set where operators are defined."""


def wrap(array: Array, record: Record | None = None) -> Any:
    """A tensor that holds `array` itself."""
    tensor = object.__new__(tensor_class[0])
    tensor._array, tensor._record = array, record
    return tensor
