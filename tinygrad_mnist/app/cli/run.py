"""`tinygrad-mnist run`: a PyTorch script on this engine."""

from __future__ import annotations

from typing import Annotated

import typer

HELP = (
    "Run a PyTorch script or notebook on this engine: what it imports from torch is "
    "tinygrad_mnist's.\n\n"
    "The script runs in a Python process of its own, with its arguments, its input and its exit "
    "code. Notebooks (.ipynb, and Markdown with ```python cells) run cell by cell. What this "
    "engine does not have is named, with the line that asks for it.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist run train.py[/cyan]\n"
    "  [cyan]tinygrad-mnist run train.py --epochs 3[/cyan]    what follows the script is its own\n"
    "  [cyan]tinygrad-mnist run tutorial.ipynb[/cyan]\n"
    "  [cyan]tinygrad-mnist run --notebook notes.txt[/cyan]   Markdown by another name"
)

CONTEXT = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
}


def run(
    script: Annotated[str, typer.Argument(help="A .py file, or a notebook.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the script gets.")] = None,
    notebook: Annotated[
        bool, typer.Option("--notebook", help="Read the file as a notebook, whatever its name.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads for products of large matrices.")
    ] = None,
    full_traceback: Annotated[
        bool, typer.Option("--full-traceback", help="Show the engine's own frames in errors.")
    ] = False,
) -> None:
    """Runs the script and exits as it does; `HELP` is what a person reads of it."""
    from tinygrad_mnist.tools import scripts

    code = scripts.run(
        script,
        arguments or (),
        notebook=notebook,
        threads=threads,
        full_traceback=full_traceback,
    )
    raise typer.Exit(code)
