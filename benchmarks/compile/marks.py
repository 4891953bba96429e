"""The marks that the compiled step must reach, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

from .race import Result
from .tasks import Contestant
from .torchlike import COMPILED, PYTORCH, SCANNED
from .with_jax import SCAN

_PYTORCH = tuple(each.name for each in PYTORCH)
_REQUIRED = (
    ("logistic-64", COMPILED, "PyTorch's fastest", _PYTORCH, 4.0),
    ("logistic-64", COMPILED, "JAX's lax.scan", (SCAN.name,), 1.5),
    ("logistic-64", SCANNED, "PyTorch's fastest", _PYTORCH, 6.0),
    ("logistic-64", SCANNED, "JAX's lax.scan", (SCAN.name,), 2.0),
    ("logistic-1", SCANNED, "JAX's lax.scan", (SCAN.name,), 1.5),
    ("mlp-64", COMPILED, "PyTorch's fastest", _PYTORCH, 1.5),
    ("cnn-64", COMPILED, "PyTorch's fastest", _PYTORCH, 1.5),
)
"""Tasks, who of ours, beside whom, and how many times as fast."""


@dataclass(frozen=True)
class Mark:
    """How many times faster a compiled step of ours is than a rival's, and must be."""

    task: str
    ours: str
    rival: str
    required: float
    found: float | None
    """None where the rival does not run."""
    in_cpu_time: float | None

    def __str__(self) -> str:
        text = f"{self.task}, {self.ours}: ≥ {self.required} × {self.rival}: "
        if self.found is None:
            return f"{text}NOT MEASURED, as it does not run"
        verdict = "reached" if self.reached else "NOT REACHED"
        return f"{text}{self.found:.2f} {verdict} (in CPU time {self.in_cpu_time:.2f})"

    @property
    def reached(self) -> bool:
        """Whether the step is as fast as it must be."""
        return self.found is not None and self.found >= self.required


def marks(task: str, results: list[Result]) -> list[Mark]:
    """The marks of a task. A rival that does not reach the loss is no rival."""
    found = []
    for name, ours, rival, members, required in _REQUIRED:
        if name != task:
            continue
        ran = [r for r in results if r.name in members and r.same_loss and r.ratio is not None]
        best = min(ran, key=lambda r: r.ratio or 0, default=None)
        told = rival if best is None or len(members) == 1 else f"{rival} ({best.name})"
        ratio, cpu_ratio = _times(best, ours, results)
        found.append(Mark(task, ours.name, told, required, ratio, cpu_ratio))
    return found


def _times(
    rival: Result | None, ours: Contestant, results: list[Result]
) -> tuple[float | None, float | None]:
    """How many steps of ours fit into one of the rival's, in time and in CPU time."""
    mine = next(((r.ratio, r.cpu_ratio) for r in results if r.name == ours.name), None)
    if ours is COMPILED:  # which all are measured against
        mine = 1.0, 1.0
    if rival is None or not rival.ratio or not rival.cpu_ratio or not mine or None in mine:
        return None, None
    return rival.ratio / (mine[0] or 1), rival.cpu_ratio / (mine[1] or 1)
