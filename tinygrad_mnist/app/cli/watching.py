"""A run as it is seen while it goes on: a progress bar where a person watches, else a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import typer

from tinygrad_mnist.app.train import Watch

if TYPE_CHECKING:
    from rich.progress import Progress

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.logistic import Epoch

_PAUSE = 0.125
"""Seconds between two pictures of the bar: drawing it takes the loop's time."""


class Log(Watch):
    """A line on stderr for each epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch(self, epoch: Epoch) -> None:
        """Tells how the epoch ended."""
        typer.echo(
            f"epoch {epoch.epoch} of {self.epochs}: valid loss {epoch.valid_loss:.4f}, "
            f"valid accuracy {epoch.valid_accuracy:.4f}",
            err=True,
        )


class Bar(Watch):
    """A bar on stderr with the loss of the latest batch and the samples per second."""

    def __init__(self, progress: Progress, epochs: int, rows: int, passed: int = 0) -> None:
        self.progress = progress
        self.epochs = epochs
        self.rows = rows
        self.passed = passed
        self.due = 0.0
        self.first: tuple[float, int] | None = None
        """When the epoch's first step was over, and how many rows it took."""
        self.task = progress.add_task(self._title(), total=epochs * rows, loss="", speed="")

    def _title(self) -> str:
        return f"epoch {min(self.passed + 1, self.epochs)} of {self.epochs}"

    def step(self, rows: int, loss: Tensor) -> None:
        """Draws the bar anew if it is time."""
        now = time.perf_counter()
        if now >= self.due:
            self.due = now + _PAUSE
            self.progress.update(
                self.task,
                completed=self.passed * self.rows + min(rows, self.rows),
                loss=f"loss {loss.item():.4f}",
            )
            if self.first is None:
                self.first = now, rows
            else:
                begin, already = self.first
                speed = f"{(rows - already) / (now - begin):,.0f} samples/s"
                self.progress.update(self.task, speed=speed)
            self.progress.refresh()

    def epoch(self, epoch: Epoch) -> None:
        """Begins the next epoch."""
        self.passed = epoch.epoch
        self.due = 0.0
        self.first = None
        self.progress.update(
            self.task, completed=self.passed * self.rows, description=self._title()
        )
        self.progress.refresh()


def bar() -> Progress:
    """An empty progress bar, which draws nothing unless stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[loss]}  {task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
