"""Recording what an engine does while a script runs, in a process that tells another of it.

Messages between the two are JSON and arrays of numbers, nothing that could be run.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.tools.scripts import Program, read
from tinygrad_mnist.tools.scripts.cells import execute
from tinygrad_mnist.tools.scripts.running import become_main, prepare_plots
from tinygrad_mnist.tools.scripts.tracebacks import is_user_code, user_frames
from tinygrad_mnist.tools.scripts.variables import tensors_in

from .differences import Bounds
from .engines import Array, Engine, engine_called
from .forks import Choices

__all__ = ["LeafNames", "Message", "Recorder", "described", "main", "receive", "redirect", "send"]


class Message(NamedTuple):
    """What one process tells another: words as JSON knows them, and arrays."""

    words: dict[str, Any]
    arrays: list[Array]


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message: a line of JSON that describes the arrays, then their bytes."""
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    head = [message.words, [[array.dtype.str, list(array.shape)] for array in message.arrays]]
    stream.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read the next message; None where the stream ends, be it in the midst of one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    words, described = json.loads(line)
    arrays = []
    for kind, shape in described:
        dtype = np.dtype(kind)
        if dtype.hasobject:
            raise ValueError(f"an array of {dtype} is no array of numbers")
        count = int(np.prod(shape, dtype=np.int64))
        content = stream.read(count * dtype.itemsize)
        if len(content) < count * dtype.itemsize:
            return None
        arrays.append(np.frombuffer(content, dtype).reshape(shape))
    return Message(words, arrays)


# Names of leaves, from the script's variables: "model.0.weight"


class LeafNames:
    """Names for tensors, found once and kept while the tensor lives."""

    def __init__(self, is_tensor: Callable[[Any], bool]) -> None:
        self._is_tensor = is_tensor
        self._known: dict[int, tuple[weakref.ref[Any], str]] = {}

    def __call__(self, leaves: Iterable[Any], frames: Iterable[FrameType]) -> dict[str, Any]:
        """The leaves by name; `frames` are searched, outermost first, for those not known yet.

        A leaf that no variable leads to is called by its shape.
        """
        leaves = list(leaves)
        unknown = {id(leaf): leaf for leaf in leaves if self._name(leaf) is None}
        if unknown:
            self._search(unknown, list(frames)[::-1])
        named: dict[str, Any] = {}
        for leaf in leaves:
            name = stem = self._name(leaf) or f"a leaf {tuple(leaf.shape)}"
            number = 1
            while name in named:
                number += 1
                name = f"{stem} ({number})"
            named[name] = leaf
        return named

    def _name(self, leaf: Any) -> str | None:
        found, name = self._known.get(id(leaf), (None, None))
        return name if found is not None and found() is leaf else None

    def _search(self, unknown: dict[int, Any], frames: list[FrameType]) -> None:
        for name, tensor in tensors_in(frames, self._is_tensor):
            if unknown.pop(id(tensor), None) is not None:
                self._known[id(tensor)] = (weakref.ref(tensor), name)
            if not unknown:
                return
        for leaf in unknown.values():
            self._known[id(leaf)] = (weakref.ref(leaf), f"a leaf {tuple(leaf.shape)}")


# Recording each call of backward and each operation

_MOST_OPERATIONS = 5000
"""So many operations at most are kept between two calls of backward."""


_MOST_NUMBERS = 1024
"""So many numbers of an operation's result are kept, evenly spread."""


class _Clock:
    """A clock that can be stopped."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._begin = time.perf_counter()

    def stop(self) -> None:
        self._seconds += time.perf_counter() - self._begin

    def go_on(self) -> None:
        self._begin = time.perf_counter()

    def take(self) -> float:
        """The seconds so far, from which it begins anew; it must be stopped."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


class Recorder:
    """Sends what happens, as messages, in the order in which it happens.

    `watched_steps`: the operations of so many first calls of backward, and of what leads to them,
    are told too. With `lockstep`, every call of backward waits for the values and gradients that
    its leaves are to have, which come from there. Of the operations before each of the `looked_at`
    calls PyTorch tells all numbers, and with `lockstep` this engine takes them over.
    """

    def __init__(
        self,
        engine: Engine,
        events: BinaryIO,
        watched_steps: int,
        lockstep: BinaryIO | None = None,
        looked_at: Collection[int] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.engine = engine
        self.events = events
        self.lockstep = lockstep
        self.looked_at = looked_at
        self.bounds = bounds or Bounds()
        self.names = LeafNames(engine.is_tensor)
        self.watched_steps = watched_steps
        self.steps = 0
        self._choices: Choices | None = None
        self._watched = False
        self._clock = _Clock()
        self._thread = threading.get_ident()
        self._paused = False
        """Whether what happens is to be overlooked."""
        self._leaves: dict[str, Any] = {}
        """The last leaf of each name, kept to tell of it at the end."""
        self._operations: list[tuple[Any, tuple[int, ...], str, Array]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._silence)

    def begin(self) -> None:
        """From now on."""
        self.engine.replace_calls(self._backward, self._grad)
        self._watch_next()
        self._clock.go_on()

    @property
    def _looks(self) -> bool:
        """Whether all numbers of the operations before the next call of backward are asked for."""
        return self.steps + 1 in self.looked_at

    def _watch_next(self) -> None:
        """Be told of the operations before the next call of backward, or of none."""
        self._choices = None
        watched = self._looks or self.steps < self.watched_steps
        if self._looks and self.lockstep is not None:
            watched = False
            message = receive(self.lockstep)
            arrays = [] if message is None else message.arrays
            self._choices = Choices(self.steps + 1, arrays, self.bounds)
        if watched != self._watched:
            self.engine.observe_operations(self._note if watched else None)
            self._watched = watched
        if self._choices is not None:
            observe.set(self._choose)
        elif self.lockstep is not None and not watched:
            observe.set(None)

    def _choose(self, *call: Any) -> None:
        if not self._paused and self._choices is not None:
            self._choices(*call)

    def end(self, words: dict[str, Any]) -> None:
        """Tell of what is left, the leaves as they are at the end, and `words`."""
        self._clock.stop()
        self._paused = True
        self.engine.observe_operations(None)
        arrays = [self.engine.array(leaf) for leaf in self._leaves.values()]
        devices = sorted({str(leaf.device) for leaf in self._leaves.values()})
        told = {"kind": "end", "leaves": list(self._leaves), "devices": devices, **words}
        self._send(told, arrays)

    def _silence(self) -> None:
        """In a process that was forked off: what happens there is not told."""
        self._paused = True
        self.events = open(os.devnull, "wb")  # noqa: SIM115

    def _overlooked(self, caller: Any) -> bool:
        """Whether a call is not the script's own: made inside of the engine, or elsewhere."""
        if caller.f_code.co_name == "backward" and not is_user_code(caller.f_code.co_filename):
            caller = caller.f_back
        return (
            self._paused
            or threading.get_ident() != self._thread
            or not is_user_code(caller.f_code.co_filename)
        )

    def _call(self, original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function of the engine's, and stop the clock when it has computed."""
        self._paused = True
        try:
            return original(*arguments, **named)
        finally:
            self.engine.wait()
            self._clock.stop()
            self._paused = False

    def _backward(
        self, original: Callable[..., Any], tensors: Any, *arguments: Any, **named: Any
    ) -> None:
        if self._overlooked(sys._getframe(1)):
            original(tensors, *arguments, **named)
            return
        self.engine.wait()
        self._clock.stop()
        roots = list(tensors) if isinstance(tensors, Sequence) else [tensors]
        roots = [root for root in roots if self.engine.is_tensor(root)]
        leaves = self.names(self.engine.leaves(roots), user_frames())
        self._clock.go_on()
        self._call(original, tensors, *arguments, **named)
        self._tell_backward(roots, leaves)
        self._clock.go_on()

    def _tell_backward(self, roots: list[Any], leaves: dict[str, Any]) -> None:
        self.steps += 1
        with_grad = {name: leaf for name, leaf in leaves.items() if leaf.grad is not None}
        self._leaves.update(with_grad)
        gradients = [leaf.grad for leaf in with_grad.values()]
        words = {"kind": "backward", "roots": len(roots), "leaves": list(with_grad)}
        words["forks"] = [asdict(fork) for fork in self._choices.forks] if self._choices else []
        self._send(words, map(self.engine.array, [*roots, *gradients, *with_grad.values()]))
        if self.lockstep is not None:
            self._take_over(with_grad, self.lockstep)
        self._watch_next()

    def _take_over(self, leaves: dict[str, Any], lockstep: BinaryIO) -> None:
        """Give the leaves the gradients and values that come from outside."""
        message = receive(lockstep)
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
        found = self._call(original, *arguments, **named)
        arrays = [self.engine.array(each) for each in found if self.engine.is_tensor(each)]
        self._send({"kind": "grad", "results": len(arrays)}, arrays)
        self._clock.go_on()
        return found

    def _note(self, name: Any, tensor: Any) -> None:
        """Keep what there is to know of an operation's result."""
        full = len(self._operations) >= _MOST_OPERATIONS
        if full or self._paused or threading.get_ident() != self._thread:
            return
        self._paused = True
        try:
            frame = next(user_frames(2), None)
            place = "" if frame is None else f"{frame.f_code.co_filename}\0{frame.f_lineno}"
            numbers = self.engine.array(tensor)
            if not self._looks:
                numbers = numbers.reshape(-1)
                numbers = np.array(numbers[:: max(1, -(-numbers.size // _MOST_NUMBERS))])
            self._operations.append((name, tuple(tensor.shape), place, numbers))
        except (NotImplementedError, RuntimeError, TypeError):
            pass  # a result that has no numbers to look at, such as those of functorch
        finally:
            self._paused = False

    def _send(self, words: dict[str, Any], arrays: Iterable[Array]) -> None:
        operations = [(str(name), shape, place) for name, shape, place, _ in self._operations]
        samples = [numbers for *_, numbers in self._operations]
        self._operations.clear()
        watched = self.steps <= self.watched_steps
        words |= {"seconds": self._clock.take(), "operations": operations, "watched": watched}
        send(self.events, Message(words, [*arrays, *samples]))


# In the process in which one engine runs the script


def prepared(engine: str, path: str, options: dict[str, Any]) -> tuple[Program, Engine]:
    """The script, and the engine, seeded; what is printed goes to the files that `options` name."""
    redirect(options["stdout"], options["stderr"])
    program = read(Path(path), options["notebook"])
    prepare_plots(hidden=True)
    chosen = engine_called(engine)
    chosen.prepare(options["threads"], options["seed"])
    random.seed(options["seed"])
    np.random.seed(options["seed"] % 2**32)
    return program, chosen


def main(engine: str, path: str, options: dict[str, Any]) -> None:
    """Run the script on the engine called "torch" or "tinygrad_mnist", recording it.

    What is recorded leaves through standard output; what the script prints goes to the files
    named in `options`, which also holds "arguments", "notebook", "threads", "seed",
    "watched_steps", "looked_at", "bounds", "lockstep" and "device".
    """
    events = os.fdopen(os.dup(1), "wb")
    lockstep = os.fdopen(os.dup(0), "rb")
    program, chosen = prepared(engine, path, options)
    namespace = become_main(program, options["arguments"])
    follows = options["lockstep"] and engine != "torch"
    recorder = Recorder(
        chosen, events, options["watched_steps"], lockstep if follows else None,
        options["looked_at"], Bounds(*options["bounds"]),
    )  # fmt: skip
    if options["device"] == "cuda" and engine == "torch" and not chosen.has_gpu:
        recorder.end({"fault": "PyTorch finds no CUDA device here: --device cuda needs one"})
        return
    recorder.begin()
    words: dict[str, Any] = {}
    try:
        execute(program, namespace)
    except SystemExit as end:
        words["exit"] = end.code if isinstance(end.code, int | str | None) else str(end.code)
    except BaseException as error:
        words.update(described(error, program))
        traceback.print_exc()
    sys.stdout.flush()
    recorder.end(words)


def redirect(stdout: str, stderr: str) -> None:
    """What the script prints goes to files, and it has nothing to read."""
    sys.stdout.flush()
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)


def described(error: BaseException, program: Program) -> dict[str, str]:
    """The error that ended the script, and where."""
    frames = traceback.walk_tb(error.__traceback__)
    places = [(frame.f_code.co_filename, line) for frame, line in frames]
    own = [place for place in places if is_user_code(place[0])]
    told = f"{type(error).__name__}: {error}"
    return {"error": told, "place": program.place(*own[-1]) if own else ""}
