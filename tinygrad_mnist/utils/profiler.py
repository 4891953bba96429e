"""Where time goes: operations, the records of a backward pass, and spans of one's own.

Every operation that computes is timed, and every record's gradients; PyTorch's smaller steps
inside of an operation, memory, stacks and floating-point operations are not told apart.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from tinygrad_mnist.engine.backward_pass import vjp
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import OBSERVERS, observe
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.optim import hooks
from tinygrad_mnist.serialization import files

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule",
    "tensorboard_trace_handler",
]  # fmt: skip

ProfilerActivity = enum.Enum("ProfilerActivity", ["CPU", "CUDA", "XPU", "MTIA", "HPU"])
"""What may be measured: the CPU; the others are accepted, and never there."""
ProfilerAction = enum.Enum(
    "ProfilerAction", [("NONE", 0), ("WARMUP", 1), ("RECORD", 2), ("RECORD_AND_SAVE", 3)]
)
"""What a profiler does in a step."""
_SECOND = 1e6
"""PyTorch counts microseconds."""


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:  # fmt: skip
    """What to do in each step: wait, warm up, record; so often, 0 for ever.

    >>> plan = torch.profiler.schedule(wait=1, warmup=1, active=1, repeat=1)
    >>> [plan(step).name for step in range(4)]
    ['NONE', 'WARMUP', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, active - 1, repeat, skip_first) < 0:
        raise AssertionError("schedule(): active must be at least 1, the other numbers at least 0")
    if warmup == 0:
        told = "Profiler won't be using warmup, this can skew profiler results"
        warnings.warn(told, stacklevel=2)

    def action(step: int) -> ProfilerAction:
        number = step - skip_first
        if skip_first_wait and number >= 0:
            number += wait
        cycle, place = divmod(number, wait + warmup + active)
        if number < 0 or (repeat and cycle >= repeat) or place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        last = place == wait + warmup + active - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


class Event:
    """A span (an operation, a record's gradients, a `record_function`), or all spans of a name.

    Times are in microseconds: `cpu_time` of a span on average, `self_cpu_time_total` without those
    of the spans within.
    """

    def __init__(self, key: str, count: int = 1, whole: float = 0.0, own: float = 0.0) -> None:
        self.name = self.key = key
        self.count, self.cpu_time_total, self.self_cpu_time_total = count, whole, own
        self.start = time.perf_counter() * _SECOND

    @property
    def cpu_time(self) -> float:
        """The time of a span, on average."""
        return self.cpu_time_total / max(self.count, 1)

    def __repr__(self) -> str:
        own, each = _told(self.self_cpu_time_total), _told(self.cpu_time)
        return f"<FunctionEventAvg key={self.key} self_cpu_time={own} cpu_time={each}>"


class EventList(list[Event]):
    """Events, or their averages."""

    def key_averages(self, group_by_input_shape: bool = False) -> EventList:
        """All events of one name together, in the order of their first ones."""
        if group_by_input_shape:
            raise NotImplementedError("key_averages(group_by_input_shape=True) is not supported")
        by_name: dict[str, EventList] = {}
        for event in self:
            by_name.setdefault(event.key, EventList()).append(event)
        return EventList(events.total_average(name) for name, events in by_name.items())

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events."""
        return float(sum(event.self_cpu_time_total for event in self))

    def total_average(self, key: str = "Total") -> Event:
        """All events together."""
        whole = sum(event.cpu_time_total for event in self)
        return Event(key, sum(event.count for event in self), whole, self.self_cpu_time_total)

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, header: str | None = None,
    ) -> str:  # fmt: skip
        """The events as a table, the largest `sort_by` first: "cpu_time_total", "count", …"""
        rows = list(self)
        if sort_by is not None:
            name = sort_by.replace("cuda", "cpu").replace("device", "cpu")
            rows.sort(key=lambda event: -getattr(event, name))
        total = self.self_cpu_time_total or 1.0
        width = min(max([4, *(len(event.key) for event in rows)]) + 4, max_name_column_width)
        lines = [("Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg",
                  "# of Calls")]  # fmt: skip
        for event in rows[:row_limit] if row_limit >= 0 else rows:
            key = event.key if len(event.key) <= width else f"{event.key[: width - 3]}..."
            own, whole = event.self_cpu_time_total, event.cpu_time_total
            lines.append((key, f"{own / total:.2%}", _told(own), f"{whole / total:.2%}",
                          _told(whole), _told(event.cpu_time), str(event.count)))  # fmt: skip
        rule = "  ".join("-" * length for length in (width, *[12] * 6))
        first, *others = (
            "  ".join([name.rjust(width), *(each.rjust(12) for each in cells)])
            for name, *cells in lines
        )
        head = [] if header is None else ["=" * len(rule), header]
        foot = f"Self CPU time total: {_told(self.self_cpu_time_total)}"
        return "\n".join([*head, rule, first, rule, *others, rule, foot, ""])

    def __str__(self) -> str:
        return self.table()


def _told(microseconds: float) -> str:
    scale, unit = next(
        row for row in ((1e6, "s"), (1e3, "ms"), (0, "us")) if microseconds >= row[0]
    )
    return f"{microseconds / (scale or 1):.3f}{unit}"


_running: list[profile] = []
"""The profiler that records, if one does."""


class record_function(contextlib.ContextDecorator):
    """A span of one's own, in a `with` block or for the calls of a decorated function."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._open: list[profile | None] = []

    def __enter__(self) -> Self:
        self._open.append(_running[-1] if _running else None)
        if self._open[-1] is not None:
            self._open[-1]._begin(self.name)
        return self

    def __exit__(self, *error: object) -> None:
        if (recorder := self._open.pop()) is not None:
            recorder._end()


class profile:
    """Time operations inside a `with` block, or between `start()` and `stop()`.

    `schedule` says what to do in which step, `step()` that the next begins; after those that were
    recorded `on_trace_ready` is called with the profiler. Only the thread that starts it is timed.

    >>> with torch.profiler.profile() as profiler:
    ...     with torch.profiler.record_function("mine"):
    ...         _ = torch.ones(2) + 1
    >>> [event.key for event in profiler.key_averages()]
    ['mine', 'aten::add']
    """

    def __init__(
        self, activities: Any = None, *, schedule: Callable[[int], Any] | None = None,
        on_trace_ready: Callable[[Any], Any] | None = None, record_shapes: bool = False,
        profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
        with_modules: bool = False, enabled: bool = True, **settings: Any,
    ) -> None:  # fmt: skip
        asked = locals()
        optional = ("profile_memory", "with_stack", "with_flops", "with_modules", "record_shapes")
        if missing := ", ".join(name for name in optional if asked[name]):
            warnings.warn(f"profile(): only time is measured here, not {missing}", stacklevel=2)
        self._enabled = enabled and activities is not False
        self._plan = schedule or (lambda step: ProfilerAction.RECORD)
        self._ready = on_trace_ready
        self.step_num = 0
        self.function_events = EventList()
        self._stack: list[Event] = []
        self._installed = contextlib.ExitStack()

    @contextlib.contextmanager
    def _span(self, name: str) -> Iterator[None]:
        self._begin(name)
        try:
            yield
        finally:
            self._end()

    def _begin(self, name: str) -> None:
        self._stack.append(Event(name))
        self.function_events.append(self._stack[-1])

    def _end(self) -> None:
        event = self._stack.pop()
        event.cpu_time_total = time.perf_counter() * _SECOND - event.start
        event.self_cpu_time_total += event.cpu_time_total
        if self._stack:
            self._stack[-1].self_cpu_time_total -= event.cpu_time_total

    def _install(self) -> None:
        """From now on, time what this thread computes."""
        compute, thread = Primitive.compute, threading.get_ident()
        observer, gradients = OBSERVERS.get(thread), backward_mode.vjp

        def timed(op: Any, values: Any, attributes: Any) -> Any:
            if threading.get_ident() != thread:
                return compute(op, values, attributes)
            with self._span(f"aten::{op.name}"):
                return compute(op, values, attributes)

        def timed_vjp(record: Any, *arguments: Any) -> Any:
            with self._span(record.name()):
                return (gradients or vjp)(record, *arguments)

        def begin_step(optimizer: Any, *arguments: Any) -> None:
            self._begin(f"Optimizer.step#{type(optimizer).__name__}.step")

        Primitive.compute = timed  # type: ignore[method-assign, assignment]
        # Where somebody observes, every call goes by way of `compute`.
        observe.set(observer or (lambda *report: None))
        backward_mode.vjp = timed_vjp
        _running.append(self)
        before = hooks.register_optimizer_step_pre_hook(begin_step)
        after = hooks.register_optimizer_step_post_hook(lambda *arguments: self._end())

        def restore() -> None:
            Primitive.compute = compute  # type: ignore[method-assign]
            observe.set(observer)
            backward_mode.vjp = gradients
            _running.remove(self)
            before.remove()
            after.remove()

        self._installed.callback(restore)

    def start(self) -> None:
        """Begin what the schedule asks of this step."""
        if self._enabled and self._plan(self.step_num) in _RECORDING and self not in _running:
            self.function_events = EventList()
            self._install()

    def step(self) -> None:
        """Go on to the next step."""
        finished = self._plan(self.step_num) is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        if finished:
            self.stop()
        if self._plan(self.step_num) not in _RECORDING:
            self._installed.close()
        self.start()

    def stop(self) -> None:
        """End; what was recorded is handed to `on_trace_ready`."""
        if self in _running:
            self._installed.close()
            if self._ready is not None:
                self._ready(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # What was found

    def events(self) -> EventList:
        """The events in the order in which they began."""
        return self.function_events

    def key_averages(self, group_by_input_shape: bool = False) -> EventList:
        """All events of one name together."""
        return self.function_events.key_averages(group_by_input_shape)

    def __getattr__(self, name: str) -> Any:
        if name in ("table", "total_average", "self_cpu_time_total"):
            return getattr(self.function_events, name)
        raise AttributeError(f"torch.profiler.profile.{name} is not part of tinygrad_mnist")

    def __str__(self) -> str:
        return str(self.function_events)

    def export_chrome_trace(self, path: str) -> None:
        """Write the events for a browser's trace viewer (chrome://tracing, ui.perfetto.dev)."""
        events = [
            {"ph": "X", "name": event.name, "ts": event.start, "dur": event.cpu_time_total,
             "pid": os.getpid(), "tid": 0, "cat": "cpu_op"}
            for event in self.function_events
        ]  # fmt: skip
        with files.writing(Path(path)) as file:
            file.write(json.dumps({"traceEvents": events}).encode())


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """For `on_trace_ready`: write the trace into a folder, under a name of its own."""
    if use_gzip:
        raise NotImplementedError("tensorboard_trace_handler(use_gzip=True) is not supported")

    def handle(profiler: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json"
        profiler.export_chrome_trace(os.path.join(dir_name, name))

    return handle
