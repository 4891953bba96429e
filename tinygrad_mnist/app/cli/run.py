"""`tinygrad-mnist run` and `compare`: a PyTorch script on this engine, and on PyTorch beside it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .errors import FAILED, complain, told_in_a_sentence

if TYPE_CHECKING:
    from tinygrad_mnist.tools.compare import Report

COMPARE_CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
RUN_CONTEXT = COMPARE_CONTEXT | {"allow_interspersed_args": False}
RUN_HELP = (
    "Run a PyTorch script or notebook on this engine: what it imports from torch is "
    "tinygrad_mnist's.\n\n"
    "The script runs in a Python process of its own, with its arguments, its input and its exit "
    "code. Notebooks (.ipynb, and Markdown with ```python cells) run cell by cell. What this "
    "engine does not have is named, with the line that asks for it.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist run train.py[/cyan]\n"
    "  [cyan]tinygrad-mnist run train.py --epochs 3[/cyan]    what follows the script is its own\n"
    "  [cyan]tinygrad-mnist run tutorial.ipynb[/cyan]\n"
    "  [cyan]tinygrad-mnist run --notebook notes.txt[/cyan]   Markdown by another name\n"
    "  [cyan]tinygrad-mnist run --device cpu gpu.py[/cyan]    a script that asks for 'cuda' by name"
)


def run(
    script: options.Script,
    arguments: options.Arguments = None,
    notebook: options.Notebook = False,
    module: Annotated[
        bool, typer.Option("-m", "--module", help="SCRIPT names a module, as for python -m.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads for products of large matrices.")
    ] = None,
    device: Annotated[
        options.OnlyCpu | None, typer.Option(help="cpu: the script's 'cuda' is the CPU.")
    ] = None,
    full_traceback: Annotated[
        bool, typer.Option("--full-traceback", help="Show the engine's own frames in errors.")
    ] = False,
) -> None:
    """Runs the script and exits as it does; `RUN_HELP` is what a person reads of it."""
    from tinygrad_mnist.tools import scripts

    code = scripts.run(
        script, arguments or (), notebook=notebook, module=module, threads=threads, device=device,
        full_traceback=full_traceback,
    )  # fmt: skip
    raise typer.Exit(code)


COMPARE_HELP = (
    "Run a PyTorch script on PyTorch and on this engine, and tell how equal they are.\n\n"
    "Compared are: what is printed; every call of backward, with its loss and the gradients of "
    "its leaves; the parameters at the end; the operations of the first steps; the time of a "
    "step. Both start from one seed, unless the script sets its own. Needs PyTorch: "
    "pip install 'tinygrad_mnist\\[reference]'.\n\n"
    "The exit code is 0 when everything is equal within the bounds: a difference may be --ulp "
    "neighbouring numbers at the tensor's largest, or --atol. Numbers in lines of text may differ "
    "as much, or in the last digit shown. It is 1 when something differs.\n\n"
    "Small differences grow in deep networks, until the runs part ways: 'forked at step N by "
    "E'. With --lockstep this engine takes PyTorch's gradients and parameters "
    "after each step, so that each step is compared by itself. Steps that differ even so are run "
    "once more, to name what rounding made choose otherwise (a maximum, a ReLU at 0): if that is "
    "all, the exit code is 0.\n\n"
    "Options that are not in this list, and everything behind --, go to the script.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist compare train.py[/cyan]\n"
    "  [cyan]tinygrad-mnist compare cnn.py --epochs 1 --lockstep[/cyan]\n"
    "  [cyan]tinygrad-mnist compare train.py --json report.json -- --seed 3[/cyan]\n"
    "  [cyan]tinygrad-mnist compare train.py --device cuda[/cyan]   PyTorch may use a GPU"
)


def compare(
    script: options.Script,
    arguments: options.Arguments = None,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="Take PyTorch's numbers after each step.")
    ] = False,
    ulp: Annotated[
        float, typer.Option(min=0, help="Bound in neighbouring numbers at the largest.")
    ] = 1000.0,
    atol: Annotated[float, typer.Option(min=0, help="Bound as a number; either will do.")] = 1e-6,
    operations: Annotated[
        int, typer.Option(min=0, help="Compare the operations of so many steps.")
    ] = 10,
    seed: Annotated[int, typer.Option(help="Where random numbers start.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each engine.")] = 1,
    device: Annotated[
        options.Device,
        typer.Option(help="cuda: PyTorch finds the GPU, if the script asks for one."),
    ] = options.Device.cpu,
    notebook: options.Notebook = False,
    json: Annotated[Path | None, options.file("Write every step and difference.")] = None,
) -> None:
    """Compares, prints the table, and exits by what it says; `COMPARE_HELP` tells a person."""
    from rich.console import Console

    from tinygrad_mnist.serialization import files
    from tinygrad_mnist.tools import compare as comparing
    from tinygrad_mnist.tools.scripts import ScriptError

    from .outputs import write

    with told_in_a_sentence():
        if json is not None:
            files.check(json)
        try:
            with Console(stderr=True).status("both engines start") as status:
                report = comparing.compare_script(
                    script, arguments or (), notebook=notebook, seed=seed, threads=threads,
                    device=device.value, watched_steps=operations, lockstep=lockstep,
                    bounds=comparing.Bounds(ulp, atol),
                    watch=lambda report: status.update(f"step {len(report.steps)}"),
                )  # fmt: skip
        except ScriptError as error:
            complain(error)
            raise typer.Exit(FAILED) from None
        _show(report)
        if json is not None:
            write(json, report.as_json())
    if not report.equal:
        raise typer.Exit(FAILED)


def _show(report: Report) -> None:
    from rich.console import Console

    from tinygrad_mnist.tools.compare.report import tables, verdict

    if isinstance(sys.stdout, io.TextIOWrapper):  # what the script printed may be anything
        sys.stdout.reconfigure(errors="replace")
    Console().print(*tables(report), sep="\n")
    for sentence in verdict(report):
        typer.echo(sentence)
