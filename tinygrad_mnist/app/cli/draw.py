"""`tinygrad-mnist draw`: a page on which to draw a digit for a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .errors import told_in_a_sentence

HELP = (
    "Make a page on which to draw a digit for a trained model.\n\n"
    "The page is one file that needs no network: the model is in it and runs in the browser. It "
    "shows the ten scores as you draw, what each pixel adds to each score, and the gradient of "
    "a score with respect to the pixels.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train --model mlp --save mlp.safetensors[/cyan]\n"
    "  [cyan]tinygrad-mnist draw mlp.safetensors --open[/cyan]\n"
    "  [cyan]tinygrad-mnist draw run.pt -o page.html[/cyan]   of a run's checkpoint"
)


def draw(
    model: options.ModelFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The page.", show_default="MODEL-draw.html, here"
        ),
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Writes the page as the options say; `HELP` is what a person reads of it."""
    from tinygrad_mnist.app import drawing, evaluation
    from tinygrad_mnist.serialization import files

    from .outputs import distinct, write

    path = Path(f"{model.stem}-draw.html") if output is None else output
    distinct((model, path), "MODEL and --output")
    with told_in_a_sentence():
        files.check(path)
        name, network = evaluation.load(model)
        weights = {key: each.detach().numpy() for key, each in network.state_dict().items()}
        drawing.check_finite(weights, model)
        write(path, drawing.page(name, weights, f"the {name} model in {model.name}").encode())
        if open:
            import webbrowser

            webbrowser.open(path.resolve().as_uri())
