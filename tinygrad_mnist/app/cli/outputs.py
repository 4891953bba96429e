"""What `tinygrad-mnist train` shows while it goes on, and the files that it was asked to write."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tinygrad_mnist.app import report
from tinygrad_mnist.app.train import Callback
from tinygrad_mnist.serialization import files

from .errors import need

if TYPE_CHECKING:
    from rich.progress import Progress

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.logistic import Epoch
    from tinygrad_mnist.app.train import Result, Settings

_PAUSE = 0.125
"""Seconds between two pictures of the bar: drawing it takes the loop's time."""


def distinct(paths: Iterable[Path | None], options: str) -> list[Path]:
    """Those paths that were named; two that are one file are refused, naming the options."""
    named = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in named}) < len(named):
        raise typer.BadParameter(f"{options}: expected a file for each")
    return named


def write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, and says so; raises WriteError if it cannot be written."""
    with files.writing(path) as file:
        file.write(content)
    typer.echo(f"wrote {path}")


def write_all(contents: Iterable[tuple[Path, bytes]]) -> dict[Path, files.WriteError | None]:
    """Writes each file, whatever happens to the others; tells what went wrong with which."""
    outcomes: dict[Path, files.WriteError | None] = {}
    for path, content in contents:
        try:
            with files.writing(path) as file:
                file.write(content)
            outcomes[path] = None
        except files.WriteError as error:
            outcomes[path] = error
    return outcomes


@dataclass(frozen=True)
class Outputs:
    """Where to write what; None is not to write it."""

    json: Path | None
    plot: Path | None
    save: Path | None
    checkpoint: Path | None = None
    report: Path | None = None

    def check(self) -> None:
        """Finds before the training what would fail after it, or raises."""
        named = (self.json, self.plot, self.save, self.checkpoint, self.report)
        paths = distinct(named, "--json, --plot, --save, --checkpoint and --report")
        if self.report is not None and self.report.suffix.lower() not in (".html", ".htm"):
            raise typer.BadParameter(f"--report {self.report}: expected a name that ends in .html")
        if self.plot is not None and self.plot.suffix.lower() not in report.PICTURES:
            kinds = ", ".join(report.PICTURES)
            raise typer.BadParameter(f"--plot {self.plot}: expected a name that ends in {kinds}")
        if self.plot is not None:
            need("matplotlib", "--plot needs matplotlib: pip install 'tinygrad_mnist[plots]'")
        for path in paths:
            files.check(path)

    def contents(
        self, settings: Settings, data: str, result: Result, losses: Sequence[tuple[float, float]]
    ) -> Iterator[tuple[Path, bytes]]:
        """What is to be written where."""
        if self.json is not None:
            yield self.json, report.as_json(asdict(settings), data, result.history)
        if self.save is not None:
            yield self.save, report.as_safetensors(result.parameters, settings.model)
        if self.plot is not None:
            images = report.images_of(result.parameters)
            suffix = self.plot.suffix.lower()
            yield self.plot, report.as_picture(images, losses, result.history, suffix)


class Log(Callback):
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


class Bar(Callback):
    """A bar on stderr with the loss of the latest batch and the samples per second."""

    def __init__(self, progress: Progress, epochs: int, rows: int, passed: int = 0) -> None:
        self.progress, self.epochs, self.rows, self.passed = progress, epochs, rows, passed
        self.due = 0.0
        self.first: tuple[float, int] | None = None
        """When the epoch's first step was over, and how many rows it took."""
        self.task = progress.add_task(self._title(), total=epochs * rows, loss="", speed="")

    def _title(self) -> str:
        return f"epoch {min(self.passed + 1, self.epochs)} of {self.epochs}"

    def wait(self, steps: int) -> int:
        """As long as it takes."""
        return sys.maxsize

    def step(self, rows: int, loss: Tensor) -> None:
        """Draws the bar anew if it is time."""
        now = time.perf_counter()
        if now >= self.due:
            self.due = now + _PAUSE
            completed = self.passed * self.rows + min(rows, self.rows)
            self.progress.update(self.task, completed=completed, loss=f"loss {loss.item():.4f}")
            if self.first is None:
                self.first = now, rows
            else:
                begin, already = self.first
                speed = f"{(rows - already) / (now - begin):,.0f} samples/s"
                self.progress.update(self.task, speed=speed)
            self.progress.refresh()

    def epoch(self, epoch: Epoch) -> None:
        """Begins the next epoch."""
        self.passed, self.due, self.first = epoch.epoch, 0.0, None
        completed = self.passed * self.rows
        self.progress.update(self.task, completed=completed, description=self._title())
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
