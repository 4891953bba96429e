"""The marks that the compiled step must reach, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

from .race import Result
from .torchlike import PYTORCH
from .with_jax import SCAN

_PYTORCH = tuple(each.name for each in PYTORCH)
_REQUIRED = (
    ("logistic-64", "PyTorch's fastest", _PYTORCH, 4.0),
    ("logistic-64", "JAX's lax.scan", (SCAN.name,), 1.5),
    ("mlp-64", "PyTorch's fastest", _PYTORCH, 1.5),
    ("cnn-64", "PyTorch's fastest", _PYTORCH, 1.5),
)


@dataclass(frozen=True)
class Mark:
    """How many times faster a compiled step is than a rival's, and must be."""

    task: str
    rival: str
    required: float
    found: float | None
    """None where the rival does not run."""
    in_cpu_time: float | None

    def __str__(self) -> str:
        text = f"{self.task}: ≥ {self.required} × {self.rival}: "
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
    for name, rival, members, required in _REQUIRED:
        if name != task:
            continue
        ran = [r for r in results if r.name in members and r.same_loss and r.ratio is not None]
        best = min(ran, key=lambda r: r.ratio or 0, default=None)
        told = rival if best is None or len(members) == 1 else f"{rival} ({best.name})"
        found.append(Mark(task, told, required, best and best.ratio, best and best.cpu_ratio))
    return found
