"""What a comparison found."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from .differences import Bounds, Difference, Series
from .operations import OperationsCompared
from .text import Texts

__all__ = ["ENGINES", "Report", "Side", "Step"]

ENGINES = ("torch", "tinygrad_mnist")


@dataclass
class Side:
    """What became of the script on one engine."""

    steps: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of each step, recording not counted."""
    watched: list[bool] = field(default_factory=list)
    """Whether each step's operations were recorded, which takes time."""
    error: str | None = None
    """What ended the script, if an error did."""
    place: str = ""
    exit: int | str | None = None
    ended: bool = False
    """Whether the script came to its end, be it by an error."""
    devices: tuple[str, ...] = ()
    stderr: str = ""

    @property
    def step_seconds(self) -> float | None:
        """The time of a step: the median of those that nobody watched, if there are any."""
        times = list(zip(self.seconds, self.watched, strict=True))
        chosen = [seconds for seconds, watched in times if not watched] or self.seconds
        return statistics.median(chosen) if chosen else None


@dataclass(frozen=True)
class Step:
    """One call of backward on both engines."""

    step: int
    losses: tuple[float, float]
    loss: Difference
    gradients: dict[str, Difference]


class Report:
    """A script on both engines, side by side."""

    def __init__(self, script: str, settings: dict[str, Any], bounds: Bounds) -> None:
        self.script = script
        self.settings = settings
        self.bounds = bounds
        self.sides = (Side(), Side())
        self.texts = Texts((0, 0), (), (), None)
        self.steps: list[Step] = []
        self.loss = Series(bounds)
        self.gradients: dict[str, Series] = {}
        self.asked_for = Series(bounds)
        """Gradients that `autograd.grad` gave, call by call."""
        self.parameters: dict[str, Difference] = {}
        """The leaves at the end."""
        self.operations = OperationsCompared(bounds)
        self.parted = False
        """Whether the engines went on differently, so that steps no longer belong together."""
        self.odd: list[str] = []
        """What one engine has and the other has not, in sentences."""

    @property
    def errors_equal(self) -> bool:
        """Whether both ended in the same way."""
        a, b = self.sides
        return (a.error, a.place, a.exit) == (b.error, b.place, b.exit)

    @property
    def series(self) -> dict[str, Series]:
        """Everything that was followed step by step, by name."""
        named = {f"gradient of {name}": series for name, series in self.gradients.items()}
        return {"loss": self.loss, **named, "autograd.grad": self.asked_for}

    @property
    def equal(self) -> bool:
        """Whether everything is equal within the bounds."""
        return (
            self.texts.equal
            and self.errors_equal
            and not self.odd
            and all(series.first_beyond is None for series in self.series.values())
            and all(self.bounds.hold(apart) for apart in self.parameters.values())
            and self.operations.first is None
        )

    @property
    def fork(self) -> tuple[int, str, Difference] | None:
        """The first step beyond the bounds, of what, and by how much, if anything is."""
        found = [
            (step, name, apart)
            for name, series in self.series.items()
            if series.first_beyond is not None
            for step, apart in [series.first_beyond]
        ]
        return min(found, key=lambda each: each[0], default=None)

    def as_json(self) -> bytes:
        """All of it as JSON; numbers that JSON does not have are null."""
        fork = self.fork
        content = {
            "script": self.script,
            **self.settings,
            "bounds": asdict(self.bounds),
            "equal": self.equal,
            "sides": {
                name: {
                    "steps": side.steps,
                    "step_seconds": side.step_seconds,
                    "error": side.error,
                    "place": side.place,
                    "exit": side.exit,
                    "devices": list(side.devices),
                }
                for name, side in zip(ENGINES, self.sides, strict=True)
            },
            "text": {"equal": self.texts.equal, **asdict(self.texts)},
            "forked": None
            if fork is None
            else {"step": fork[0], "what": fork[1], **fork[2]._asdict()},
            "worst": {
                name: {
                    "step": series.worst[0],
                    **series.worst[1]._asdict(),
                    "first_beyond": series.first_beyond,
                    "forked": series.forked,
                }
                for name, series in self.series.items()
                if series.differences
            },
            "parameters": {name: each._asdict() for name, each in self.parameters.items()},
            "operations": {
                "compared": self.operations.compared,
                "steps": self.operations.steps,
                "first": None if self.operations.first is None else asdict(self.operations.first),
            },
            "differs": self.odd,
            "history": [_step(step) for step in self.steps],
        }
        return json.dumps(_finite(content), indent=1).encode() + b"\n"


def _step(step: Step) -> dict[str, Any]:
    return {
        "step": step.step,
        **dict(zip(ENGINES, step.losses, strict=True)),
        "loss": step.loss._asdict(),
        "gradients": {name: each._asdict() for name, each in step.gradients.items()},
    }


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "_asdict"):
        return _finite(value._asdict())
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
