"""`tinygrad-mnist bench`: a PyTorch script timed on this engine and on PyTorch, in rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .errors import FAILED, INTERRUPTED, complain, told_in_a_sentence

HELP = (
    "Time a PyTorch script as it is: on this engine and on PyTorch, eager and compiled.\n\n"
    "Each round runs the script once for each of them, one after another, in fresh processes and "
    "in another order each time. Told are the median time of a training step with its 95 % "
    "interval, how it compares with PyTorch round by round, the time to the first step, and the "
    "operations in which this engine's time goes, beside PyTorch's time for them.\n\n"
    "A step ends when the script's optimiser has stepped, or where there is none, with each call "
    "of backward or of what torch.compile made; without these the whole script is timed. The "
    "later half of a run's steps counts: engines compile in the first ones. In the eager rows "
    "torch.compile gives back what it gets. Times count only where losses and printed lines are "
    "PyTorch's.\n\n"
    "The exit code is 0; 1 when results differ or the script fails; 130 after Ctrl-C, which shows "
    "what is known by then.\n\n"
    "Options that are not in this list, and everything behind --, go to the script.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist bench train.py[/cyan]\n"
    "  [cyan]tinygrad-mnist bench train.py --rounds 9 --json times.json -- --seed 3[/cyan]\n"
    "  [cyan]tinygrad-mnist bench train.py --only eager --only torch --steps 500[/cyan]"
)


def bench(
    script: options.Script,
    arguments: options.Arguments = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each of them runs it.")] = 5,
    steps: Annotated[
        int, typer.Option(min=0, help="End a run after so many; 0: where the script ends.")
    ] = 200,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each engine.")] = 1,
    seed: Annotated[int, typer.Option(help="Where random numbers start.")] = 0,
    only: Annotated[
        list[str] | None,
        typer.Option(help="eager, compiled, torch or torch-compiled; may be repeated."),
    ] = None,
    notebook: options.Notebook = False,
    json: Annotated[Path | None, options.file("Write every time, and the machine.")] = None,
) -> None:
    """Times, prints the tables, and exits by what they say; `HELP` tells a person."""
    from rich.console import Console

    from tinygrad_mnist.serialization import files
    from tinygrad_mnist.tools.bench import bench_script
    from tinygrad_mnist.tools.bench.report import tables, verdict
    from tinygrad_mnist.tools.scripts import ScriptError

    from .outputs import write

    with told_in_a_sentence():
        if json is not None:
            files.check(json)
        try:
            with Console(stderr=True).status("begins") as status:
                report = bench_script(
                    script, arguments or (), notebook=notebook, rounds=rounds, steps=steps,
                    threads=threads, seed=seed, only=only or (), watch=status.update,
                )  # fmt: skip
        except ScriptError as error:
            complain(error)
            raise typer.Exit(FAILED) from None
        Console().print(*tables(report), sep="\n")
        for sentence in verdict(report):
            typer.echo(sentence)
        if json is not None:
            write(json, report.as_json())
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if not report.equal:
        raise typer.Exit(FAILED)
