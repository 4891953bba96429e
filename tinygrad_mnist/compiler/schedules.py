"""A schedule of learning rates that is stepped ahead of the steps it is for, and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

_PLACE = LRScheduler.__module__.rpartition(".")[0]
_NOT_ITS_OWN = ("optimizer", "_schedulers")


class Schedule:
    """A schedule, or None, which has nothing to step."""

    def __init__(self, scheduler: LRScheduler | None) -> None:
        self.scheduler = scheduler
        self._parts = [] if scheduler is None else [*_parts(scheduler)]
        self.counts = scheduler is None or (
            all(map(_counts, self._parts))
            and not any(
                isinstance(v, TensorBase) for group in self._settings() for v in group.values()
            )
        )
        """Whether its rates depend on nothing but the number of steps."""
        self._steps = 0

    def _settings(self) -> list[dict[str, Any]]:
        groups = [] if self.scheduler is None else self.scheduler.optimizer.param_groups
        return [{key: group[key] for key in group if key != "params"} for group in groups]

    def mark(self) -> None:
        """Remember this moment."""
        self._steps = 0
        self._then = [copy.deepcopy(_own(part)) for part in self._parts], self._settings()

    def step(self) -> None:
        """Go on to the next step."""
        if self.scheduler is not None:
            self._steps += 1
            self.scheduler.step()

    def back_to(self, steps: int) -> None:
        """Go back to so many steps after the moment that was marked."""
        if self.scheduler is None or self._steps == steps:
            return
        states, settings = self._then
        for part, state in zip(self._parts, states, strict=True):
            vars(part).update(state)
        for group, kept in zip(self.scheduler.optimizer.param_groups, settings, strict=True):
            group.update(kept)
        for _ in range(steps):
            self.scheduler.step()


def _parts(scheduler: Any) -> Iterator[Any]:
    """A schedule, and those that it is made of."""
    yield scheduler
    for inner in getattr(scheduler, "_schedulers", ()):
        yield from _parts(inner)


def _own(scheduler: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(scheduler).items() if key not in _NOT_ITS_OWN}


def _counts(scheduler: Any) -> bool:
    """Whether a schedule is one of the package's, and calls no function of the user's."""
    kind, own = type(scheduler), _own(scheduler).values()
    called = any(callable(part) for each in own for part in _listed(each))
    ours = kind.__module__.startswith(_PLACE) and kind is not ReduceLROnPlateau
    return ours and not called


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
