"""What each pass gains: the compiled step with one left out, one thread.

`python -m benchmarks passes` puts it into a file of results; `python -m benchmarks.passes` prints
the entries.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import tinygrad_mnist
from tinygrad_mnist.compiler import build, choices
from tinygrad_mnist.compiler.passes import fusion

from . import jobs, measure
from .contestants.torchlike import module_step, training
from .worker import block

JOBS = ("logistic-64", "mlp-64", "cnn-64")
WHOLE = "all passes"


@dataclass(frozen=True)
class Change:
    """A compiler with something left out while `patch` holds."""

    name: str
    patch: Callable[[], Any]


def _alone(waiting: list[Any], ready: Callable[[Any, set[Any]], bool]) -> fusion.Loop:
    """A loop of one instruction."""
    first = next(i for i in waiting if fusion._can_loop(i) and ready(i, set()))
    reduces = first.op in ("sum", "amax", "amin", "pick")
    loop = fusion.Loop(first.inputs[0].shape if reduces else first.output.shape)
    loop.admit(first)
    return loop


def changes() -> Iterator[Change]:
    """Each pass left out, wherever it runs; then fusion, and our own products."""
    for name in dict.fromkeys(step.__name__ for step in build.PASSES):
        kept = tuple(step for step in build.PASSES if step.__name__ != name)
        yield Change(f"without {name}", lambda kept=kept: mock.patch.object(build, "PASSES", kept))
    yield Change("without fusion", lambda: mock.patch.object(fusion, "_grow", _alone))
    yield Change(
        "without our own products",
        lambda: mock.patch.object(choices.Product, "best", lambda self: self.candidates()[0]),
    )


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _changed(change: Change, job: jobs.Job) -> tuple[Callable[[], float], str]:
    """A block of the step compiled with the change, in seconds a step; and what was warned of."""
    step, model = module_step(tinygrad_mnist, job)
    compiled = tinygrad_mnist.compile(step)
    trained = training(tinygrad_mnist, compiled, model.parameters)
    placed = trained.place(job.x, job.y)
    with change.patch(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained.run(placed)
    told = "; ".join(str(each.message) for each in caught)
    return lambda: block(trained, placed, job.steps)["seconds"], told


def entries(job: jobs.Job, rounds: int) -> Iterator[dict[str, Any]]:
    """For each change, as a file of results holds it: seconds a step, and why it is replayed."""
    made = {c.name: _changed(c, job) for c in (Change(WHOLE, _nothing), *changes())}
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, (timed, _) in made.items():
            times[name].append(timed())
    for name, (_, told) in made.items():
        yield {"job": job.name, "change": name, "seconds": times[name], "told": told}


def main(rounds: str = "9") -> None:
    """For each job, the step as it is and the step without each pass, as JSON."""
    tinygrad_mnist.set_num_threads(1)
    digits = measure.load_digits()
    made = (jobs.make(name, *digits) for name in JOBS)
    print(json.dumps([entry for job in made for entry in entries(job, int(rounds))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
