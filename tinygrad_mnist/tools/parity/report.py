"""The parity report: every public operation, what it was tried on, how far it is from PyTorch."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import math
import pkgutil
import platform
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.engine.node import PRIMITIVES

from .parity import Comparison, text_table
from .table import OPERATIONS, Operation, Sample
from .twins import pytorch

__all__ = ["Report", "Row", "counted", "measure", "parity_report", "registered"]

_COUNTS = ("samples", "raised", "errors", "errors_tried")
_HEADS = ("operation", "samples", "value", "gradient", "second order", "errors", "differs")


@dataclass
class Row:
    """What was found of one operation."""

    operation: str
    also: tuple[str, ...] = ()
    """Other names of it, each tried in every situation."""
    samples: int = 0
    """Samples that were computed and compared."""
    raised: int = 0
    """Samples on which both engines raised, with the same class of error."""
    value_ulp: float = 0.0
    gradient_ulp: float | None = None
    """None where no sample has a gradient."""
    second_order_ulp: float | None = None
    errors: int = 0
    """Wrong arguments on which both engines raised, with the same class of error."""
    errors_tried: int = 0
    differs: list[str] = field(default_factory=list)
    """What differed more than is allowed, and in which situation."""
    example: str = ""
    """The first sample on which something differed, and the differences."""

    def add(self, sample: Sample, comparison: Comparison, situation: str) -> None:
        """Count one sample."""
        if comparison.raised is not None:
            self.raised += 1
            return
        self.samples += 1
        self.value_ulp = max(self.value_ulp, comparison.worst("values"))
        if comparison.gradients:
            self.gradient_ulp = max(self.gradient_ulp or 0.0, comparison.worst("gradients"))
        if comparison.second:
            self.second_order_ulp = max(self.second_order_ulp or 0.0, comparison.worst("second"))
        self._note(sample, comparison, situation)

    def add_error(self, sample: Sample, comparison: Comparison) -> None:
        """Count one call with wrong arguments."""
        self.errors_tried += 1
        self.errors += comparison.raised is not None
        self._note(sample, comparison, "error inputs")

    def _note(self, sample: Sample, comparison: Comparison, situation: str) -> None:
        for difference in comparison.differences():
            words = f"{difference.what} ({situation})"
            if words not in self.differs:
                self.differs.append(words)
            self.example = self.example or f"{sample}\n{comparison}"

    @property
    def spelled(self) -> str:
        """The operation's names as code."""
        first, *others = [f"`{name}`" for name in (self.operation, *self.also)]
        return f"{first}, also {', '.join(others)}" if others else first

    def cells(self) -> tuple[str, ...]:
        """The row as the tables show it."""
        return (
            self.operation,
            f"{self.samples} + {self.raised}",
            _ulp(self.value_ulp),
            _ulp(self.gradient_ulp),
            _ulp(self.second_order_ulp),
            f"{self.errors}/{self.errors_tried}" if self.errors_tried else "",
            "; ".join(self.differs),
        )


def _ulp(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.2g}" if math.isfinite(number) else "∞"


@dataclass
class Report:
    """The rows, and what they were measured with."""

    rows: list[Row]
    versions: dict[str, str]

    @property
    def totals(self) -> Row:
        """All rows as one."""
        sums: dict[str, Any] = {
            name: sum(getattr(row, name) for row in self.rows) for name in _COUNTS
        }
        worst: dict[str, Any] = {
            name: max(
                (u for row in self.rows if (u := getattr(row, name)) is not None), default=None
            )
            for name in ("value_ulp", "gradient_ulp", "second_order_ulp")
        }
        wrong = sum(bool(row.differs) for row in self.rows)
        total = Row(f"{len(self.rows)} operations", **sums, **worst)
        total.differs = [f"{wrong} operations"] if wrong else []
        return total

    def text(self) -> str:
        """A table for a terminal."""
        return text_table(_HEADS, [row.cells() for row in (*self.rows, self.totals)])

    def markdown(self) -> str:
        """A page of documentation."""
        made_with = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        total, *cells = self.totals.cells()
        rows = [(row.spelled, *row.cells()[1:]) for row in self.rows]
        table = markdown_table(_HEADS, [*rows, (f"**{total}**", *cells)])
        return (
            f"{_INTRODUCTION.strip()}\n\n{_primitives()}\n\nMeasured with {made_with}.\n\n{table}\n"
        )

    def json(self) -> str:
        """The same as JSON; an infinite difference is null."""
        rows = [_finite(asdict(row)) for row in (*self.rows, self.totals)]
        return json.dumps({"versions": self.versions, "rows": rows[:-1], "totals": rows[-1]},
                          indent=2, allow_nan=False) + "\n"  # fmt: skip


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same as a markdown table.

    >>> print(markdown_table(("operation", "ulp"), [("exp", "1")]))
    | operation | ulp |
    |---|---|
    | exp | 1 |
    """
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    drawn = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "---|" * len(heads), *drawn[1:]])


def _primitives() -> str:
    """What the operations are made of, counted."""
    found = counted()
    return (
        f"There are {found['all']} primitives: {found['differentiable']} with formulas of their "
        f"derivatives,\nbesides {found['backward']} that are named `*_backward` and "
        f"{found['copies']} that cast, copy or fill; {found['without derivative']} have no "
        f"derivative.\nOf the operations below, {found['composed']} are composed."
    )


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


_INTRODUCTION = """
# Parity with PyTorch

What `tinygrad-mnist parity` found: every public operation, called on both engines with the same
samples, drawn by chance from a seed in sixteen situations (0-d, empty, sizes of 1, broadcast,
four layouts in memory, ties, NaN and infinities, float64, integers, bools, several dtypes at
once, Python numbers), by each of its names. The test suite holds each row to its limits, and
fails for a primitive without a row and for a public name without one.

- **samples**: how many were computed and compared, + those on which both engines raise the same
  class of error.
- **value**, **gradient**, **second order**: the largest difference from PyTorch, in units in the
  last place (ulp). Counted of the number itself; for sums and products, of the sum of their
  absolute terms; where terms cancel in other ways (softmax, tanh), of the largest number in the
  result. Second order: of the largest number in sight. PyTorch rounds too: a difference says
  nothing about which of the two is nearer to the truth.
- **errors**: wrong arguments on which both raise the same class of error, of those tried.
- **differs**: what is outside its limits; an empty column means that nothing is.
"""


def measure(operation: Operation, examples: int, seed: int = 0) -> Row:
    """Try `operation`, by all its names, on so many `examples` in each of its situations.

    And once on each of its wrong arguments.
    """
    row = Row(operation.name, operation.also)
    for situation in operation.situations:
        for example in range(examples):
            sample = operation.sample(situation, 1000 * seed + example)
            for name in operation.names:
                row.add(sample, operation.compare(sample, name), situation)
    for wrong in operation.errors:
        row.add_error(wrong, operation.compare(wrong, gradients=False))
    return row


def parity_report(
    operations: Iterable[Operation] | None = None,
    *,
    examples: int = 5,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Measure every public operation, or those given; `progress` hears the name of each.

    Needs PyTorch: the extra `reference`.
    """
    rows, versions = [], _versions()
    for operation in OPERATIONS if operations is None else operations:
        if not operation.public:
            continue
        if progress is not None:
            progress(operation.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(measure(operation, examples, seed))
    return Report(rows, versions)


def _versions() -> dict[str, str]:
    found = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "PyTorch": str(pytorch().__version__),
    }
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return {"tinygrad_mnist": importlib.metadata.version("tinygrad_mnist"), **found}
    return found


# Primitives: how many there are, by what they are for, and how much is composed of them

_COPIES = ("as_strided", "cast", "clone", "constant_in", "copy_slices", "fill", "through", "zeros")
"""Those that change no number: casts, copies, fills, and what stands for a tensor in records."""


def registered() -> list[str]:
    """The names of all primitives of the package, whose modules load when they are needed."""
    for package in ("autograd", "ops", "random", "nn.functional"):
        home = importlib.import_module(f"tinygrad_mnist.{package}")
        for module in pkgutil.iter_modules(home.__path__, f"{home.__name__}."):
            importlib.import_module(module.name)
    return sorted(
        name
        for name, each in PRIMITIVES.items()
        if each.body.__module__.startswith("tinygrad_mnist.")
    )


def counted() -> dict[str, int]:
    """Counts of primitives, and of public operations that are composed of them.

    >>> counted()["all"] >= counted()["differentiable"]
    True
    """
    names = registered()
    with_formulas = [name for name in names if PRIMITIVES[name].formulas]
    backward = [name for name in with_formulas if name.endswith("_backward")]
    copies = [name for name in with_formulas if name in _COPIES]
    public = [row.name.split(".")[-1] for row in OPERATIONS if row.public]
    return {
        "all": len(names),
        "differentiable": len(with_formulas) - len(backward) - len(copies),
        "backward": len(backward),
        "copies": len(copies),
        "without derivative": len(names) - len(with_formulas),
        "composed": sum(name not in PRIMITIVES for name in public),
    }
