"""The marks that a compiled step must reach beside others, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tinygrad_mnist.tools.bench.intervals import Interval, ratio

from .contestants import ours, pytorch, with_jax
from .results import Report

COMPILED, SCAN = ours.COMPILED.name, ours.SCAN.name
PYTORCH = tuple(each.name for each in pytorch.CONTESTANTS)
JAX_SCAN = (with_jax.SCAN.name,)
ONE_THREAD = (
    ("logistic-64", COMPILED, "PyTorch's fastest", PYTORCH, 4.0),
    ("logistic-64", COMPILED, "JAX's lax.scan", JAX_SCAN, 1.5),
    ("logistic-64", SCAN, "PyTorch's fastest", PYTORCH, 6.0),
    ("logistic-64", SCAN, "JAX's lax.scan", JAX_SCAN, 2.0),
    ("logistic-1", SCAN, "JAX's lax.scan", JAX_SCAN, 1.5),
    ("mlp-64", COMPILED, "PyTorch's fastest", PYTORCH, 1.5),
    ("cnn-64", COMPILED, "PyTorch's fastest", PYTORCH, 2.5),
    ("transformer-16", COMPILED, "PyTorch's fastest", PYTORCH, 1.2),
)
"""Jobs, who of ours, beside whom, and how many times as fast."""
TWO_THREADS = (
    ("logistic-64", COMPILED, "PyTorch's fastest", PYTORCH, 4.0),
    ("mlp-64", COMPILED, "PyTorch's fastest", PYTORCH, 1.5),
    ("cnn-64", COMPILED, "PyTorch's fastest", PYTORCH, 2.5),
)


def told(report: Report) -> Iterator[str]:
    """A line for each mark of a job that was measured."""
    for job, ours_, rival, members, required in (
        TWO_THREADS if report["threads"] > 1 else ONE_THREAD
    ):
        if job in report["jobs"]:
            found = beside_fastest(report["jobs"][job]["rows"], ours_, members)
            yield f"{job}, {ours_}: ≥ {required} × {rival}: {_verdict(found, required)}"


def beside_fastest(
    rows: Sequence[dict[str, Any]], name: str, members: Sequence[str]
) -> tuple[str, Interval] | None:
    """The fastest of some, and how many steps of `name` fit into one of its.

    Who does not reach the loss is no rival; None where nobody of them runs.
    """
    ran = {row["contestant"]: row for row in rows if row["seconds"] and row["same_loss"]}
    if name not in ran:
        return None
    beside = {m: ratio(ran[name]["seconds"], ran[m]["seconds"]) for m in members if m in ran}
    return min(beside.items(), key=lambda item: item[1].median, default=None)


def _verdict(found: tuple[str, Interval] | None, required: float) -> str:
    if found is None:
        return "NOT MEASURED, as who is needed does not run or was not asked"
    name, times = found
    return f"{times} ({name}) {'reached' if times.median >= required else 'NOT REACHED'}"
