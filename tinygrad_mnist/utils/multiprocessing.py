"""Python's multiprocessing, and tensors that processes share.

A tensor in shared memory (`share_memory_()`, `Module.share_memory()`) is sent as its place there:
all processes read and write the same numbers. Those that a process is started with ("spawn") move
there by themselves, if no view of them is held; of all others a copy is sent.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.sharing import send
from tinygrad_mnist.nn.parameter import Parameter

for _kind in (Tensor, Parameter):
    ForkingPickler.register(_kind, send)


def __getattr__(name: str) -> Any:
    return getattr(multiprocessing, name)


def get_all_sharing_strategies() -> set[str]:
    """The ways to share memory: by the number of an open file."""
    return {"file_descriptor"}


def get_sharing_strategy() -> str:
    """The way in which memory is shared."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Nothing: "file_descriptor" is the one way. Raises NotImplementedError for "file_system"."""
    if new_strategy != "file_descriptor":
        raise NotImplementedError(
            f"the sharing strategy {new_strategy!r} is not there: memory is shared by "
            "'file_descriptor'; raise the limit of open files (ulimit -n) where that is too low"
        )


class ProcessException(Exception):
    """A process of `spawn` failed: which by its index, its pid, how it ended."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int | None = None,
        signal_name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, error_pid
        self.exit_code, self.signal_name = exit_code, signal_name


class ProcessRaisedException(ProcessException):
    """The function raised; the message holds the traceback."""


class ProcessExitedException(ProcessException):
    """The process ended with another code than 0, or by a signal."""


class ProcessContext:
    """The processes that `spawn` started."""

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes, self._errors = processes, errors
        self._running = dict(enumerate(processes))

    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait until a process ends; True if all have. One that failed ends the others."""
        ended = wait([each.sentinel for each in self._running.values()], timeout)
        for index, process in list(self._running.items()):
            if process.sentinel not in ended:
                continue
            del self._running[index]
            process.join()
            if process.exitcode != 0:
                self._fail(index, process)
        return not self._running

    def _fail(self, index: int, failed: Any) -> None:
        for process in self._running.values():
            process.terminate()
            process.join()
        with contextlib.suppress(EOFError):
            told = self._errors[index].recv()
            text = f"\n\n-- Process {index} terminated with the following error:\n{told}"
            raise ProcessRaisedException(text, index, failed.pid)
        code = failed.exitcode
        name = signal.Signals(-code).name if code < 0 else None
        text = (
            f"process {index} terminated with {f'signal {name}' if name else f'exit code {code}'}"
        )
        raise ProcessExitedException(text, index, failed.pid, code, name)


def _work(fn: Callable[..., Any], index: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        errors.send(traceback.format_exc())
        sys.exit(1)


def start_processes(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True,
    daemon: bool = False, start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """Run `fn(index, *args)` in `nprocs` processes, and wait for them if `join`.

    A process that fails ends the others, and its error is raised here: ProcessRaisedException
    with its traceback, or ProcessExitedException.
    """
    here = multiprocessing.get_context(start_method)
    processes, errors = [], []
    for index in range(nprocs):
        reader, writer = here.Pipe(duplex=False)
        process: Any = here.Process(target=_work, args=(fn, index, args, writer), daemon=daemon)  # type: ignore[attr-defined]
        process.start()
        writer.close()
        processes.append(process)
        errors.append(reader)
    context = ProcessContext(processes, errors)
    while join and not context.join():
        pass
    return None if join else context


def spawn(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True,
    daemon: bool = False, start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """`start_processes` by the method "spawn": each process imports the program anew."""
    return start_processes(fn, args, nprocs, join, daemon, "spawn")
