"""`tinygrad-mnist train`: the tutorial's job, from the command line."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinygrad_mnist.cli import FAILED, INTERRUPTED
from tinygrad_mnist.cli.faults import complain, told_in_a_sentence

if TYPE_CHECKING:
    from tinygrad_mnist import Tensor
    from tinygrad_mnist.cli.outputs import Outputs
    from tinygrad_mnist.datasets import Digits
    from tinygrad_mnist.train import Result, Settings


class Stage(StrEnum):
    """How much of the model is written by hand."""

    raw = "raw"
    functional = "functional"
    module = "module"


def _learning_rate(value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise typer.BadParameter(f"expected a finite number from 0 on, got {value}")
    return value


WHERE_HELP = (
    "auto: MNIST where it is found or can be downloaded, else synthetic digits. "
    "mnist: MNIST or an error. synthetic: digits that the program draws. "
    "Or a folder that holds MNIST, or an .npz file of arrays."
)


HELP = (
    "Train the logistic model of PyTorch's torch.nn tutorial on MNIST.\n\n"
    "It reaches a valid accuracy of about 0.92 in two epochs. From the same seed the numbers are "
    "those of PyTorch. Ctrl-C stops it with the results of the epochs that are complete.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train[/cyan]\n"
    "  [cyan]tinygrad-mnist train --stage module --epochs 5 --lr 0.2[/cyan]\n"
    "  [cyan]tinygrad-mnist train --data ~/mnist --plot weights.png --json report.json[/cyan]\n"
    "  [cyan]tinygrad-mnist train --data synthetic --save model.safetensors[/cyan]"
)


def train(
    stage: Annotated[
        Stage,
        typer.Option(
            help="raw: model and loss written from tensor operations. functional: the loss is "
            "F.cross_entropy. module: the model is an nn.Module. All compute the same numbers."
        ),
    ] = Stage.raw,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training digits.")] = 2,
    batch_size: Annotated[int, typer.Option(min=1, help="Digits in a step.")] = 64,
    lr: Annotated[float, typer.Option(callback=_learning_rate, help="Learning rate.")] = 0.5,
    seed: Annotated[
        int, typer.Option(min=-(2**63), max=2**64 - 1, help="Fixes the first weights.")
    ] = 0,
    data: Annotated[str, typer.Option(metavar="WHERE", help=WHERE_HELP)] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads for products of large matrices.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write settings and results.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the weights as ten images, and the loss (.png, .svg or .pdf).",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the parameters as safetensors.")
    ] = None,
) -> None:
    """Trains as the options say; `HELP` is what a person reads of it."""
    from tinygrad_mnist.cli.outputs import Outputs
    from tinygrad_mnist.threads import set_num_threads
    from tinygrad_mnist.train import Settings

    outputs = Outputs(json, plot, save)
    with told_in_a_sentence():
        outputs.check()
        if threads is not None:
            set_num_threads(threads)
        settings = Settings(stage.value, epochs, batch_size, lr, seed)
        _run(settings, load(data), outputs)


def _run(settings: Settings, digits: Digits[Tensor], outputs: Outputs) -> None:
    """Trains while a person can watch, shows the results, writes the files."""
    from tinygrad_mnist.cli import watching
    from tinygrad_mnist.train import Watch, train

    rows = len(digits.train[0])
    with watching.bar() as progress:
        watch: Watch = (
            watching.Log(settings.epochs)
            if progress.disable
            else watching.Bar(progress, settings.epochs, rows)
        )
        losses = watching.Losses(watch, rows)
        result = train(settings, digits, losses if outputs.plot else watch)
    if result.interrupted:
        complain(f"stopped: {len(result.history)} of {settings.epochs} epochs are complete")
    if result.history:
        outcomes = outputs.write(settings, digits.description, result, losses.noted)
        show(result, digits)
        for path, fault in outcomes.items():
            if fault is None:
                typer.echo(f"wrote {path}")
            else:
                complain(fault)
        if any(outcomes.values()):
            raise typer.Exit(FAILED)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


def show(result: Result, digits: Digits[Tensor]) -> None:
    """Prints the results as a table, and with it the time and the data used."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("epoch", "train loss", "train accuracy", "valid loss", "valid accuracy"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for epoch in result.history:
        table.add_row(
            str(epoch.epoch),
            f"{epoch.train_loss:.4f}",
            f"{epoch.train_accuracy:.4f}",
            f"{epoch.valid_loss:.4f}",
            f"{epoch.valid_accuracy:.4f}",
            f"{epoch.seconds:.2f}",
        )
    Console().print(table)
    seconds = sum(epoch.seconds for epoch in result.history)
    samples = len(digits.train[0]) * len(result.history)
    typer.echo(f"data: {digits.description}")
    typer.echo(f"time: {seconds:.2f} s of training, {samples / seconds:,.0f} samples/s")
    if not math.isfinite(result.history[-1].train_loss):
        typer.echo("the loss is not finite: try a smaller --lr", err=True)


def load(where: str) -> Digits[Tensor]:
    """The digits, and a warning that cannot be missed if they are not those one may expect."""
    import warnings

    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from tinygrad_mnist.train import load

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        digits = load(where)
    for warning in caught:
        text = Text(str(warning.message).strip())
        Console(stderr=True).print(Panel(text, title="warning", border_style="bold red"))
    return digits
