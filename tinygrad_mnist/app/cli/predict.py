"""`tinygrad-mnist predict`: which digit a trained model sees in pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .evaluate import MODEL_HELP
from .faults import FAILED, complain, told_in_a_sentence

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

HELP = (
    "Tell which digit a trained model sees in pictures, and how sure it is.\n\n"
    "Any picture of one digit will do: a photograph of paper, a drawing. It is turned upright, "
    "made grey and light on dark, cut out, and centred in 28 × 28 pixels as MNIST's digits are; "
    "--show draws what the model sees. Needs Pillow: pip install 'tinygrad_mnist\\[images]'.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train --model cnn --momentum 0.9 --save cnn.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist predict cnn.safetensors three.png photo.jpg[/cyan]"
)


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE", help="Pictures of one digit each.")
    ],
    show: Annotated[
        bool, typer.Option("--show", help="Draw each digit in the terminal as the model sees it.")
    ] = False,
) -> None:
    """Answers for every picture that can be read; `HELP` is what a person reads of it."""
    if importlib.util.find_spec("PIL") is None:
        complain("predict needs Pillow: pip install 'tinygrad_mnist[images]'")
        raise typer.Exit(FAILED)
    from tinygrad_mnist import from_numpy
    from tinygrad_mnist.app import trained
    from tinygrad_mnist.app.evaluation import probabilities
    from tinygrad_mnist.app.pictures import read
    from tinygrad_mnist.serialization.files import ReadError

    from .data import drawn

    failed = False
    with told_in_a_sentence():
        _, network = trained.load(model)
        for path in images:
            try:
                pixels = read(path)
            except ReadError as error:
                complain(error)
                failed = True
                continue
            (sure,) = probabilities(network, from_numpy(pixels[None]))
            typer.echo(f"{path}: {sure.argmax()}")
            if show:
                typer.echo("\n".join(f"  {line}".rstrip() for line in drawn(pixels)))
            typer.echo(_listed(sure))
    if failed:
        raise typer.Exit(FAILED)


def _listed(sure: Array) -> str:
    """The probability of each digit, in two lines."""
    cells = [f"{digit} {share:.4f}" for digit, share in enumerate(sure)]
    return "\n".join(f"  {'   '.join(cells[start : start + 5])}" for start in (0, 5))
