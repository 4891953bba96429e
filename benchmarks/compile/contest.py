"""The race of all engines over all tasks, and the marks."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import torch

import tinygrad_mnist
from tinygrad_mnist import kernels
from tinygrad_mnist.app.datasets import mnist

from . import by_hand, on_cuda, torchlike, with_jax
from .floor import Machine
from .marks import Mark, marks
from .race import Result, race, result, start, table
from .tasks import Task, make

PACKAGES = ("numpy", "numba", "torch", "jax", "jaxlib", "autograd")
RIVALS = (
    torchlike.SCANNED,
    torchlike.EAGER,
    *torchlike.PYTORCH,
    *with_jax.JAX,
    by_hand.AUTOGRAD,
    by_hand.NUMPY,
)


def versions() -> dict[str, str]:
    """What is compared; a package that is not installed says so."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed: pip install '.[benchmark]'"
    return found


def prepare(names: Sequence[str], threads: int) -> list[Task]:
    """The tasks, and threads for those who are told by a call."""
    torch.set_num_threads(threads)
    tinygrad_mnist.set_num_threads(threads)
    kernels.warm_up()
    digits = mnist.load_arrays("auto")
    print(f"{digits.description}; {threads} thread{'s' * (threads > 1)}")
    return [make(name, *digits.train) for name in names]


def right_loss(task: Task) -> float:
    """The last loss of the first epoch, in double precision."""
    return by_hand.NUMPY.make(task.as_float64())()


def contest(
    task: Task, machine: Machine, rounds: int, cuda: bool = False
) -> tuple[list[Result], float]:
    """Everyone at one task, the compiled step first; and the loss that is right."""
    with_gpu = on_cuda.ON_CUDA if cuda else ()
    favourite, *others = start((torchlike.COMPILED, *RIVALS, *with_gpu), task)
    if favourite.epoch is None:
        raise RuntimeError(f"the compiled step does not run: {favourite.missing}")
    race(favourite, others, task.steps, rounds, machine.measure)
    loss = right_loss(task)
    results = [result(favourite, loss, favourite=True)]
    return results + [result(other, loss) for other in others], loss


def told_floor(task: Task, machine: Machine, ours: Sequence[Result]) -> dict[str, Any]:
    """The floor of a logistic step, and how far above it our compiled steps are."""
    floor = machine.floor(task) * 1e6
    found: dict[str, Any] = {"floor": floor}
    print(f"floor of this machine: {floor:.1f} µs")
    for each in ours:
        assert each.microseconds is not None
        assert each.cpu_microseconds is not None
        ratio, cpu_ratio = each.microseconds / floor, each.cpu_microseconds / floor
        print(f"{each.name}: {ratio:.2f} times that (in CPU time {cpu_ratio:.2f})")
        found[each.name] = {"ratio": ratio, "cpu_ratio": cpu_ratio}
    return found


def run(
    names: Sequence[str], threads: int, rounds: int, file: Path | None, cuda: bool = False
) -> int:
    """The whole contest; 1 where a mark is missed."""
    torch._logging.set_logs(dynamo=logging.ERROR)
    found: list[Mark] = []
    report: dict[str, Any] = {"unit": "µs", "threads": threads, "versions": versions()}
    print(", ".join(f"{name} {number}" for name, number in report["versions"].items()))
    if cuda:
        report["gpu"] = on_cuda.prepare()
        print(f"{report['gpu']}; products in float32, the digits in its memory beforehand")
    machine, tasks = Machine(threads), prepare(names, threads)
    report["tasks"] = {}
    for task in tasks:
        begin = time.perf_counter()
        torch.compiler.reset()
        results, loss = contest(task, machine, rounds, cuda)
        spent = time.perf_counter() - begin
        title = f"\n{task.name}: batch {task.batch}, {task.steps} steps a block ({spent:.0f} s)"
        print(table(title, results, loss))
        entry: dict[str, Any] = {"loss": loss, "results": [asdict(each) for each in results]}
        if task.model == "logistic":
            entry["floor"] = told_floor(task, machine, results[:2])
        report["tasks"][task.name] = entry
        found += marks(task.name, results)
    report["machine"] = tell_machine(machine)
    report["marks"] = [asdict(mark) | {"reached": mark.reached} for mark in found]
    print(*map(str, found), sep="\n")
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(mark.reached for mark in found) else 1


def tell_machine(machine: Machine) -> dict[str, float]:
    """Print and return what the machine can do."""
    figures = {
        "peak_gflops": machine.peak / 1e9,
        "median_gflops": median(machine.flops) / 1e9,
        "bandwidth_gb": machine.bandwidth / 1e9,
        "median_bandwidth_gb": median(machine.bandwidths) / 1e9,
    }
    print(
        "\nthis machine: {peak_gflops:.0f} GFLOP/s (median {median_gflops:.0f}), reads "
        "{bandwidth_gb:.1f} GB/s (median {median_bandwidth_gb:.1f})".format(**figures)
    )
    return figures
