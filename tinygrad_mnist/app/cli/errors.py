"""How commands tell: results in a table, what goes wrong in one sentence and no traceback."""

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

FAILED = 1
INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def complain(fault: object) -> None:
    """Tells on stderr what is wrong."""
    typer.echo(f"error: {fault}", err=True)


def need(module: str, sentence: str) -> None:
    """Ends the program with a sentence where an optional package is not installed."""
    if importlib.util.find_spec(module) is None:
        complain(sentence)
        raise typer.Exit(FAILED)


def print_table(columns: Iterable[object], rows: Iterable[Iterable[str]]) -> None:
    """Prints a table of numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(str(column), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Ends the program with a sentence and an exit code when data or a file is at fault."""
    from tinygrad_mnist.app.datasets import DataError
    from tinygrad_mnist.serialization.files import ReadError, WriteError

    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has enough of it
        raise
    except (DataError, ReadError, WriteError, OSError) as error:
        complain(error)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
