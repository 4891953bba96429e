"""`tinygrad-mnist eval` and `predict`: how good a trained model is, and what it sees."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .errors import FAILED, complain, need, print_table, told_in_a_sentence

if TYPE_CHECKING:
    from tinygrad_mnist.app.evaluation import Evaluation
    from tinygrad_mnist.dtypes import Array

EVALUATE_HELP = (
    "Tell how good a trained model is on the test digits.\n\n"
    "The table counts how often each digit, the row, was taken for each digit, the column.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train --model mlp --save mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist eval mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist eval run.pt --plot confusion.png[/cyan]   of a run's checkpoint"
)


def evaluate(
    model: options.ModelFile,
    data: options.Where = "auto",
    plot: Annotated[Path | None, options.file("Draw the table (.png, .svg or .pdf).")] = None,
    json: Annotated[Path | None, options.file("Write the results.")] = None,
) -> None:
    """Evaluates as the options say; `EVALUATE_HELP` is what a person reads of it."""
    from tinygrad_mnist.app import evaluation
    from tinygrad_mnist.app.datasets import DataError

    from .data import load
    from .outputs import Outputs, write

    with told_in_a_sentence():
        Outputs(json, plot, None).check()
        name, network = evaluation.load(model)
        digits = load(data)
        x, y = digits.test
        if not len(x):
            raise DataError(f"{data}: holds no test digits; name other data with --data.")
        results = evaluation.evaluate(network, x, y)
        show(results)
        typer.echo(f"model: {name} from {model}")
        typer.echo(f"data: {digits.description}, {len(x):,} test digits")
        typer.echo(f"test loss {results.loss:.4f}, accuracy {results.accuracy:.4f}")
        if json is not None:
            write(json, as_json(name, digits.description, results))
        if plot is not None:
            write(plot, evaluation.as_picture(results, plot.suffix.lower()))


def as_json(model: str, data: str, results: Evaluation) -> bytes:
    """The results, for other programs."""
    report = {
        "model": model,
        "data": data,
        "test_loss": results.loss,
        "test_accuracy": results.accuracy,
        "confusion": results.confusion.tolist(),
    }
    return (json_format.dumps(report, indent=2) + "\n").encode()


def show(results: Evaluation) -> None:
    """Prints the confusion matrix as a table; what was told right stands out."""

    def row(digit: int, counts: Array) -> list[str]:
        cells = [
            f"[bold]{count}[/bold]" if column == digit else str(count) if count else "·"
            for column, count in enumerate(counts)
        ]
        return [str(digit), *cells, f"{results.recall[digit]:.3f}" if counts.sum() else ""]

    columns = ("digit", *range(len(results.confusion)), "right")
    print_table(columns, (row(*each) for each in enumerate(results.confusion)))


PREDICT_HELP = (
    "Tell which digit a trained model sees in pictures, and how sure it is.\n\n"
    "Any picture of one digit will do: a photograph of paper, a drawing. It is turned upright, "
    "made grey and light on dark, cut out, and centred in 28 × 28 pixels as MNIST's digits are; "
    "--show draws what the model sees. Needs Pillow: pip install 'tinygrad_mnist\\[images]'.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train --model cnn --momentum 0.9 --save cnn.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist predict cnn.safetensors three.png photo.jpg[/cyan]"
)


def predict(
    model: options.ModelFile,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE", help="Pictures of one digit each.")
    ],
    show: Annotated[
        bool, typer.Option("--show", help="Draw each digit in the terminal as the model sees it.")
    ] = False,
) -> None:
    """Answers for every picture that can be read; `PREDICT_HELP` is what a person reads of it."""
    need("PIL", "predict needs Pillow: pip install 'tinygrad_mnist[images]'")
    from tinygrad_mnist import from_numpy
    from tinygrad_mnist.app.evaluation import load, probabilities
    from tinygrad_mnist.app.pictures import read
    from tinygrad_mnist.serialization.files import ReadError

    from .data import drawn

    failed = False
    with told_in_a_sentence():
        _, network = load(model)
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
