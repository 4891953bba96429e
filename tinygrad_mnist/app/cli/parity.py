"""`tinygrad-mnist parity`: how far every operation is from PyTorch, as a table."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import FAILED, need, told_in_a_sentence
from .options import file

if TYPE_CHECKING:
    from tinygrad_mnist.tools.parity.report import Report
    from tinygrad_mnist.tools.parity.table import Operation

HELP = (
    "Compare every operation with PyTorch, and print what was found.\n\n"
    "Needs PyTorch: pip install 'tinygrad_mnist\\[reference]'. The exit code is 1 "
    "when an operation differs more than it may.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist parity[/cyan]                        the table\n"
    "  [cyan]tinygrad-mnist parity sum softmax[/cyan]            of two operations\n"
    "  [cyan]tinygrad-mnist parity --markdown parity.md[/cyan]   as a page of documentation"
)


def parity(
    operations: Annotated[
        list[str] | None,
        typer.Argument(help="Operations to try, by their names in the table; all unless given."),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=1, help="Samples of each operation in each situation.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Fixes the samples.")] = 0,
    markdown: Annotated[Path | None, file("Write a page.")] = None,
    json: Annotated[Path | None, file("Write JSON.")] = None,
) -> None:
    """Prints and writes the report; `HELP` is what a person reads of it."""
    from tinygrad_mnist.serialization import files

    from .outputs import distinct, write

    outputs = distinct((markdown, json), "--markdown and --json")
    need("torch", "PyTorch is not installed: pip install 'tinygrad_mnist[reference]'")
    chosen = _chosen(operations)
    with told_in_a_sentence():
        for path in outputs:
            files.check(path)
        report = _measured(chosen, examples, seed)
        typer.echo(report.text())
        for path in outputs:
            content = report.markdown() if path is markdown else report.json()
            write(path, content.encode())
    if report.totals.differs:
        raise typer.Exit(FAILED)


def _chosen(names: list[str] | None) -> list[Operation]:
    """The rows that are named, or all; a name that is unknown is told with those like it."""
    from difflib import get_close_matches

    from tinygrad_mnist.tools.parity.table import OPERATIONS

    known = {operation.name: operation for operation in OPERATIONS if operation.public}
    for name in names or ():
        if name not in known:
            last = {each.split(".")[-1]: each for each in reversed(known)}
            alike = [each for each in known if each.split(".")[-1] == name]
            alike = alike or [last[each] for each in get_close_matches(name, last, n=1)]
            hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
            raise typer.BadParameter(f"no operation is called '{name}'{hint}")
    return [known[name] for name in names] if names else list(known.values())


def _measured(chosen: list[Operation], examples: int, seed: int) -> Report:
    from tinygrad_mnist.tools.parity.report import parity_report

    with _progress(len(chosen)) as tell:
        return parity_report(chosen, examples=examples, seed=seed, progress=tell)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """What to tell the name of each operation: on a terminal, a bar on stderr shows it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    shown = sys.stderr.isatty()
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not shown
    ) as progress:
        task = progress.add_task("", total=total)
        done = itertools.count()
        yield lambda name: progress.update(task, completed=next(done), description=name)
