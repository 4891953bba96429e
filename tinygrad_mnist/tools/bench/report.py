"""What the rounds of a script tell: times that count, what differs, where the time goes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from tinygrad_mnist.tools.compare.differences import Bounds, compare_texts, difference

from .intervals import Interval, interval, ratio

__all__ = ["CONTESTANTS", "Report", "Row", "Run", "tables", "verdict"]

CONTESTANTS = {
    "eager": ("tinygrad_mnist", False),
    "compiled": ("tinygrad_mnist", True),
    "torch": ("torch", False),
    "torch-compiled": ("torch", True),
}
"""By name: the engine, and whether `torch.compile` compiles or gives back what it gets."""
_BOUNDS = Bounds(1000.0, 1e-6)
"""Those of `compare`."""
_SURE_STEPS = 10
"""So many losses must be equal; later, roundings may have grown."""
_FEWEST = 4
"""Marks of a kind, to take the times between them for steps."""
_WHAT = {"optimizer": "step of the optimiser", "backward": "call of backward",
         "compiled": "call of the compiled function", "script": "run of the script"}  # fmt: skip
_SLOWER = 1.1
_NODE = re.compile(r"grad_fn=<\w+>")
"""Of a compiled function's results, of which engines and forms have names of their own."""


@dataclass
class Run:
    """The script run once."""

    fault: str = ""
    times: dict[str, list[float]] = field(default_factory=dict)
    """When each step ended, by the kind of mark."""
    losses: dict[str, list[float]] = field(default_factory=dict)
    updates: list[float] = field(default_factory=list)
    """Seconds of each step of the first optimiser, without a profiler."""
    compiled: int = 0
    began: float = 0.0
    imported: float = 0.0
    ended: float = 0.0
    stopped: bool = False
    """Whether it was ended after so many steps, and not by the script."""
    printed: str = ""
    profile: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(told: dict[str, Any], printed: str) -> Run:
        """The run that a process told of."""
        error, place = told.pop("error", ""), told.pop("place", "")
        fault = f"fails: {error}" + (f" ({place})" if place else "") if error else ""
        return Run(fault, printed=printed, **told)

    def seconds(self, kind: str) -> float:
        """Of a step: the median of the later half, when all is warm."""
        if kind == "script":
            return self.ended - self.imported
        between = np.diff(self.times[kind])
        return float(np.median(between[len(between) // 2 :]))

    def until_first(self, kind: str) -> float:
        """From the start of the process to the end of the first step."""
        return (self.ended if kind == "script" else self.times[kind][0]) - self.began


@dataclass
class Row:
    """A contestant: its runs, or why there are none that count."""

    name: str
    missing: str = ""
    differs: str = ""
    note: str = ""
    runs: list[Run] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """What `engine_called` knows: "torch" or "tinygrad_mnist"."""
        return CONTESTANTS[self.name][0]

    @property
    def compiles(self) -> bool:
        """Whether the script's `torch.compile` compiles."""
        return CONTESTANTS[self.name][1]

    def update(self) -> float | None:
        """Seconds of a step of the optimiser."""
        later = [each for run in self.runs for each in run.updates[len(run.updates) // 2 :]]
        return float(np.median(later)) if later else None

    @property
    def counts(self) -> bool:
        """Whether it has times, of the right results."""
        return bool(self.runs) and not self.missing and not self.differs


@dataclass
class Report:
    """All rows of a script."""

    script: str
    settings: dict[str, Any]
    machine: dict[str, Any]
    rows: list[Row]
    interrupted: bool = False
    kind: str = "script"
    """What ends a step."""

    @property
    def equal(self) -> bool:
        """Whether nobody failed or computed something else."""
        failed = any(row.runs and row.runs[0].fault for row in self.rows)
        return not failed and not any(row.differs for row in self.rows)

    @property
    def reference(self) -> Row | None:
        """Whose results are right: PyTorch's, else the first that ran."""
        ran = [row for row in self.rows if row.runs and not row.missing]
        return next((row for row in ran if row.name == "torch"), ran[0] if ran else None)

    def hold_against_each_other(self) -> None:
        """Find what a step is, and hold the results against those of the reference."""
        reference = self.reference
        if reference is None:
            return
        ran = [row.runs[0] for row in self.rows if row.runs and not row.missing]
        for kind in ("optimizer", "backward", "compiled"):
            counts = [len(run.times[kind]) for run in ran]
            if min(counts) >= _FEWEST and 2 * min(counts) >= max(counts):
                self.kind = kind
                break
        for row in self.rows:
            if row.runs and not row.missing:
                for number, run in enumerate(row.runs):
                    row.differs = row.differs or self._difference(row, run)
                    if row.differs and number:
                        row.differs += f", in round {number + 1}"
        for row in self.rows:
            row.differs = row.differs.replace("{right}", reference.name)

    def _difference(self, row: Row, run: Run) -> str:
        """What differs between a run and the reference's; "" for nothing."""
        assert self.reference is not None
        right = self.reference.runs[0]
        if self.kind != "script" and not (run.stopped or right.stopped):
            counts = [len(each.times[self.kind]) for each in (run, right)]
            if counts[0] != counts[1]:
                return f"{counts[0]} steps, {counts[1]} on {{right}}"
        losses = next(
            (list(zip(right.losses[kind], run.losses[kind], strict=False))
             for kind in ("backward", "compiled") if len(run.losses[kind]) >= _FEWEST
             and len(right.losses[kind]) >= _FEWEST), []
        )  # fmt: skip
        for number, (theirs, ours) in enumerate(losses, start=1):
            if not _BOUNDS.hold(difference(*np.array([[theirs], [ours]], np.float32))):
                if number <= _SURE_STEPS:
                    return f"loss of step {number}: {ours:.8g}, {theirs:.8g} on {{right}}"
                row.note = f"roundings have grown: losses differ from step {number} on"
                return ""
        return self._printed(run, right, losses)

    def _printed(self, run: Run, right: Run, losses: Sequence[tuple[float, float]]) -> str:
        pair = [_NODE.sub("grad_fn", run.printed).splitlines() for run in (right, run)]
        if run.stopped or right.stopped:
            shorter = min(map(len, pair))
            pair = [lines[:shorter] for lines in pair]
        theirs, ours = ("\n".join(lines) for lines in pair)
        texts = compare_texts(theirs, ours, _BOUNDS, losses=losses)
        if texts.equal:
            return ""
        at = texts.different[0]
        said = [lines[at - 1] if at <= len(lines) else "(nothing)" for lines in pair]
        return f"printed line {at}: {said[1]!r}, {said[0]!r} on {{right}}"

    def times(self, row: Row) -> list[float]:
        """Seconds of a step, in each round."""
        return [run.seconds(self.kind) for run in row.runs]

    def speed(self, row: Row) -> Interval | None:
        """How many of its steps fit into one of PyTorch's, round by round."""
        them = next((each for each in self.rows if each.name == "torch" and each.counts), None)
        if them is None or not row.counts:
            return None
        ours, theirs = self.times(row), self.times(them)
        both = min(len(ours), len(theirs))
        return ratio(ours[:both], theirs[:both])

    def operations(self) -> list[tuple[str, str, float, float | None, str]]:
        """Where this engine's time goes: phase, name, its seconds a step, PyTorch's, the line."""
        rows = {row.name: row for row in self.rows}
        empty = Row("torch")
        us, them = rows.get("eager", empty), rows.get("torch", empty)
        ours, theirs = us.profile, them.profile
        beside = {(phase, name): seconds for phase, name, seconds in theirs.get("all", [])}
        found = [
            (phase, name, seconds, beside.get((phase, name)), ours["lines"].get(name, ""))
            for phase, name, seconds in ours.get("outer", []) if phase != "optimiser"
        ]  # fmt: skip
        for phase in ("forward", "backward") if ours else ():
            sums = [sum(seconds for at, _, seconds in each.get("outer", []) if at == phase)
                    for each in (ours, theirs)]  # fmt: skip
            found.append((phase, "(all)", sums[0], sums[1] or None, ""))
        update = us.update()
        if ours and update is not None:
            found.append(("optimiser", "step", update, them.update(), ""))
        return sorted(found, key=lambda row: -row[2])

    def first_loss(self) -> tuple[str, str, float, float | None, str] | None:
        """The operation with the largest share in which PyTorch is faster by more than a tenth."""
        single = [row for row in self.operations() if row[1] != "(all)"]
        return next((row for row in single if row[3] and row[2] > _SLOWER * row[3]), None)

    def as_json(self) -> bytes:
        """Everything: machine, settings, every time."""
        rows: list[dict[str, Any]] = []
        for row in self.rows:
            told: dict[str, Any] = {"contestant": row.name, "missing": row.missing,
                                    "differs": row.differs, "note": row.note}  # fmt: skip
            speed = self.speed(row)
            if row.counts:
                told["times"] = {"seconds": self.times(row), "speed": speed and vars(speed),
                         "until_first_step": [run.until_first(self.kind) for run in row.runs],
                         "process": [run.ended - run.began for run in row.runs],
                         "import": [run.imported - run.began for run in row.runs]}  # fmt: skip
            rows.append(told)
        names = ("phase", "name", "seconds", "pytorch_seconds", "line")
        operations = [dict(zip(names, row, strict=True)) for row in self.operations()]
        whole = {"script": self.script, "settings": self.settings, "machine": self.machine,
                 "step": _WHAT[self.kind], "interrupted": self.interrupted, "rows": rows,
                 "operations": operations}  # fmt: skip
        return json.dumps(whole, indent=1).encode()


# For a person


def _milliseconds(numbers: Sequence[float]) -> str:
    return str(interval([1e3 * number for number in numbers]))


def tables(report: Report, most: int = 10) -> list[Table]:
    """The times, and where they go."""
    times = Table("", "ms a step", "torch / it", "first step (import)", "all")
    for row in report.rows:
        if not row.counts:
            times.add_row(row.name, "differs" if row.differs else "—")
            continue
        first, imports, whole = (float(np.median(seconds)) for seconds in (
            [run.until_first(report.kind) for run in row.runs],
            [run.imported - run.began for run in row.runs],
            [run.ended - run.began for run in row.runs],
        ))  # fmt: skip
        step, speed = _milliseconds(report.times(row)), str(report.speed(row) or "")
        times.add_row(row.name, *(told.replace(" [", "\n[") for told in (step, speed)),
                      f"{first:.3g} s ({imports:.2g})", f"{whole:.3g} s")  # fmt: skip
    shares = Table(
        "phase", "operation", "ms a step", "torch", "line", title="where the time of eager goes"
    )
    rows = report.operations()
    for phase, name, ours, theirs, line in rows[:most]:
        other = "" if theirs is None else f"{1e3 * theirs:.3g}"
        shares.add_row(phase, name, f"{1e3 * ours:.3g}", other, line)
    return [times, shares] if rows else [times]


def verdict(report: Report) -> list[str]:
    """What stands under the tables."""
    machine, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    count = max((len(row.runs) for row in report.rows), default=0)
    said = [f"{machine['processor']}, {machine['cores']} cores, load {machine['load']:.2f}, "
            f"{settings['threads']} thread(s), {versions}",
            f"{count} round(s), medians [95 % of a bootstrap]; "
            f"a step ends with each {_WHAT[report.kind]}, the later half counts"]  # fmt: skip
    if any(run.stopped for row in report.rows for run in row.runs):
        said.append(f"each run ended after {settings['steps']} steps (--steps 0: where the script "
                    "ends)")  # fmt: skip
    eager = next((row for row in report.rows if row.name == "eager" and row.profile), None)
    if eager is not None:
        said.append("operations were timed in runs of their own, by each engine's profiler: a "
                    f"step of eager took {1e3 * eager.profile['step']:.3g} ms with it")  # fmt: skip
    lost = report.first_loss()
    if lost is not None and lost[3]:
        at = f" ({lost[4]})" if lost[4] else ""
        said.append(f"first in which PyTorch is faster: {lost[0]} {lost[1]}{at}, "
                    f"{lost[2] / lost[3]:.2g} times its time")  # fmt: skip
    unknown = [row[1] for row in report.operations()[:10] if row[3] is None]
    if eager is not None and unknown and report.reference is not eager:
        said.append(f"not by this name in PyTorch, and not compared: {', '.join(unknown)}")
    for row in report.rows:
        reasons = row.missing, row.differs and f"differs in the {row.differs}", row.note
        said += [f"{row.name}: {reason}" for reason in reasons if reason]
    if report.interrupted:
        said.append("stopped: what was known by then")
    return said
