"""What a contestant is: a name, the package that it needs, and how it trains a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.jobs import Array, Job


@dataclass(frozen=True)
class Training:
    """A job begun: weights of its own, on their way."""

    place: Callable[[Array, Array], Any]
    """Take (steps, batch, …) examples and labels to where the engine wants them; not timed."""
    run: Callable[[Any], float]
    """Train a step for each batch placed; the last step's loss, when all of it is really done."""
    weights: Callable[[], list[Array]]
    """The weights as they are now, in the job's order and layout."""


@dataclass(frozen=True)
class Contestant:
    """An engine, or a way to use one.

    `start` imports what it needs, and raises ModuleNotFoundError where that is not installed and
    NotImplementedError, with the reason, for a job that it cannot do: both become rows that say so.
    """

    name: str
    package: str
    start: Callable[[Job], Training]


def step_by_step(
    step: Callable[[Any, Any], Any],
    tensor: Callable[[Array], Any],
    weights: Callable[[], list[Array]],
) -> Training:
    """The training of a step that takes one batch and gives its loss."""

    def place(xs: Array, ys: Array) -> Any:
        return [(tensor(x), tensor(y)) for x, y in zip(xs, ys, strict=True)]

    def run(batches: Any) -> float:
        for x, y in batches:
            loss = step(x, y)
        return float(loss.item() if hasattr(loss, "item") else loss)

    return Training(place, run, weights)
