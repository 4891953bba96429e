"""Did a change make us slower? `python -m benchmarks regression`, as continuous integration asks.

Each stage is held beside the same steps written by hand in NumPy, in the same process, on one
thread, in blocks that take turns; what counts is the ratio of processor time. A stage that is
slower than its bound allows is measured again, twice at most: what is slow by chance is not so
three times.

How the bounds were chosen: `USUAL` are medians of quiet runs on a processor with AVX-512; runs
beside programs that kept every core busy lay within a tenth of them. A stage may lie `ROOM` times
above, since another processor has other ratios: more where our own loops stand beside NumPy's,
least where both sides do little but call the same BLAS. Stages are chosen so that each kind of
regression is a large part of one of them: at small batches a call's overhead, at 4096 images, of
the forward pass alone, anything that copies or reads the batch once more.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist import kernels
from tinygrad_mnist.tools.bench.intervals import Interval, ratio

from . import contestants, jobs
from .contestants import numpylike, torchlike
from .contestants.contestant import Training, step_by_step
from .jobs import Array, Job
from .worker import block

ROUNDS, ATTEMPTS = 15, 3
COMPILED, SCAN, EAGER = (f"tinygrad_mnist, {way}" for way in ("compiled", "scan", "eager"))
FUNCTIONAL, FORWARD = "tinygrad_mnist, functional", "tinygrad_mnist, forward pass"
BY_HAND, FORWARD_BY_HAND = "NumPy by hand", "NumPy by hand, forward pass"
USUAL = {
    ("logistic-64", FUNCTIONAL): 1.75,
    ("logistic-64", EAGER): 1.85,
    ("logistic-64", COMPILED): 0.62,
    ("logistic-64", SCAN): 0.48,
    ("logistic-4096", FORWARD): 1.03,
    ("logistic-4096", EAGER): 1.02,
    ("mlp-64", EAGER): 1.25,
    ("mlp-64", COMPILED): 0.65,
    ("cnn-16", EAGER): 0.91,
}
"""By job and stage, the ratio to NumPy by hand."""
ROOM = {FUNCTIONAL: 1.5, EAGER: 1.5, COMPILED: 2.0, SCAN: 2.0, FORWARD: 1.25}


@dataclass(frozen=True)
class Stage:
    """A way of ours to do a job, and the time of a step beside NumPy's."""

    job: str
    name: str
    usual: float

    @property
    def bound(self) -> float:
        """What the ratio may be."""
        return ROOM[self.name] * self.usual

    def measure(self, job: Job, rounds: int = ROUNDS) -> Interval:
        """Our processor time in NumPy's, round by round."""
        rival = FORWARD_BY_HAND if self.name == FORWARD else BY_HAND
        timed = [_timed(job, name) for name in (self.name, rival)]
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for each, spent in zip(timed, times, strict=True):
                spent.append(each())
        return ratio(times[1], times[0])


def stages() -> list[Stage]:
    """All that are looked at."""
    return [Stage(job, name, usual) for (job, name), usual in USUAL.items()]


def _start(job: Job, name: str) -> Training:
    if name == FUNCTIONAL:
        step, weights = torchlike.functional(tinygrad_mnist, job)
        return torchlike.training(tinygrad_mnist, step, weights.values)
    if name == FORWARD:
        return _forward(job, tinygrad_mnist.from_numpy, partial(torchlike.forward, tinygrad_mnist))
    if name == FORWARD_BY_HAND:
        return _forward(job, np.asarray, partial(numpylike.forward, np, None))
    return contestants.load()[name].start(job)


def _forward(job: Job, tensor: Callable[[Array], Any], forward: Callable[..., Any]) -> Training:
    """The logits of each batch, nothing recorded."""
    weights = {name: tensor(array) for name, array in job.weights.items()}
    return step_by_step(lambda x, y: forward(job.model, weights, x).sum(), tensor, lambda: [])


def _timed(job: Job, name: str) -> Callable[[], float]:
    begun = _start(job, name)
    placed = begun.place(job.x, job.y)
    return lambda: block(begun, placed, job.steps)["cpu_seconds"]


def digits() -> tuple[Array, Array]:
    """Noise in the shape of MNIST."""
    rng = np.random.default_rng(0)
    pixels = rng.random((8192, jobs.PIXELS), np.float32)
    return pixels, rng.integers(0, jobs.CLASSES, len(pixels))


def told() -> Iterator[tuple[bool, str]]:
    """For each stage, whether it is as fast as it was, and a line that says so."""
    kernels.warm_up()
    tinygrad_mnist.set_num_threads(1)
    drawn = digits()
    for stage in stages():
        job = jobs.make(stage.job, *drawn)
        found: list[Interval] = []
        while len(found) < ATTEMPTS and all(each.median > stage.bound for each in found):
            found.append(stage.measure(job))
        best = min(found, key=lambda each: each.median)
        passed = best.median <= stage.bound
        word = "as before" if passed else f"SLOWER in {len(found)} attempts"
        yield (
            passed,
            f"{stage.job:15}{stage.name:29}{best!s:22} of NumPy's time; usual {stage.usual:.2f}, "
            f"at most {stage.bound:.2f}: {word}",
        )


def main() -> int:
    """Print a line a stage; 1 where one is slower than it may be."""
    passed = True
    for good, line in told():
        print(line, flush=True)
        passed = passed and good
    if not passed:
        print(f"load {os.getloadavg()[0]:.1f}: where other programs are busy, try again without")
    return 0 if passed else 1
