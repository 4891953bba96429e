"""Recording what an engine does while a script runs: each call of backward, each operation."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from tinygrad_mnist.tools.scripts.frames import is_persons, persons_frames

from . import wire
from .engine import Array, Engine, sample
from .leaf_names import LeafNames
from .wire import Message

__all__ = ["Recorder"]

_MOST_OPERATIONS = 5000
"""So many operations at most are kept between two calls of backward."""


class _Clock:
    """A clock that can be stopped."""

    def __init__(self) -> None:
        self._gathered = 0.0
        self._begin = time.perf_counter()

    def stop(self) -> None:
        self._gathered += time.perf_counter() - self._begin

    def go_on(self) -> None:
        self._begin = time.perf_counter()

    def take(self) -> float:
        """The seconds gathered so far, from which it begins anew; it must be stopped."""
        seconds, self._gathered = self._gathered, 0.0
        return seconds


class Recorder:
    """Sends what happens, as messages, in the order in which it happens.

    `watched_steps`: the operations of so many first calls of backward, and of what leads to them,
    are told too. With `orders`, every call of backward waits for the values and gradients that
    its leaves are to have.
    """

    def __init__(
        self,
        engine: Engine,
        events: BinaryIO,
        watched_steps: int,
        orders: BinaryIO | None = None,
    ) -> None:
        self.engine = engine
        self.events = events
        self.orders = orders
        self.names = LeafNames(engine.is_tensor)
        self.watched_steps = watched_steps
        self.steps = 0
        self._clock = _Clock()
        self._thread = threading.get_ident()
        self._resting = False
        """Whether what happens is to be overlooked."""
        self._kept: dict[str, Any] = {}
        """The last leaf of each name, kept to tell of it at the end."""
        self._operations: list[tuple[Any, tuple[int, ...], str, Array]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._fall_silent)

    def begin(self) -> None:
        """From now on."""
        self.engine.replace_calls(self._backward, self._grad)
        if self.watched_steps:
            self.engine.watch_operations(self._note)
        self._clock.go_on()

    def end(self, words: dict[str, Any]) -> None:
        """Tell of what is left, the leaves as they are at the end, and `words`."""
        self._clock.stop()
        self._resting = True
        self.engine.watch_operations(None)
        arrays = [self.engine.array(leaf) for leaf in self._kept.values()]
        devices = sorted({str(leaf.device) for leaf in self._kept.values()})
        told = {"kind": "end", "leaves": list(self._kept), "devices": devices, **words}
        self._send(told, arrays)

    def _fall_silent(self) -> None:
        """In a process that was forked off: what happens there is not told."""
        self._resting = True
        self.events = open(os.devnull, "wb")  # noqa: SIM115

    def _overlooked(self, caller: Any) -> bool:
        """Whether a call is not the script's own: made inside of the engine, or elsewhere."""
        if caller.f_code.co_name == "backward" and not is_persons(caller.f_code.co_filename):
            caller = caller.f_back
        return (
            self._resting
            or threading.get_ident() != self._thread
            or not is_persons(caller.f_code.co_filename)
        )

    def _backward(
        self, original: Callable[..., Any], tensors: Any, *arguments: Any, **named: Any
    ) -> None:
        if self._overlooked(sys._getframe(1)):
            original(tensors, *arguments, **named)
            return
        self.engine.wait()
        self._clock.stop()
        roots = list(tensors) if isinstance(tensors, Sequence) else [tensors]
        tensor_roots = [root for root in roots if self.engine.is_tensor(root)]
        leaves = self.names(self.engine.leaves(tensor_roots), persons_frames())
        self._resting = True
        self._clock.go_on()
        try:
            original(tensors, *arguments, **named)
        finally:
            self.engine.wait()
            self._clock.stop()
            self._resting = False
        self._tell_backward(tensor_roots, leaves)
        self._clock.go_on()

    def _tell_backward(self, roots: list[Any], leaves: dict[str, Any]) -> None:
        self.steps += 1
        with_grad = {name: leaf for name, leaf in leaves.items() if leaf.grad is not None}
        self._kept.update(with_grad)
        arrays = [self.engine.array(root) for root in roots]
        arrays += [self.engine.array(leaf.grad) for leaf in with_grad.values()]
        arrays += [self.engine.array(leaf) for leaf in with_grad.values()]
        words = {"kind": "backward", "roots": len(roots), "leaves": list(with_grad)}
        self._send(words, arrays)
        if self.steps >= self.watched_steps:
            self.engine.watch_operations(None)
        if self.orders is not None:
            self._obey(with_grad)

    def _obey(self, leaves: dict[str, Any]) -> None:
        """Give the leaves the gradients and values that come from outside."""
        assert self.orders is not None
        message = wire.receive(self.orders)
        if message is None or not message.words.get("leaves"):
            return
        names = message.words["leaves"]
        gradients, values = message.arrays[: len(names)], message.arrays[len(names) :]
        for name, gradient, value in zip(names, gradients, values, strict=True):
            leaf = leaves.get(name)
            if leaf is not None and tuple(leaf.shape) == value.shape:
                self.engine.overwrite(leaf.grad, gradient)
                self.engine.overwrite(leaf, value)

    def _grad(self, original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self._overlooked(sys._getframe(1)):
            return original(*arguments, **named)
        self._resting = True
        try:
            found = original(*arguments, **named)
        finally:
            self.engine.wait()
            self._clock.stop()
            self._resting = False
        results = [gradient for gradient in found if self.engine.is_tensor(gradient)]
        self._send(
            {"kind": "grad", "results": len(results)},
            [self.engine.array(result) for result in results],
        )
        self._clock.go_on()
        return found

    def _note(self, name: Any, tensor: Any) -> None:
        """Keep what there is to know of an operation's result."""
        if self._resting or threading.get_ident() != self._thread:
            return
        if len(self._operations) >= _MOST_OPERATIONS:
            return
        self._resting = True
        try:
            frame = next(persons_frames(2), None)
            place = "" if frame is None else f"{frame.f_code.co_filename}\0{frame.f_lineno}"
            numbers = sample(self.engine.array(tensor))
            self._operations.append((name, tuple(tensor.shape), place, numbers))
        except (NotImplementedError, RuntimeError, TypeError):
            pass  # a result that has no numbers to look at, such as those of functorch
        finally:
            self._resting = False

    def _send(self, words: dict[str, Any], arrays: list[Array]) -> None:
        operations = [(str(name), shape, place) for name, shape, place, _ in self._operations]
        samples = [numbers for *_, numbers in self._operations]
        self._operations.clear()
        words = {
            **words,
            "seconds": self._clock.take(),
            "operations": operations,
            "watched": self.steps <= self.watched_steps,
        }
        wire.send(self.events, Message(words, [*arrays, *samples]))
