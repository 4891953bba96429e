"""`tinygrad-mnist train`: the tutorial's job, from the command line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import typer

from . import FAILED, INTERRUPTED
from . import train_options as options
from .faults import complain, told_in_a_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.datasets import Digits
    from tinygrad_mnist.app.train import Result

    from .outputs import Outputs
    from .resuming import Beginning

HELP = (
    "Train a model of PyTorch's torch.nn tutorial on MNIST.\n\n"
    "The logistic model reaches a valid accuracy of about 0.92 in two epochs. From the same seed "
    "the numbers are those of PyTorch. Ctrl-C stops it with the results of the epochs that are "
    "complete.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train[/cyan]\n"
    "  [cyan]tinygrad-mnist train --stage module --epochs 5 --lr 0.2[/cyan]\n"
    "  [cyan]tinygrad-mnist train --data ~/mnist --plot weights.png --json report.json[/cyan]\n"
    "  [cyan]tinygrad-mnist train --model mlp --optimizer adam --save mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist train --model cnn --momentum 0.9 --shuffle --checkpoint run.pt[/cyan]\n"
    "  [cyan]tinygrad-mnist train --resume run.pt[/cyan]\n"
    "  [cyan]tinygrad-mnist train --compile --epochs 10[/cyan]"
)


def train(
    context: typer.Context,
    model: options.ModelOption = options.Model.logistic,
    stage: options.StageOption = None,
    optimizer: options.OptimizerOption = options.Optimizer.sgd,
    momentum: options.MomentumOption = 0.0,
    shuffle: options.ShuffleOption = False,
    epochs: options.EpochsOption = 2,
    batch_size: options.BatchSizeOption = 64,
    lr: options.LrOption = None,
    seed: options.SeedOption = 0,
    compile: options.CompileOption = False,
    data: options.DataOption = "auto",
    threads: options.ThreadsOption = 1,
    json: options.JsonOption = None,
    plot: options.PlotOption = None,
    save: options.SaveOption = None,
    checkpoint: options.CheckpointOption = None,
    checkpoint_every: options.EveryOption = None,
    resume: options.ResumeOption = None,
) -> None:
    """Trains as the options say; `HELP` is what a person reads of it."""
    from . import resuming
    from .outputs import Outputs

    told = dict(context.params)
    given = {name for name in told if resuming.was_given(context, name)}
    outputs = Outputs(json, plot, save, checkpoint or resume)
    with told_in_a_sentence():
        outputs.check()
        if resume is None:
            begin = resuming.begun(told)
        else:
            begin = resuming.resumed(resume, told, given)
        _run(begin, outputs)


def _run(begin: Beginning, outputs: Outputs) -> None:
    """Trains, shows the results, writes the files; the exit code says how it went."""
    code = _train(begin, outputs.checkpoint)
    run, digits = begin.run, begin.digits
    if run.result.history:
        losses = run.loss_curve(len(digits.train[0]))
        outcomes = outputs.write(run.settings, digits.description, run.result, losses)
        show(run.result, digits)
        for path, fault in outcomes.items():
            if fault is None:
                typer.echo(f"wrote {path}")
            else:
                complain(fault)
                code = FAILED
    if code:
        raise typer.Exit(code)


def _train(begin: Beginning, checkpoint: Path | None) -> int:
    """Trains while a person can watch; an exit code."""
    from tinygrad_mnist.app.train import Watch
    from tinygrad_mnist.serialization.files import WriteError

    from . import watching

    run, rows = begin.run, len(begin.digits.train[0])
    epochs, passed = run.settings.epochs, len(run.result.history)
    stopped = None
    with watching.bar() as progress:
        watch: Watch = (
            watching.Log(epochs)
            if progress.disable
            else watching.Bar(progress, epochs, rows, passed)
        )
        try:
            run.train(begin.digits, watch, begin.keep, begin.every)
        except WriteError as error:  # a run that cannot be kept should not go on unnoticed
            stopped = error
    complete = f"stopped: {len(run.result.history)} of {epochs} epochs are complete"
    if stopped is not None:
        complain(f"{complete}: {stopped}")
        return FAILED
    if run.result.interrupted:
        complain(complete)
        _tell_how_to_go_on(checkpoint)
        return INTERRUPTED
    return 0


def _tell_how_to_go_on(checkpoint: Path | None) -> None:
    if checkpoint is not None and checkpoint.is_file():
        typer.echo(f"go on with: tinygrad-mnist train --resume {checkpoint}", err=True)


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
