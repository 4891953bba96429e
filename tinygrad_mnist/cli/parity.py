"""`tinygrad-mnist parity`: how far every operation is from PyTorch, as a table."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from tinygrad_mnist.cli.faults import FAILED, complain, told_in_a_sentence

HELP = (
    "Compare every operation with PyTorch, and print what was found.\n\n"
    "Needs PyTorch and Hypothesis: pip install 'tinygrad_mnist[reference,testing]'. The exit code "
    "is 1 when an operation differs more than it may.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist parity[/cyan]                        the table\n"
    "  [cyan]tinygrad-mnist parity sum softmax[/cyan]            of two operations\n"
    "  [cyan]tinygrad-mnist parity --markdown parity.md[/cyan]   as a page of documentation"
)

Names = Annotated[list[str] | None, typer.Argument(help="Operations to try; all unless given.")]


def parity(
    operations: Names = None,
    examples: Annotated[
        int, typer.Option(min=1, help="Samples of each operation in each situation.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Fixes the samples.")] = 0,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JSON.")] = None,
) -> None:
    """Prints and writes the report; `HELP` is what a person reads of it."""
    from tinygrad_mnist import files

    outputs = [path for path in (markdown, json) if path is not None]
    with told_in_a_sentence():
        for path in outputs:
            files.check(path)
        report = _measured(operations, examples, seed)
        typer.echo(report.text())
        for path in outputs:
            with files.writing(path) as file:
                content = report.markdown() if path is markdown else report.json()
                file.write(content.encode())
            typer.echo(f"wrote {path}")
    if any(row.differs for row in report.rows):
        raise typer.Exit(FAILED)


def _measured(names: list[str] | None, examples: int, seed: int):  # type: ignore[no-untyped-def]
    for package, extra in (("torch", "reference"), ("hypothesis", "testing")):
        if importlib.util.find_spec(package) is None:
            complain(f"{package} is not installed: pip install 'tinygrad_mnist[{extra}]'")
            raise typer.Exit(FAILED)
    from tinygrad_mnist.testing.operations import OPERATIONS
    from tinygrad_mnist.testing.report import parity_report

    known = {operation.name: operation for operation in OPERATIONS if operation.public}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise typer.BadParameter(f"no operation is called {unknown[0]!r}; the table names them all")
    chosen = [known[name] for name in names] if names else list(known.values())
    return parity_report(chosen, examples=examples, seed=seed)
