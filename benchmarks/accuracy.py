"""Seconds from the start of a process to an accuracy on MNIST's validation digits.

After MLPerf's rules: the clock starts before the process does, and so before data is touched; it
stops when the weights first classify as many of the 10,000 digits as the target says. Everybody
has the same batches for a seed, and is asked at the same steps, by the same NumPy; at least ten
seeds. What passed before the first step had ended is told apart, as warm-up.

`python -m benchmarks.accuracy NAME MODEL SEED FOLDER` is the process of one run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import contestants, jobs
from .contestants.numpy_by_hand import accuracy
from .rounds import ROOT, environment

BATCH, TRAIN = 64, 50_000


@dataclass(frozen=True)
class Aim:
    """What a model must reach, and how often it is looked at."""

    model: str
    targets: tuple[float, ...]
    every: int
    """Steps between two looks."""
    epochs: int
    """After so many it is given up."""


AIMS = {
    "logistic": Aim("logistic", (0.90, 0.91), 130, 10),
    "mlp": Aim("mlp", (0.97,), 390, 20),
    "cnn": Aim("cnn", (0.96,), 780, 40),
}


def chunks(x: Any, y: Any, seed: int, every: int) -> Iterator[tuple[Any, Any]]:
    """Batches of one shuffled epoch, so many steps at a time; what is over is left out."""
    order = np.random.default_rng(seed).permutation(len(x))
    size = every * BATCH
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        yield x[chosen].reshape(every, BATCH, -1), y[chosen].reshape(every, BATCH)


def train(name: str, model: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train until every target is reached: when that was, by the clock of all processes."""
    aim = AIMS[model]
    x, y = jobs.read_digits(folder)
    valid, (x, y) = (x[TRAIN:], y[TRAIN:]), (x[:TRAIN], y[:TRAIN])
    job = jobs.make(f"{model}-{BATCH}x1", x, y, seed)
    training = contestants.load()[name].start(job)
    told: dict[str, Any] = {"reached": {}, "warm": None}
    steps = 0
    for epoch in range(aim.epochs):
        for xs, ys in chunks(x, y, seed * 1000 + epoch, aim.every):
            placed = training.place(xs, ys)
            if told["warm"] is None:
                training.run(training.place(xs[:1], ys[:1]))
                told["warm"] = time.monotonic()
            training.run(placed)
            steps += aim.every
            weights = dict(zip(job.weights, training.weights(), strict=True))
            reached = accuracy(model, weights, *valid)
            for target in aim.targets:
                if reached >= target and str(target) not in told["reached"]:
                    told["reached"][str(target)] = time.monotonic(), steps * BATCH / TRAIN
        if len(told["reached"]) == len(aim.targets):
            break
    return told


def run(name: str, model: str, seed: int, folder: Path, threads: int) -> dict[str, Any]:
    """One process: the runs of its targets by target, or why there are none."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.accuracy", name, model, str(seed), str(folder)],
        cwd=ROOT, env=environment(threads), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return {"missing": last[:200]}
    told = json.loads(done.stdout.strip().splitlines()[-1])
    runs = {}
    for target in AIMS[model].targets:
        at, epochs = told["reached"].get(str(target), (None, None))
        runs[target] = {
            "seed": seed, "seconds": None if at is None else at - started, "epochs": epochs,
            "warm_up": told["warm"] - started,
        }  # fmt: skip
    return {"missing": "", "runs": runs}


def measure(
    names: Sequence[str], models: Sequence[str], seeds: int, folder: Path, threads: int
) -> list[dict[str, Any]]:
    """An entry for each contestant and target; seeds go round: everybody's first, second, …"""
    found = {(model, name, target): {"model": model, "contestant": name, "target": target,
                                     "runs": [], "missing": ""}
             for model in models for name in names for target in AIMS[model].targets}  # fmt: skip
    for model in models:
        left = list(names)
        for seed in range(seeds):
            print(f"{model}, seed {seed + 1} of {seeds}", file=sys.stderr)
            for name in tuple(left):
                told = run(name, model, seed, folder, threads)
                if told["missing"]:
                    left.remove(name)
                for target in AIMS[model].targets:
                    entry = found[model, name, target]
                    entry["missing"] = told["missing"]
                    entry["runs"] += [] if told["missing"] else [told["runs"][target]]
    return list(found.values())


def suspicious(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Who needs fewer epochs than all: its median below nine tenths of everyone's."""
    lines = []
    for entry in entries:
        mine = [r["epochs"] for r in entry["runs"] if r["epochs"]]
        same = [r["epochs"] for e in entries for r in e["runs"] if r["epochs"]
                and (e["model"], e["target"]) == (entry["model"], entry["target"])]  # fmt: skip
        if mine and statistics.median(mine) < 0.9 * statistics.median(same):
            lines.append(f"{entry['contestant']}, {entry['model']}: converges faster than others")
    return lines


if __name__ == "__main__":
    which, kind, number, where = sys.argv[1:]
    print(json.dumps(train(which, kind, int(number), Path(where))))
