"""The files that `tinygrad-mnist train` was asked to write."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tinygrad_mnist.app import report
from tinygrad_mnist.serialization import files

from . import FAILED
from .faults import complain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinygrad_mnist.app.train import Result, Settings


@dataclass(frozen=True)
class Outputs:
    """Where to write what; None is not to write it."""

    json: Path | None
    plot: Path | None
    save: Path | None
    checkpoint: Path | None = None

    def check(self) -> None:
        """Finds before the training what would fail after it.

        Raises:
            WriteError: a file cannot be written.
            typer.BadParameter: two files are one, or no kind of picture has that name.
        """
        named = (self.json, self.plot, self.save, self.checkpoint)
        paths = [path for path in named if path is not None]
        if len({os.path.realpath(path) for path in paths}) < len(paths):
            raise typer.BadParameter(
                "--json, --plot, --save and --checkpoint: expected a file for each"
            )
        if self.plot is not None and self.plot.suffix.lower() not in report.PICTURES:
            kinds = ", ".join(report.PICTURES)
            raise typer.BadParameter(f"--plot {self.plot}: expected a name that ends in {kinds}")
        if self.plot is not None and importlib.util.find_spec("matplotlib") is None:
            complain("--plot needs matplotlib: pip install 'tinygrad_mnist[plots]'")
            raise typer.Exit(FAILED)
        for path in paths:
            files.check(path)

    def write(
        self,
        settings: Settings,
        data: str,
        result: Result,
        losses: Sequence[tuple[float, float]],
    ) -> dict[Path, files.WriteError | None]:
        """Writes each file, whatever happens to the others; tells what went wrong with which."""
        outcomes: dict[Path, files.WriteError | None] = {}
        for path, content in self._contents(settings, data, result, losses):
            try:
                with files.writing(path) as file:
                    file.write(content)
                outcomes[path] = None
            except files.WriteError as error:
                outcomes[path] = error
        return outcomes

    def _contents(
        self,
        settings: Settings,
        data: str,
        result: Result,
        losses: Sequence[tuple[float, float]],
    ) -> Iterator[tuple[Path, bytes]]:
        if self.json is not None:
            yield self.json, report.as_json(asdict(settings), data, result.history)
        if self.save is not None:
            yield self.save, report.as_safetensors(result.parameters, settings.model)
        if self.plot is not None:
            images = report.images_of(result.parameters)
            suffix = self.plot.suffix.lower()
            yield self.plot, report.as_picture(images, losses, result.history, suffix)
