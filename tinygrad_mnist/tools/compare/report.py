"""What a comparison found."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .differences import NONE, Bounds, Difference, OperationsCompared, Series, Texts
from .forks import Fork

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ENGINES", "Report", "Side", "Step", "tables", "verdict"]

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
        self.texts = Texts((0, 0), (), (), (), None)
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
        self.forks: list[Fork] = []
        """Where operations of this engine went another way, in the steps that were looked at."""
        self.again: Report | None = None
        """The run in which the steps beyond the bounds were looked at."""

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
    def steps_beyond(self) -> list[int]:
        """The steps at which a loss or a gradient is beyond the bounds, if there are any."""
        followed = [self.loss, *self.gradients.values()]
        found = [each for series in followed for each in series.differences]
        return sorted({step for step, apart in found if not self.bounds.hold(apart)})

    @property
    def built_otherwise(self) -> bool:
        """Whether an operation differs on the way to a step that is compared itself.

        If that is equal, it was a part of another operation, which the engines build in two ways.
        """
        first = self.operations.first
        return first is not None and first.step <= len(self.steps)

    @property
    def equal(self) -> bool:
        """Whether everything is equal within the bounds, but for what rounding made choose."""
        return (
            self.texts.equal
            and self.errors_equal
            and not self.odd
            and all(series.first_beyond is None for series in self.series.values())
            and all(self.bounds.hold(apart) for apart in self.parameters.values())
            and (self.operations.first is None or self.built_otherwise)
        ) or (self.again is not None and self.again.equal)

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
        forked = fork and {"step": fork[0], "what": fork[1], **fork[2]._asdict()}
        content = {
            "script": self.script,
            **self.settings,
            "bounds": asdict(self.bounds),
            "equal": self.equal,
            "sides": {
                name: {
                    "steps": side.steps, "step_seconds": side.step_seconds, "error": side.error,
                    "place": side.place, "exit": side.exit, "devices": list(side.devices),
                }
                for name, side in zip(ENGINES, self.sides, strict=True)
            },
            "text": {"equal": self.texts.equal, **asdict(self.texts)},
            "forked": forked,
            "worst": {
                name: {
                    "step": series.worst[0], **series.worst[1]._asdict(),
                    "first_beyond": series.first_beyond, "forked": series.forked,
                }
                for name, series in self.series.items() if series.differences
            },
            "parameters": {name: each._asdict() for name, each in self.parameters.items()},
            "operations": {
                "compared": self.operations.compared, "steps": self.operations.steps,
                "first": None if self.operations.first is None else asdict(self.operations.first),
            },
            "differs": self.odd,
            "forks": [asdict(fork) for fork in self.again.forks] if self.again else [],
            "history": [_step(step) for step in self.steps],
        }  # fmt: skip
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


# The comparison as tables in the terminal

_MOST_ROWS = 20
"""Of leaves: the worst of more are shown."""
_NAMES = ("PyTorch", "tinygrad_mnist")


def tables(report: Report) -> list[Table]:
    """What was compared: the run as a whole, and each leaf with its gradients and its end."""
    made = [_filled(("", *_NAMES, "absolute", "ulp", "step", ""), _whole(report))]
    leaves = list(_leaves(report))
    if leaves:
        titles = ("leaf", "gradient", "ulp", "step", "at the end", "ulp", "")
        made.append(_filled(titles, leaves))
    return made


def _filled(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    from rich.table import Table

    made = Table()
    first, *others, last = titles
    made.add_column(first, overflow="fold")
    for title in others:
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column(last)
    for row in rows:
        made.add_row(*row)
    return made


def verdict(report: Report) -> list[str]:
    """What there is to say beside the table, in sentences."""
    said = []
    first = report.texts.first
    if first is not None:
        number, theirs, ours = first
        said += [
            f"line {number} is the first that differs:",
            f"  PyTorch         {theirs}",
            f"  tinygrad_mnist  {ours}",
        ]
    if report.texts.measured:
        lines = _some("line", report.texts.measured)
        said.append(f"{lines}: equal but for times, rates, memory or versions printed")
    for name, side in zip(_NAMES, report.sides, strict=True):
        if side.error is not None:
            said.append(f"{name} ended with an error{_at(side.place)}: {side.error}")
    said += report.odd
    asked_for, found = report.settings["device"], report.sides[0].devices
    if asked_for != "cpu" and found and not any(asked_for in name for name in found):
        said.append(f"PyTorch computed on the CPU: the script does not ask for {asked_for}")
    operation = report.operations.first
    if operation is not None:
        said.append(
            f"the first operation that differs: {operation.name} of shape {operation.shape}, on "
            f"the way to step {operation.step}{_at(operation.place)}, by "
            f"{_number(operation.difference.absolute)}"
            + (": a part of one that the engines build in two ways" if report.equal else "")
        )
    fork = report.fork
    if fork is not None:
        step, what, apart = fork
        forked = report.series[what].forked
        said.append(
            f"{'forked' if forked else 'beyond the bounds'} at step {step} by "
            f"{_number(apart.absolute)} ({what})"
        )
        if forked and not report.settings["lockstep"]:
            said.append("--lockstep tells whether each step by itself is equal")
    bounds = f"{report.bounds.ulp:g} ulp or {report.bounds.absolute:g}"
    said += _looked_at(report)
    if report.equal:
        but = ", but for what rounding made choose otherwise" if report.again else ""
        return [*said, f"equal within {bounds}{but}"]
    return [*said, f"NOT EQUAL within {bounds}"]


def _looked_at(report: Report) -> Iterator[str]:
    """Sentences about the steps that were computed once more."""
    if report.again is None:
        return
    yield from _forks(report.again.forks)
    beyond, still = _some("step", report.steps_beyond), report.again.steps_beyond
    if report.again.equal:
        yield f"{beyond}: equal once each operation starts from PyTorch's numbers"
    elif still:
        told = "differs even where each operation starts from PyTorch's numbers"
        yield f"{_some('step', still)}: {told}"
    else:
        yield f"{beyond}: run once more, the script went another way"


def _some(what: str, numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST_FORKS]))
    return f"{what}{'s' * (len(numbers) > 1)} {shown}{', …' * (len(numbers) > _MOST_FORKS)}"


_MOST_FORKS = 10
"""So many are told in the terminal."""


def _forks(forks: list[Fork]) -> Iterator[str]:
    """Sentences about operations that went another way."""
    for fork in forks[:_MOST_FORKS]:
        where = f" in {fork.layer}" if fork.layer else ""
        told = "; ".join(
            f"{theirs:.9g} on PyTorch, {ours:.9g} here at {index}"
            for index, theirs, ours in fork.elements
        )
        more = "; …" if fork.count > len(fork.elements) else ""
        yield (
            f"step {fork.step}: {fork.operation}{where}{_at(fork.place)} chose otherwise, numbers "
            f"being {fork.ulp:.2g} ulp apart: {told}{more}"
        )
    if len(forks) > _MOST_FORKS:
        yield f"… and {len(forks) - _MOST_FORKS} more, which --json tells"


def _at(place: str) -> str:
    place = place.replace("\0", ", line ")
    return f" ({place.replace(str(Path.cwd()) + '/', '')})" if place else ""


def _whole(report: Report) -> Iterator[tuple[str, ...]]:
    """Rows for the run as a whole."""
    texts = report.texts
    told = "equal"
    if texts.different:
        told = f"{len(texts.different)} differ"
    elif texts.rounded:
        told = f"{len(texts.rounded)} rounded"
    elif texts.measured:
        told = "equal but for times"
    yield ("lines", *map(str, texts.lines), "", "", "", told)
    if not report.errors_equal or report.sides[0].error is not None:
        yield ("ended by", *map(_end, report.sides), "", "", "", _equal(report.errors_equal))
    counts = [str(side.steps) for side in report.sides]
    if counts != ["0", "0"]:
        yield ("backward", *counts, "", "", "", _equal(counts[0] == counts[1]))
    if report.steps:
        losses = (f"{loss:.6g}" for loss in report.steps[-1].losses)
        yield ("last loss", *losses, *_worst(report.loss), _told(report.loss))
    if report.asked_for.differences:
        count = str(len(report.asked_for.differences))
        yield ("autograd.grad", count, count, *_worst(report.asked_for), _told(report.asked_for))
    operations = report.operations
    if operations.compared:
        count = str(operations.compared)
        told = _equal(operations.first is None or report.equal)
        yield ("operations", count, count, *_cells(operations.worst), "", told)
    theirs, ours = (side.step_seconds for side in report.sides)
    if theirs and ours:
        times = (f"{1e3 * seconds:.3g} ms" for seconds in (theirs, ours))
        yield ("step time", *times, "", "", "", f"× {ours / theirs:.2f}")


def _leaves(report: Report) -> Iterator[tuple[str, ...]]:
    """A row for each leaf, those that differ most first."""
    nothing = Series(report.bounds)
    found = []
    for name in [*report.gradients, *(report.parameters.keys() - report.gradients.keys())]:
        series, end = report.gradients.get(name, nothing), report.parameters.get(name, NONE)
        ends = _cells(end) if name in report.parameters else ("", "")
        told = _told(series)
        if told == "equal":
            told = _equal(report.bounds.hold(end))
        row = (name, *_worst(series), *ends, told)
        found.append((max(series.worst[1].ulp, end.ulp), row))
    found.sort(key=lambda each: -each[0])
    yield from (row for _, row in found[:_MOST_ROWS])
    if len(found) > _MOST_ROWS:
        yield (f"… and {len(found) - _MOST_ROWS} that are closer", "", "", "", "", "", "")


def _end(side: Side) -> str:
    if side.error is not None:
        return side.error.partition(":")[0]
    return "exit " + str(side.exit or 0)


def _equal(holds: bool) -> str:
    return "equal" if holds else "DIFFERS"


def _told(series: Series) -> str:
    if series.first_beyond is None:
        return "equal"
    return "forked" if series.forked else "DIFFERS"


def _worst(series: Series) -> tuple[str, str, str]:
    step, apart = series.worst
    return (*_cells(apart), str(step) if apart.absolute else "")


def _cells(apart: Difference) -> tuple[str, str]:
    return _number(apart.absolute), f"{apart.ulp:.2g}" if math.isfinite(apart.ulp) else "∞"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "∞"
    return f"{value:.1e}" if value else "0"
