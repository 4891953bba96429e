"""In the process in which one engine runs the script: when its steps end, and what they compute.

Marks are taken where a script repeats itself: when its first optimiser has stepped, when `backward`
ends, when a function that it compiles returns. Inside a compiled function nothing is hooked, so
that the program is the one that the script has without us.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.tools.compare.engines import Engine
from tinygrad_mnist.tools.compare.recorder import described, prepared
from tinygrad_mnist.tools.scripts.cells import execute
from tinygrad_mnist.tools.scripts.running import become_main
from tinygrad_mnist.tools.scripts.tracebacks import user_frames

from .spans import BACKWARD, Span, medians

__all__ = ["Marks", "main"]

KINDS = ("optimizer", "backward", "compiled")


_WARM = 3
"""Steps with the profiler that do not count: engines go other ways with it, which they compile."""


class Marks:
    """When the script's steps ended, and the losses that it had."""

    def __init__(self, engine: Engine, options: dict[str, Any], end: Callable[[], Any]) -> None:
        self.engine, self._end = engine, end
        self._compiles, self._most = options["compiled"], options["steps"]
        self.profiling = _Profiling(engine, *options["profiled"]) if options["profiled"] else None
        self.compiled = 0
        """How often the script called `torch.compile`."""
        self.times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self._losses: dict[str, list[Any]] = {"backward": [], "compiled": []}
        self._updates: list[float] = []
        self._first: Any = None
        self._begun = 0.0
        self._depth = 0
        self._thread: int | None = threading.get_ident()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._silence)

    def _silence(self) -> None:
        self._thread = None

    def begin(self) -> None:
        """From now on."""
        torch: Any = importlib.import_module("torch")  # which this engine may answer
        self._compile, self._backward = torch.compile, self.engine.module.autograd.backward
        torch.compile = self._compile_call
        self._optimizers: Any = importlib.import_module("torch.optim.optimizer")
        self._hook()

    def _hook(self) -> None:
        before = self._optimizers.register_optimizer_step_pre_hook(self._steps)
        after = self._optimizers.register_optimizer_step_post_hook(self._stepped)
        self._handles = before, after
        self.engine.module.autograd.backward = self._backward_call

    @contextmanager
    def _unhooked(self) -> Iterator[None]:
        """Without anything of ours that a compiler could see."""
        for handle in self._handles:
            handle.remove()
        self.engine.module.autograd.backward = self._backward
        try:
            yield
        finally:
            self._hook()

    def _mark(self, kind: str, now: float) -> None:
        self.times[kind].append(now)
        counted = kind != "backward" or not self.times["optimizer"]
        if counted and self._most and len(self.times[kind]) >= self._most:
            self._end()

    def _steps(self, optimizer: Any, *_: Any) -> None:
        self._begun = time.perf_counter()

    def _stepped(self, optimizer: Any, *_: Any) -> None:
        now = time.perf_counter()
        if self._first is None:
            self._first = optimizer
        if optimizer is self._first and threading.get_ident() == self._thread:
            self._updates.append(now - self._begun)
            self._mark("optimizer", now)

    def _note_loss(self, kind: str, loss: Any) -> None:
        if self.engine.is_tensor(loss) and loss.ndim == 0:
            self._losses[kind].append(loss.detach())

    def _backward_call(self, tensors: Any, *arguments: Any, **named: Any) -> None:
        if self._depth or threading.get_ident() != self._thread:
            self._backward(tensors, *arguments, **named)
            return
        if self.profiling is not None and self.profiling.turns(len(self.times["backward"])):
            self._end()
        self._depth = 1
        try:
            if self.profiling is None:
                self._backward(tensors, *arguments, **named)
            else:
                with self.engine.module.profiler.record_function(BACKWARD):
                    self._backward(tensors, *arguments, **named)
        finally:
            self._depth = 0
        now = time.perf_counter()
        self._note_loss("backward", tensors)
        self._mark("backward", now)

    def _compile_call(self, model: Any = None, *arguments: Any, **named: Any) -> Any:
        if model is None:
            return lambda function: self._compile_call(function, *arguments, **named)
        self.compiled += 1
        made = self._compile(model, *arguments, **named) if self._compiles else model
        if not isinstance(model, FunctionType):
            return made

        @functools.wraps(model)
        def call(*given: Any, **by_name: Any) -> Any:
            if self._compiles:
                with self._unhooked():
                    result = made(*given, **by_name)
            else:
                result = made(*given, **by_name)
            if threading.get_ident() == self._thread:
                now = time.perf_counter()
                self._note_loss("compiled", result)
                self._mark("compiled", now)
            return result

        return call

    def told(self) -> dict[str, Any]:
        """What was found; nothing is marked any more."""
        self._thread = None
        losses = {kind: [float(loss.item()) for loss in found] for kind, found in
                  self._losses.items()}  # fmt: skip
        told = {"times": self.times, "losses": losses, "compiled": self.compiled,
                "updates": self._updates}  # fmt: skip
        return told | ({"profile": self.profiling.told()} if self.profiling else {})


class _Profiling:
    """The profiler of an engine, from one call of backward to another, and the script's lines."""

    def __init__(self, engine: Engine, first: int, steps: int) -> None:
        self._first, self._steps = first, steps
        self._is_torch = engine.module.__name__ == "torch"
        self._make = engine.module.profiler.profile
        self._profiler: Any = None
        self._lines: list[tuple[Any, str]] = []
        self._ended = False

    def turns(self, calls: int) -> bool:
        """Begin or end where it is time; whether it ended."""
        if calls in (self._first, self._first + _WARM):
            self._close()
            if not self._is_torch:
                observe.set(self._note)
            self._profiler = self._make()
            self._profiler.start()
        ends = calls == self._first + _WARM + self._steps
        if ends:
            self._close()
            self._ended = True
        return ends

    def _close(self) -> None:
        if self._profiler is not None:
            self._profiler.stop()
            observe.set(None)

    def _note(self, op: Any, inputs: Any, attributes: Any, output: Any) -> None:
        record = getattr(output, "_record", None)
        frame = next(user_frames(2), None)
        if record is not None and frame is not None:
            place = f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
            self._lines += [(op.name, place), (record, place)]

    def told(self) -> dict[str, Any]:
        """Seconds a step of every operation, and the line from which each is called most."""
        if not self._ended:
            return {}
        events = self._profiler.events()
        if self._is_torch:
            thread = Counter(event.thread for event in events).most_common(1)[0][0]
            ranges = ((e.name, e.time_range) for e in events if e.thread == thread)
            spans = [Span(name, at.start, at.end) for name, at in ranges]
        else:
            spans = [Span(e.name, e.start, e.start + e.cpu_time_total) for e in events]
        starts = sorted(span.start for span in spans if span.name == BACKWARD)
        step = 1e-6 * float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
        found = medians(spans)
        outer, every = ([[*key, seconds] for key, seconds in each.items()] for each in found)
        lines: dict[str, Counter[str]] = defaultdict(Counter)
        for what, place in self._lines:
            lines[what if isinstance(what, str) else what.name()][place] += 1
        most = {name: found.most_common(1)[0][0] for name, found in lines.items()}
        return {"outer": outer, "all": every, "lines": most, "step": step}


def main(engine: str, path: str, options: dict[str, Any]) -> None:
    """Run the script on "torch" or "tinygrad_mnist", and write what was found to `options["to"]`.

    `options`: "arguments", "notebook", "threads", "seed", "compiled" (whether `torch.compile`
    compiles), "steps" (end after so many; 0: never), "profiled" (None, or which call of backward
    is the first, and how many), "began" (when the process was started), "stdout", "stderr".
    """
    program, chosen = prepared(engine, path, options)
    imported = time.perf_counter()

    def end(words: dict[str, Any] | None = None) -> None:
        now = time.perf_counter()
        stopped = words is None
        told = {"began": options["began"], "imported": imported, "ended": now, "stopped": stopped}
        told |= {**marks.told(), **(words or {})}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        Path(options["to"]).write_text(json.dumps(told), encoding="utf-8")
        if stopped:
            os._exit(0)

    marks = Marks(chosen, options, end)
    marks.begin()
    namespace = become_main(program, options["arguments"])
    words: dict[str, Any] = {}
    try:
        execute(program, namespace)
    except SystemExit as error:
        if error.code not in (None, 0):
            words["error"] = f"it exits with {error.code}"
    except BaseException as error:
        words |= described(error, program)
        traceback.print_exc()
    end(words)
