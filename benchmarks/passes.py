"""What each pass gains: the compiled step with one left out; `python -m benchmarks.passes`."""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from unittest import mock

import tinygrad_mnist
from tinygrad_mnist.compiler import build, choices
from tinygrad_mnist.compiler.passes import fusion

from . import jobs, measure
from .contestants.torchlike import module_step, training
from .intervals import interval, ratio
from .worker import block

JOBS = ("logistic-64", "mlp-64", "cnn-64")
ROUNDS = 9


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


def _changed(change: Change, job: jobs.Job) -> tuple[Callable[[], float], dict[str, Any]]:
    """A block of the step compiled with the change, in seconds a step; and what it consists of."""
    step, model = module_step(tinygrad_mnist, job)
    compiled = tinygrad_mnist.compile(step)
    trained = training(tinygrad_mnist, compiled, model.parameters)
    placed = trained.place(job.x, job.y)
    with change.patch(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained.run(placed)
    told = "; ".join(str(each.message) for each in caught)
    stats = {"warnings": told} if told else asdict(compiled.stats)
    return lambda: block(trained, placed, job.steps)["seconds"], stats


def _table(job: jobs.Job) -> Iterator[str]:
    """A line a change: the time of a step, how many of the whole's fit into it, what it holds."""
    made = {c.name: _changed(c, job) for c in (Change("all passes", _nothing), *changes())}
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(ROUNDS):
        for name, (timed, _) in made.items():
            times[name].append(timed())
    heads = f"{'µs a step':>11}{'ratio':>7}  {'95 %':13}{'loops':>6}{'calls':>6}{'KiB':>9}"
    yield f"{job.name:36}{heads}"
    for name, (_, stats) in made.items():
        beside = ratio(times["all passes"], times[name])
        text = f"{name:36}{interval(times[name]).median * 1e6:11.1f}{beside.median:7.2f}  "
        text += f"{f'[{beside.low:.2f}, {beside.high:.2f}]':13}"
        if "warnings" in stats:
            yield f"{text}  {stats['warnings'][:60]}"
            continue
        yield f"{text}{stats['loops']:6}{stats['calls']:6}{stats['temporary_bytes'] / 1024:9.1f}"


def main() -> None:
    """For each job: the step as it is beside the step without each pass."""
    tinygrad_mnist.set_num_threads(1)
    digits = measure.load_digits()
    for name in JOBS:
        print(*_table(jobs.make(name, *digits)), "", sep="\n")


if __name__ == "__main__":
    main()
