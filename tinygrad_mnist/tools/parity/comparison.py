"""What two frameworks made of the same inputs, and where that differs most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .ulp import ulp_difference

__all__ = ["Comparison", "Difference", "ParityError", "compare_each", "text_table"]


class ParityError(AssertionError):
    """The two engines differ; `comparison` holds what was compared."""

    __module__ = "tinygrad_mnist.testing"

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(str(comparison))
        self.comparison = comparison


@dataclass(frozen=True)
class Difference:
    """The largest difference in one thing that was compared."""

    what: str
    index: str
    ours: str
    theirs: str
    ulp: float
    """Units in the last place; infinite where the two are not comparable."""
    allowed: float

    @property
    def too_large(self) -> bool:
        """Whether it is more than was allowed."""
        return not self.ulp <= self.allowed


@dataclass
class Comparison:
    """What two engines made of the same inputs."""

    seed: int
    values: list[Difference] = field(default_factory=list)
    gradients: list[Difference] = field(default_factory=list)
    second: list[Difference] = field(default_factory=list)
    facts: list[Difference] = field(default_factory=list)
    names: tuple[str, str] = ("tinygrad_mnist", "PyTorch")
    """Those of the two frameworks."""
    raised: str | None = None
    """The class of the error that both raised."""
    hint: str = ""
    """Which options would let pass what differs, if it may be rounding."""

    def differences(self) -> list[Difference]:
        """Everything that differs more than is allowed, in the order of the computation."""
        everything = [*self.facts, *self.values, *self.gradients, *self.second]
        return [each for each in everything if each.too_large]

    def worst(self, of: str) -> float:
        """The largest difference in ulp among "values", "gradients" or "second"."""
        return max([each.ulp for each in getattr(self, of)], default=0.0)

    def __str__(self) -> str:
        rows = [
            (d.what, d.index, d.ours, d.theirs, f"{d.ulp:.3g}", f"{d.allowed:g}")
            for d in self.differences()
        ]
        if not rows:
            return f"no difference (seed={self.seed})"
        heads = ("what", "index", *self.names, "ulp", "allowed")
        return (
            f"{self.names[0]} and {self.names[1]} differ; seed={self.seed} replays it\n\n"
            f"{text_table(heads, rows)}{self.hint}"
        )


def text_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows under their heads, in columns as wide as they need to be.

    >>> print(text_table(("what", "ulp"), [("value", "12"), ("gradient of input 0", "3")]))
    what                 ulp
    value                12
    gradient of input 0  3
    """
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in padded)


def compare_each(
    ours: dict[str, Any], theirs: dict[str, Any], scales: dict[str, Any], allowed: float
) -> Iterator[Difference]:
    """The largest difference in each of the arrays of one shape and dtype."""
    for name in {**theirs, **ours}:
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None:
            if mine is not other:
                texts = ["none" if each is None else "an array" for each in (mine, other)]
                yield Difference(name, "", texts[0], texts[1], np.inf, allowed)
        elif mine.shape == other.shape and mine.dtype == other.dtype and mine.size:
            scale = scales.get(name)
            fits = scale is not None and np.shape(scale) in ((), other.shape)
            apart = ulp_difference(mine, other, scale if fits else None)
            worst = np.unravel_index(int(apart.argmax()), apart.shape)
            place = str(tuple(int(i) for i in worst)) if worst else ""
            yield Difference(
                name, place, str(mine[worst]), str(other[worst]), float(apart[worst]), allowed
            )
