"""How a training run begins: anew, or where a checkpoint says that it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tinygrad_mnist.app import checkpoints
from tinygrad_mnist.app.datasets import DataError
from tinygrad_mnist.app.train import Run, Settings, usual_lr
from tinygrad_mnist.hardware.settings import set_num_threads
from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.files import ReadError

from .data import load

if TYPE_CHECKING:
    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.datasets import Digits
    from tinygrad_mnist.app.training_report import TrainingReport


@dataclass(frozen=True)
class Beginning:
    """A run, what it is trained on, and how it is kept."""

    run: Run
    digits: Digits[Tensor]
    keep: Callable[[Run], None] | None
    every: int | None
    where: str
    """Where the digits are from, as `--data` has it."""

    def page(self, path: Path | None) -> TrainingReport | None:
        """What writes the run's page to the path, if there is one."""
        from tinygrad_mnist.app.training_report import TrainingReport

        return None if path is None else TrainingReport(path, self.run, self.digits, self.where)


def was_given(context: typer.Context, name: str) -> bool:
    """Whether a person wrote the option, or it has its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def begun(told: Mapping[str, Any]) -> Beginning:
    """A new run, as the options say.

    Raises ReadError if there is a checkpoint already; typer.BadParameter if options contradict one
    another.
    """
    path, every = told["checkpoint"], told["checkpoint_every"]
    settings = _settings(told)
    if path is None and every is not None:
        raise typer.BadParameter("--checkpoint-every: expected --checkpoint FILE with it")
    _check_new(path)
    set_num_threads(told["threads"])
    digits = load(told["data"])
    keep = None if path is None else _keeping(path, checkpoints.source(told["data"], digits), every)
    return Beginning(Run(settings), digits, keep, every, told["data"])


def _settings(told: Mapping[str, Any]) -> Settings:
    chosen = {field.name: told[field.name] for field in fields(Settings)}
    model, optimizer = (str(chosen[name]) for name in ("model", "optimizer"))
    stage = chosen["stage"] or ("raw" if model == "logistic" else "module")
    chosen |= {"model": model, "optimizer": optimizer, "stage": str(stage)}
    if chosen["lr"] is None:
        chosen["lr"] = usual_lr(model, optimizer, chosen["momentum"])
    try:
        return Settings(**chosen)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def resumed(path: Path, told: Mapping[str, Any], given: Set[str]) -> Beginning:
    """The run of a checkpoint; options that were given must not contradict it.

    Raises ReadError if the checkpoint cannot be read, or the digits are others; typer.BadParameter
    if an option contradicts it.
    """
    checkpoint = checkpoints.read(path)
    kept_at = told["checkpoint"] or path
    if os.path.realpath(kept_at) != os.path.realpath(path):
        _check_new(kept_at)
    theirs = {field.name: getattr(checkpoint.settings, field.name) for field in fields(Settings)}
    theirs["threads"] = checkpoint.threads
    for name in sorted(given & theirs.keys() - {"epochs"}):
        if told[name] != theirs[name]:
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(
                f"{option} {told[name]}: the run of {path} has {theirs[name]}; leave the option "
                "out, or begin a new run"
            )
    run = checkpoint.resume(told["epochs"] if "epochs" in given else None)
    passed = len(run.result.history) + (run.rows > 0)
    if (epochs := run.settings.epochs) < passed:
        raise typer.BadParameter(f"--epochs {epochs}: the run of {path} is in epoch {passed}")
    set_num_threads(checkpoint.threads)
    _tell_what_differs(checkpoint)
    where = told["data"] if "data" in given else checkpoint.source.where
    try:
        digits = load(where)
    except DataError as error:
        if "data" in given:
            raise
        hint = f"{path} names them; if they have moved, name them by --data."
        raise DataError(f"{error} {hint}") from error
    source = checkpoints.source(where, digits)
    if source.sum != checkpoint.source.sum:
        raise ReadError(
            f"{path}: its run was trained on other digits than {digits.description}; it named "
            f"them {checkpoint.source.where!r}. Name them with --data."
        )
    every = told["checkpoint_every"] or checkpoint.every
    return Beginning(run, digits, _keeping(kept_at, source, every), every, where)


def _tell_what_differs(checkpoint: checkpoints.Checkpoint) -> None:
    theirs, ours = checkpoint.computed_by, checkpoints.computed_by()
    differences = [f"{name} {theirs[name]}" for name in theirs if theirs[name] != ours.get(name)]
    if differences:
        typer.echo(
            f"the run was begun with {', '.join(differences)}: it goes on, but its numbers may "
            "differ in the last bits from those of a run that was not stopped",
            err=True,
        )


def _check_new(path: Path | None) -> None:
    if path is not None and path.is_file():
        raise ReadError(
            f"{path}: is there already. Go on with its run by --resume {path}, or name another "
            "file with --checkpoint."
        )


def kept_to_itself(path: Path | None) -> AbstractContextManager[None]:
    """Keeps other trainings from the run's checkpoint while it goes on."""
    return nullcontext() if path is None else files.locked(path)


def _keeping(path: Path, source: checkpoints.Source, every: int | None) -> Callable[[Run], None]:
    files.remove_leftovers(path)
    return lambda run: checkpoints.write(path, run, source, every)
