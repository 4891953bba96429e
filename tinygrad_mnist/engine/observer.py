"""One observer a thread, which is told of every call of a primitive, and of what no call shows.

Anomaly detection and the tracer are such observers: nothing else of the engine knows of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from tinygrad_mnist.core.primitive import Primitive
from tinygrad_mnist.core.record import Array

from .tensor import TensorBase, wrap

Observer = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], None]

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


def _forget_other_threads() -> None:
    """In a child, which has one thread."""
    own = OBSERVERS.get(threading.get_ident())
    OBSERVERS.clear()
    observe.set(own)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def report(
    op: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any], output: TensorBase | None
) -> None:
    """Tell this thread's observer, if it has one, of a call."""
    observer = OBSERVERS.get(threading.get_ident())
    if observer is not None:
        observer(op, inputs, attributes, output)


def _never_called() -> Any:
    raise NotImplementedError("this is reported to observers, and never called")


def _sign(name: str, meaning: str) -> Primitive:
    """What stands, in a report, for something that no operation did."""
    sign = Primitive(_never_called)
    sign.name, sign.__doc__ = name, meaning
    return sign


constant = _sign("constant", "numbers that no operation computed: of `torch.tensor` and the like")
from_outside = _sign("from_outside", "numbers of a NumPy array, which the next call may change")
item = _sign("item", "x, read by Python: by `.item()`, `.tolist()`, `.numpy()` or `bool()`")
detached = _sign("detach", "x without its record: by `.detach()`, `.data` or `torch.tensor(x)`")
untraceable = _sign("untraceable", "what no program can repeat; reported with why")


def note_constant(array: Array) -> Array:
    """An array made of Python's numbers alone, of which an observer is told as a constant."""
    if OBSERVERS:
        report(constant, (), {}, wrap(array))
    return array


def note_untraceable(
    why: str = "the numbers of a tensor decide what is computed, or of which shape a tensor is",
) -> None:
    """Tell an observer that no program can repeat what is done here, and why."""
    if OBSERVERS:
        report(untraceable, (), {"why": why}, None)
