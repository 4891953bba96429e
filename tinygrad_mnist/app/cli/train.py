"""`tinygrad-mnist train`: the tutorial's job, from the command line."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

import typer

from . import options
from .errors import FAILED, INTERRUPTED, complain, print_table, told_in_a_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.datasets import Digits
    from tinygrad_mnist.app.train import Result
    from tinygrad_mnist.app.training_report import TrainingReport
    from tinygrad_mnist.serialization.files import WriteError

    from .outputs import Outputs
    from .resuming import Beginning

HELP = (
    "Train a model of PyTorch's torch.nn tutorial on MNIST.\n\n"
    "The logistic model reaches a valid accuracy of about 0.92 in two epochs. From the same seed "
    "the numbers are those of PyTorch. Ctrl-C stops it with the results of the epochs that are "
    "complete; so does a loss that is not finite, with exit code 1.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train[/cyan]\n"
    "  [cyan]tinygrad-mnist train --stage module --epochs 5 --lr 0.2[/cyan]\n"
    "  [cyan]tinygrad-mnist train --data ~/mnist --plot weights.png --json report.json[/cyan]\n"
    "  [cyan]tinygrad-mnist train --model mlp --optimizer adam --save mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist train --model cnn --momentum 0.9 --shuffle --checkpoint run.pt[/cyan]\n"
    "  [cyan]tinygrad-mnist train --resume run.pt[/cyan]\n"
    "  [cyan]tinygrad-mnist train --compile --epochs 10[/cyan]\n"
    "  [cyan]tinygrad-mnist train --epochs 5 --report page.html[/cyan]"
)


def train(
    context: typer.Context,
    model: options.ModelName = options.Model.logistic,
    stage: options.StageName = None,
    optimizer: options.OptimizerName = options.Optimizer.sgd,
    momentum: options.Momentum = 0.0,
    shuffle: options.Shuffle = False,
    epochs: options.Epochs = 2,
    batch_size: options.BatchSize = 64,
    lr: options.Lr = None,
    seed: options.Seed = 0,
    compile: options.Compile = False,
    data: options.Where = "auto",
    threads: options.Threads = 1,
    json: options.Json = None,
    plot: options.Plot = None,
    report: options.Report = None,
    save: options.Save = None,
    checkpoint: options.Checkpoint = None,
    checkpoint_every: options.CheckpointEvery = None,
    resume: options.Resume = None,
) -> None:
    """Trains as the options say; `HELP` is what a person reads of it."""
    from . import resuming
    from .outputs import Outputs

    told = dict(context.params)
    given = {name for name in told if resuming.was_given(context, name)}
    outputs = Outputs(json, plot, save, checkpoint or resume, report)
    with told_in_a_sentence():
        outputs.check()
        with resuming.kept_to_itself(outputs.checkpoint):
            begin = resuming.resumed(resume, told, given) if resume else resuming.begun(told)
            _run(begin, outputs)


def _run(begin: Beginning, outputs: Outputs) -> None:
    """Trains, writes the files, shows the results; the exit code says how it went."""
    from .outputs import write_all

    run, digits = begin.run, begin.digits
    page = begin.page(outputs.report)
    if page is not None:
        told = f"{page.path} will show the run, anew after each epoch: open it in a browser"
        typer.echo(told, err=True)
    code = _train(begin, outputs.checkpoint, page)
    outcomes: dict[Path, WriteError | None] = {}
    if run.result.history:
        losses = run.loss_curve(len(digits.train[0]))
        contents = outputs.contents(run.settings, digits.description, run.result, losses)
        outcomes = write_all(contents)
        show(run.result, digits)
    if page is not None:
        outcomes[page.path] = page.fault
    for path, fault in outcomes.items():
        if fault is None:
            typer.echo(f"wrote {path}")
        else:
            complain(fault)
            code = FAILED
    if code:
        raise typer.Exit(code)


def _train(begin: Beginning, checkpoint: Path | None, page: TrainingReport | None) -> int:
    """Trains while a person can watch; an exit code."""
    from tinygrad_mnist.app.train import Callbacks, NotFiniteError
    from tinygrad_mnist.serialization.files import WriteError

    from . import outputs

    run, rows = begin.run, len(begin.digits.train[0])
    epochs, passed = run.settings.epochs, len(run.result.history)
    stopped = None
    with outputs.bar() as progress:
        watch = (
            outputs.Log(epochs) if progress.disable else outputs.Bar(progress, epochs, rows, passed)
        )
        try:
            with nullcontext() if page is None else page:
                callback = watch if page is None else Callbacks(watch, page)
                run.train(begin.digits, callback, begin.keep, begin.every)
        except (NotFiniteError, WriteError) as error:  # what cannot be kept should not go on
            stopped = error
    complete = f"stopped: {len(run.result.history)} of {epochs} epochs are complete"
    if stopped is not None:
        complain(f"{complete}: {stopped}")
        return FAILED
    if run.result.interrupted:
        complain(complete)
        if checkpoint is not None and checkpoint.is_file():
            typer.echo(f"go on with: tinygrad-mnist train --resume {checkpoint}", err=True)
        return INTERRUPTED
    return 0


def show(result: Result, digits: Digits[Tensor]) -> None:
    """Prints the results as a table, and with it the time and the data used."""
    from tinygrad_mnist.app.logistic import Epoch

    def row(number: int, *measured: float) -> list[str]:
        return [str(number), *(f"{each:.4f}" for each in measured[:-1]), f"{measured[-1]:.2f}"]

    columns = [field.name.replace("_", " ") for field in fields(Epoch)]
    print_table(columns, (row(*astuple(epoch)) for epoch in result.history))
    seconds = sum(epoch.seconds for epoch in result.history)
    samples = len(digits.train[0]) * len(result.history)
    typer.echo(f"data: {digits.description}")
    typer.echo(f"time: {seconds:.2f} s of training, {samples / seconds:,.0f} samples/s")
