"""Everyone at one job, each in a process of its own, in rounds: A B C, B C A, C A B, …

While one works the others are stopped, so that no thread that waits by spinning disturbs it. A
ratio compares times of the same round: other programs on the machine disturb both alike.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 2e-3
"""How far, relatively, the loss of the first epoch may lie from that in double precision."""
_ONE_THREAD_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@dataclass
class Row:
    """A contestant at a job: its blocks, or why there are none."""

    contestant: str
    missing: str = ""
    warning: str = ""
    version: str = ""
    loss: float | None = None
    same_loss: bool = False
    first_epoch: float | None = None
    """Seconds, whatever it compiles in it."""
    memory: float | None = None
    """MiB more at the peak than before the job's data were there."""
    seconds: list[float] = field(default_factory=list)
    """Of a step, in each round."""
    cpu_seconds: list[float] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        """Whether it ran and reached the loss."""
        return bool(self.seconds) and self.same_loss

    def as_dict(self) -> dict[str, Any]:
        """For a file of results."""
        return asdict(self)


def environment(threads: int) -> dict[str, str]:
    """What tells every library how many threads it has, before it is imported."""
    told = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    told |= {"JAX_PLATFORMS": "cpu", "DEV": "CPU", "PYTHONWARNINGS": "ignore"}
    if threads == 1:
        told["XLA_FLAGS"] = _ONE_THREAD_OF_XLA
    return {**os.environ, **told, "PYTHONPATH": str(ROOT)}


class Worker:
    """The process of one contestant at one job."""

    def __init__(self, contestant: str, job: Path, threads: int) -> None:
        self.row = Row(contestant)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", contestant, str(job)],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def begin(self, right: float) -> None:
        """Wait until it has trained an epoch, and look at its loss."""
        told = self._answer()
        self.row.missing, self.row.warning = told["missing"], told.get("warning", "")
        if not self.row.missing:
            self.row.loss, self.row.version = told["loss"], told["version"]
            self.row.first_epoch, self._before = told["first"], told["memory_before"]
            self.row.same_loss = abs(told["loss"] - right) <= TOLERANCE * abs(right)
            self._signal(signal.SIGSTOP)

    def block(self) -> None:
        """Let it run one block while everyone else is stopped."""
        self._signal(signal.SIGCONT)
        assert self.process.stdin
        self.process.stdin.write("block\n")
        self.process.stdin.flush()
        told = self._answer()
        self._signal(signal.SIGSTOP)
        if told["missing"]:
            self.row.missing, self.row.seconds, self.row.cpu_seconds = told["missing"], [], []
            return
        self.row.seconds.append(told["seconds"])
        self.row.cpu_seconds.append(told["cpu_seconds"])
        self.row.memory = (told["peak_memory"] - self._before) / 1024

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if line:
            return {"missing": "", **json.loads(line)}
        self.process.wait()
        assert self.process.stderr
        last = (self.process.stderr.read().strip().splitlines() or ["nothing was said"])[-1]
        return {"missing": f"its process ended with {self.process.returncode}: {last[:200]}"}

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def end(self) -> None:
        """Let nothing of it stay."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(names: Sequence[str], job: Path, threads: int, right: float) -> Iterator[list[Worker]]:
    """A process for each contestant, all of them begun and stopped."""
    with ExitStack() as stack:
        found = []
        for name in names:
            worker = Worker(name, job, threads)
            stack.callback(worker.end)
            worker.begin(right)
            found.append(worker)
        yield found


def race(
    names: Sequence[str],
    job: Path,
    threads: int,
    rounds: int,
    right: float,
    between: Callable[[], object] = lambda: None,
) -> list[Row]:
    """The rows of all contestants at the job of a file, whose right loss is given."""
    with workers(names, job, threads, right) as started:
        ready = [worker for worker in started if not worker.row.missing]
        for number in range(rounds):
            between()
            first = number % max(1, len(ready))
            for worker in ready[first:] + ready[:first]:
                if not worker.row.missing:
                    worker.block()
        return [worker.row for worker in started]
