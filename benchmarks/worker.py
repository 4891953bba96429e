"""The process of one contestant at one job: `python -m benchmarks.worker NAME JOB.npz`.

It answers each line that it reads with a line of JSON: first how the first epoch went, then a
block's time for each `block`, and the weights' accuracy for each `accuracy`. What libraries print
goes to standard error.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import contestants
from .contestants.contestant import Training
from .jobs import Job

BLOCK = 0.04
"""Seconds of a block at least; an epoch is repeated until they are over."""


def peak_memory() -> int:
    """The most that this process ever held, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) if found else 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # as in a checkout that is on the path alone
        return "unknown"


def begin(name: str, job: Job) -> tuple[dict[str, Any], Any]:
    """Start the contestant and train one epoch; what a row says of it."""
    contestant = contestants.load()[name]
    told: dict[str, Any] = {"missing": "", "warning": ""}
    started = time.perf_counter()
    epoch = None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            training = contestant.start(job)
            before = peak_memory()
            placed = training.place(job.x, job.y)
            first = time.perf_counter()
            told["loss"] = training.run(placed)
        told |= {"first": time.perf_counter() - first, "ready": first - started}
        told |= {"memory_before": before, "version": _version(contestant.package)}
        said = (str(each.message) for each in caught if each.category is UserWarning)
        told["warning"] = "; ".join(dict.fromkeys(said))[:200]
        epoch = training, placed
    except ModuleNotFoundError as error:
        told["missing"] = f"{error.name} is not installed; the extra `benchmark` brings it"
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        refused = isinstance(error, NotImplementedError)
        told["missing"] = lines[0][:200] if refused else f"{type(error).__name__}: {lines[0][:200]}"
    return told, epoch


def block(training: Training, placed: Any, steps: int) -> dict[str, float]:
    """Seconds and CPU seconds of a step: an epoch that is not timed, then those that are."""
    training.run(placed)
    epochs, cpu, started = 0, time.process_time(), time.perf_counter()
    while not epochs or time.perf_counter() - started < BLOCK:
        training.run(placed)
        epochs += 1
    spent, cpu_spent = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": spent / epochs / steps, "cpu_seconds": cpu_spent / epochs / steps}


def main(name: str, path: str) -> None:
    """Answer line by line until nothing more is asked."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = Job.load(Path(path))
    told, epoch = begin(name, job)
    print(json.dumps(told), file=answers, flush=True)
    for _ in sys.stdin:
        if epoch is None:
            return
        answer = block(*epoch, job.steps) | {"peak_memory": peak_memory()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
