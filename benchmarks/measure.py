"""A run: the jobs, everyone at them, and a report."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import contestants, jobs, machine, rounds
from .jobs import Array, Job
from .results import SIZES, Report

QUICK = ("logistic-64", "logistic-1", "mlp-64", "cnn-64", "transformer-16")
FULL = (
    *(f"{model}-{batch}" for model in ("logistic", "mlp", "cnn") for batch in jobs.BATCHES),
    *(f"mlp-w{width}-64" for width in (16, 32, 256, 512, 1024)),
    *(f"mlp-d{depth}-64" for depth in (2, 4, 8, 16)),
    *(f"logistic-64x{steps}" for steps in (16, 156, 781)),
    "transformer-16",
)
_IN_FLOAT64 = ("NumPy by hand", "PyTorch, functional", "HIPS autograd")
"""Who is asked for the right loss; the first who can."""


def right_loss(job: Job) -> float:
    """The loss of the first epoch's last step, in double precision."""
    known, exact = contestants.load(), job.as_float64()
    for name in _IN_FLOAT64:
        try:
            training = known[name].start(exact)
        except (ModuleNotFoundError, NotImplementedError):
            continue
        return training.run(training.place(exact.x, exact.y))
    raise RuntimeError(f"nobody can compute {job.name} in float64: install the extra `benchmark`")


def load_digits() -> tuple[Array, Array]:
    """MNIST's 50,000 training digits where they are found, else synthetic ones, as is told."""
    from tinygrad_mnist.app.datasets import mnist

    digits = mnist.load_arrays("auto")
    print(f"{digits.description}", file=sys.stderr)
    return digits.train


def measure(
    report: Report, asked: Sequence[str], rivals: Sequence[str], digits: tuple[Array, Array],
    keep: Callable[[Report], object] = lambda report: None,
) -> None:  # fmt: skip
    """Add every contestant at every job asked for; kept after each, as far as it has come."""
    threads, count = report["threads"], report["rounds"]
    limits = machine.Limits(threads)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        for position, name in enumerate(asked, 1):
            job = jobs.make(name, *digits)
            path = Path(folder) / f"{name}.npz"
            job.save(path)
            print(f"[{position}/{len(asked)}] {name}", file=sys.stderr)
            loss = right_loss(job)
            rows = rounds.race(rivals, path, threads, count, loss, limits.measure)
            report["jobs"][name] = {
                "model": job.model, "batch": job.batch, "steps": job.steps, "loss": loss,
                "operations": machine.products(job), "bytes": machine.traffic(job),
                "floor": limits.floor(job),
                "rows": [row.as_dict() for row in rows],
            }  # fmt: skip
            path.unlink()
            report["limits"] = {"flops": limits.peak, "bandwidth": limits.bandwidth}
            keep(report)


def measure_operations(report: Report) -> None:
    """Add each operation beside PyTorch's, small and large, on one thread."""
    rounds_ = str(report["rounds"])
    report["operations"] = _entries("operations", "--json", "--blocks", rounds_, "--sizes", *SIZES)


def measure_passes(report: Report) -> None:
    """Add the compiled step without each pass, on one thread."""
    report["passes"] = _entries("passes", str(report["rounds"]))


def _entries(module: str, *options: str) -> list[dict[str, Any]]:
    """What a module prints in a process of its own."""
    print(module, file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *options],
        cwd=rounds.ROOT, env=rounds.environment(1), stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"benchmarks.{module} ended with {done.returncode}")
    found: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
