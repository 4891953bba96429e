"""`tinygrad-mnist eval`: how good a trained model is on the test digits."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .faults import told_in_a_sentence
from .train_options import WHERE_HELP

if TYPE_CHECKING:
    from tinygrad_mnist.app.evaluation import Evaluation

HELP = (
    "Tell how good a trained model is on the test digits.\n\n"
    "The table counts how often each digit, the row, was taken for each digit, the column.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train --model mlp --save mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist eval mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist eval run.pt --plot confusion.png[/cyan]   of a run's checkpoint"
)

MODEL_HELP = (
    "Weights that train --save wrote (.safetensors), a run's checkpoint, or a state_dict that "
    "torch.save wrote, here or in PyTorch."
)


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[str, typer.Option(metavar="WHERE", help=WHERE_HELP)] = "auto",
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the table (.png, .svg or .pdf)."),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results.")] = None,
) -> None:
    """Evaluates as the options say; `HELP` is what a person reads of it."""
    from tinygrad_mnist.app import evaluation, trained
    from tinygrad_mnist.app.datasets import DataError
    from tinygrad_mnist.serialization import files

    from .digits import load
    from .outputs import Outputs

    with told_in_a_sentence():
        Outputs(json, plot, None).check()
        name, network = trained.load(model)
        digits = load(data)
        x, y = digits.test
        if not len(x):
            raise DataError(f"{data}: holds no test digits; name other data with --data.")
        results = evaluation.evaluate(network, x, y)
        show(results)
        typer.echo(f"model: {name} from {model}")
        typer.echo(f"data: {digits.description}, {len(x):,} test digits")
        typer.echo(f"test loss {results.loss:.4f}, accuracy {results.accuracy:.4f}")
        contents: dict[Path, bytes] = {}
        if json is not None:
            contents[json] = as_json(name, digits.description, results)
        if plot is not None:
            contents[plot] = evaluation.as_picture(results, plot.suffix.lower())
        for path, content in contents.items():
            with files.writing(path) as file:
                file.write(content)
            typer.echo(f"wrote {path}")


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
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("digit", justify="right", no_wrap=True)
    for column in range(len(results.confusion)):
        table.add_column(str(column), justify="right", no_wrap=True)
    table.add_column("right", justify="right", no_wrap=True)
    for digit, counts in enumerate(results.confusion):
        cells = [
            f"[bold]{count}[/bold]" if column == digit else str(count) if count else "·"
            for column, count in enumerate(counts)
        ]
        share = f"{results.recall[digit]:.3f}" if counts.sum() else ""
        table.add_row(str(digit), *cells, share)
    Console().print(table)
