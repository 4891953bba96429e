"""What a check of gradients found, as text and as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .findings import Finding, Kink
from .page import page
from .words import finding_lines, kink_lines, shown

__all__ = ["GradientError", "GradientReport"]

Array = np.ndarray[Any, Any]


class GradientError(AssertionError):
    """A gradient that is wrong, or a function that cannot be checked; `report` says everything."""

    __module__ = "tinygrad_mnist.testing"

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass
class GradientReport:
    """What `check_gradients` found: faults in `findings`, kinks, notes, the smallest that fails."""

    function: str
    framework: str
    arrays: list[Array]
    seed: int
    findings: list[Finding] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: int = 0
    """Elements of gradients that were compared."""
    undecided: int = 0
    """Those of them at which differences are too inexact to decide."""
    largest_error: float = 0.0
    """Of differences where they decide, relative to the largest gradient."""
    smallest: list[Array] | None = None
    """The smallest inputs found that fail with the same pattern."""
    script: str = ""
    """A program that replays the failure, by itself."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def pattern(self) -> str | None:
        """The first pattern that was named, or the kind of the first fault; None for none."""
        named = [each.name for each in self.findings if each.pattern]
        return next(iter([*named, *[each.name for each in self.findings]]), None)

    def __str__(self) -> str:
        """The report as text."""
        parts = [[self.headline], *[finding_lines(each) for each in self.findings]]
        parts += [kink_lines(self.kinks)] if self.kinks else []
        notes = [*self.notes, *([self.undecided_words] if self.undecided else [])]
        parts += [[f"note: {each}" for each in notes]] if notes else []
        if self.smallest is not None:
            found = [f"  {shown(each)}" for each in self.smallest]
            parts.append(["the smallest inputs that fail alike:", *found])
        if self.script:
            parts += [[self.script_words + ":"], [self.script.rstrip()]]
        return "\n\n".join("\n".join(part) for part in parts)

    @property
    def script_words(self) -> str:
        """What is said of the script."""
        missing = " = ...  # put it here" in self.script
        return "this script replays it" + (", with what it could not write down" if missing else "")

    @property
    def headline(self) -> str:
        """One sentence: of what, and whether it is right."""
        shapes = ", ".join(f"{each.dtype}{list(each.shape)}" for each in self.arrays)
        of = f"gradients of {self.function} ({self.framework}) at {shapes}"
        if self.ok:
            return f"{of}: {self.checked} elements agree with differences; seed={self.seed}"
        faults = "one fault" if len(self.findings) == 1 else f"{len(self.findings)} faults"
        return f"{of}: {faults}; seed={self.seed} replays it"

    @property
    def undecided_words(self) -> str:
        """What is said of elements at which differences do not decide."""
        return (
            f"{self.undecided} of {self.checked} elements could not be decided: the error of their "
            "differences is too large; check in float64, or at inputs where the function is smooth"
        )

    def html(self) -> str:
        """The report as one self-contained page."""
        return page(self)
