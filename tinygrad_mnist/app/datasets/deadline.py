"""Waiting for work no longer than one wants to, whatever it hangs in.

Time-outs of sockets do not bound the look-up of a name, nor a server that sends a byte at a
time. So the work runs in a thread that can be left behind.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_GRACE_SECONDS = 0.5
"""For the work to notice that it was cancelled and to tidy up."""


def within(seconds: float, work: Callable[[Event], T]) -> T:
    """The result of `work(cancelled)`, or its exception.

    Raises:
        TimeoutError: it took longer. The event is set then, and on KeyboardInterrupt; the
            thread, a daemon, ends when it looks at it.

    >>> within(5.0, lambda cancelled: "done")
    'done'
    """
    cancelled = Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(cancelled))
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        for error in errors:
            raise error
        for result in results:
            return result
        raise TimeoutError(f"not done within {seconds:g} s")
    finally:
        cancelled.set()
        thread.join(_GRACE_SECONDS)
