"""Trains the tutorial's models on MNIST in plain PyTorch: ``python -m reference.train``."""

import argparse
import importlib.util
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from reference.data import DataError, Digits, load
from reference.jobs import MOMENTUM_FOR, OPTIMIZERS, build, usual_lr
from reference.logistic import STAGES, Epoch, Job, fit
from reference.models import MODELS
from reference.report import COLUMNS, PICTURES, row, save_parameters, save_plot, save_report

FAILED = 1
INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains as the arguments say, prints a table, writes files, and returns the exit code."""
    options = parse(arguments)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        digits = load(options.data)
        torch.manual_seed(options.seed)
        device = torch.device(options.device)
        job = build(options, device)
        history, code = train(job, digits.to(device), options)
        if code != FAILED:
            write(job, history, digits.source, options)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    return code


def train(job: Job, digits: Digits, options: argparse.Namespace) -> tuple[list[Epoch], int]:
    """Trains and prints each epoch's row as it ends; Ctrl-C ends it with what there is.

    A loss that is not finite ends it too, as a failure: such a model is not written.
    """
    print(f"data: {digits.source}")
    print("  ".join(COLUMNS), flush=True)
    history: list[Epoch] = []
    try:
        steps = (options.epochs, options.batch_size, options.lr, options.shuffle)
        for epoch in fit(job, digits, *steps):
            history.append(epoch)
            print(row(epoch), flush=True)
            if not math.isfinite(epoch.train_loss + epoch.valid_loss):
                print("error: the loss is not finite: try a smaller --lr", file=sys.stderr)
                return history, FAILED
    except KeyboardInterrupt:
        print(f"stopped: {len(history)} of {options.epochs} epochs are complete", file=sys.stderr)
        return history, INTERRUPTED
    return history, 0


def write(job: Job, history: list[Epoch], source: str, options: argparse.Namespace) -> None:
    """Writes the files that the options name."""
    if options.json:
        settings = {
            "model": options.model,
            "stage": options.stage,
            "optimizer": options.optimizer,
            "momentum": options.momentum,
            "shuffle": options.shuffle,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "lr": options.lr,
            "seed": options.seed,
            "device": options.device,
            "threads": torch.get_num_threads(),
            "data": source,
        }
        save_report(options.json, settings, history)
    if options.plot:
        save_plot(options.plot, job.parameters, history)
    if options.save:
        save_parameters(options.save, job.parameters, options.model)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, checked; a mistake ends the program with a sentence and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m reference.train", description=__doc__)
    add = parser.add_argument
    add("--model", choices=MODELS, default="logistic", help="default: %(default)s")
    add("--stage", choices=STAGES, help="of the logistic model (default: raw)")
    add("--optimizer", choices=OPTIMIZERS, default="sgd", help="default: %(default)s")
    add("--momentum", type=not_negative, default=0.0, help="of sgd and rmsprop; 0.9 is usual")
    add("--shuffle", action="store_true", help="take the digits in a new order each epoch")
    add("--data", default="auto", metavar="WHERE", help="auto, a folder of MNIST, or an .npz file")
    add("--epochs", type=positive_integer, default=2, metavar="N", help="default: %(default)s")
    add("--batch-size", type=positive_integer, default=64, metavar="N", help="default: %(default)s")
    add("--lr", type=not_negative, help="learning rate (default: by model and optimizer)")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--threads", type=positive_integer, metavar="N", help="threads of PyTorch's CPU operations")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="default: %(default)s")
    add("--json", type=Path, metavar="FILE", help="write settings and results")
    add("--plot", type=Path, metavar="FILE", help="draw weights as ten images, and the losses")
    add("--save", type=Path, metavar="FILE", help="write the parameters as safetensors")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this PyTorch finds no CUDA device; use --device cpu")
    _settle(parser, options)
    _check_files(parser, options)
    return options


def _settle(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Fills in what follows from other options, and finds what contradicts them."""
    if options.stage is None:
        options.stage = "raw" if options.model == "logistic" else "module"
    if options.lr is None:
        options.lr = usual_lr(options.model, options.optimizer, options.momentum)
    if options.model != "logistic" and options.stage != "module":
        parser.error(f"--stage {options.stage} is of the logistic model alone")
    if options.momentum and options.optimizer not in MOMENTUM_FOR:
        parser.error(f"--momentum is for {' and '.join(MOMENTUM_FOR)}, not {options.optimizer}")


def _check_files(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Finds before the training what would fail after it."""
    for path in filter(None, (options.json, options.plot, options.save)):
        if not path.absolute().parent.is_dir():
            parser.error(f"{path}: its folder does not exist; create it first")
    if options.plot and options.plot.suffix not in PICTURES:
        parser.error(f"--plot {options.plot}: expected a name that ends in {', '.join(PICTURES)}")
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: install it, or the project's extra 'plots'")


def positive_integer(text: str) -> int:
    """The option's value as an integer from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected an integer from 1 on, got {text}")
    return value


def not_negative(text: str) -> float:
    """The option's value as a finite number from 0 on."""
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"expected a finite number from 0 on, got {text}")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
