"""A program to run: a script, or a notebook's cells of code."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cell", "Program", "ScriptError"]

SCRIPT = "TINYGRAD_MNIST_SCRIPT"
"""The environment variable by which worker processes learn of the script."""


class ScriptError(Exception):
    """A script cannot be read; the message names it and says why."""


@dataclass(frozen=True)
class Cell:
    """Code that is compiled and run as one."""

    number: int
    """Its place among the cells of code, from 1."""
    source: str
    filename: str
    """What tracebacks call it."""


@dataclass(frozen=True)
class Program:
    """What a file holds to be run, in order; a script is a single cell."""

    path: Path
    cells: tuple[Cell, ...]
    is_notebook: bool

    def cell_of(self, filename: str) -> Cell | None:
        """The cell that tracebacks call so; None when the code is somebody else's."""
        return next((cell for cell in self.cells if cell.filename == filename), None)

    def place(self, filename: str, line: int) -> str:
        """Where a line stands, as a person is told: "cell 3, line 2", or "train.py, line 7"."""
        cell = self.cell_of(filename)
        if cell is None or not self.is_notebook:
            return f"{Path(filename).name}, line {line}"
        return f"cell {cell.number}, line {line}"

    def remember_lines(self) -> None:
        """Lets tracebacks and `inspect` quote cells, which have no file of their own."""
        for cell in self.cells:
            lines = cell.source.splitlines(keepends=True)
            linecache.cache[cell.filename] = (len(cell.source), None, lines, cell.filename)


def notebook(path: Path, sources: list[str]) -> Program:
    """The program of a notebook with these cells of code."""
    cells = tuple(
        Cell(number, source, f"{path.name}, cell {number}")
        for number, source in enumerate(sources, start=1)
    )
    return Program(path, cells, is_notebook=True)
