"""What goes wrong is told in one sentence on stderr, never as a traceback."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from . import FAILED as FAILED
from . import INTERRUPTED


def complain(fault: object) -> None:
    """Tells on stderr what is wrong."""
    typer.echo(f"error: {fault}", err=True)


def need(module: str, sentence: str) -> None:
    """Ends the program with a sentence where an optional package is not installed."""
    if importlib.util.find_spec(module) is None:
        complain(sentence)
        raise typer.Exit(FAILED)


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
