"""`tinygrad-mnist data`: where the digits come from, what they look like, a copy of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import told_in_a_sentence
from .options import Where

if TYPE_CHECKING:
    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.datasets import Digits
    from tinygrad_mnist.dtypes import Array

app = typer.Typer(no_args_is_help=True, help="Look at the digits, or copy them.")

_SHADES = (" .:*#", " ░▒▓█")


def load(where: str) -> Digits[Tensor]:
    """The digits, and a warning that cannot be missed if they are not those one may expect."""
    import warnings

    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from tinygrad_mnist.app.train import load

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        digits = load(where)
    for warning in caught:
        text = Text(str(warning.message).strip())
        Console(stderr=True).print(Panel(text, title="warning", border_style="bold red"))
    return digits


@app.command()
def info() -> None:
    """Tell where MNIST is looked for, and what is found there."""
    from tinygrad_mnist.app.datasets import reading
    from tinygrad_mnist.tools.mnist_files import VARIABLE, named_folder

    with told_in_a_sentence():
        named = named_folder()
        if named is None:
            typer.echo(f"{VARIABLE} is not set; it can name a folder with MNIST")
        else:
            typer.echo(f"{VARIABLE}: {named}\n  {_found(named)}")
        cache = reading.cache_folder()
        typer.echo(f"downloads: {cache}\n  {_found(cache)}")


def _found(folder: Path) -> str:
    from tinygrad_mnist.app.datasets import reading

    sets = reading.candidates(folder)
    if sets:
        return "\n  ".join(", ".join(path.name for path in paths) for paths in sets)
    missing = reading.incomplete(folder)
    return f"lacks {' and '.join(missing)}" if missing else "no MNIST"


@app.command()
def show(
    data: Where = "auto",
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many digits.")] = 4,
) -> None:
    """Draw the first training digits in the terminal."""
    import shutil

    with told_in_a_sentence():
        digits = load(data)
        images, labels = (tensor.numpy()[:count] for tensor in digits.train)
        in_a_row = max(1, (shutil.get_terminal_size().columns + 2) // 30)
        for start in range(0, len(labels), in_a_row):
            row = slice(start, start + in_a_row)
            typer.echo("  ".join(f"{label:<28}" for label in labels[row]).rstrip())
            for lines in zip(*(drawn(image) for image in images[row]), strict=True):
                typer.echo("  ".join(lines).rstrip())
        typer.echo(f"data: {digits.description}")


def drawn(image: Array) -> list[str]:
    """Fourteen lines of 28 characters, each the mean of two pixels, one under the other."""
    plain, fine = _SHADES
    shades = fine if (sys.stdout.encoding or "").lower().startswith("utf") else plain
    ink = image.reshape(14, 2, 28).mean(1)
    return ["".join(shades[int(value * len(shades))] for value in line) for line in ink]


EXPORT_HELP = (
    "Write the digits into a NumPy archive, for another program to train on the same ones.\n\n"
    "\b[bold]Example[/bold]\n"
    "  [cyan]tinygrad-mnist data export digits.npz --data synthetic[/cyan]\n"
    "  [cyan]python -m reference.train --data digits.npz[/cyan]"
)


@app.command(help=EXPORT_HELP)
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.npz", help="The archive to write.")],
    data: Where = "auto",
) -> None:
    """Writes an archive; `EXPORT_HELP` is what a person reads of it."""
    from tinygrad_mnist.app.datasets.digits import save_archive
    from tinygrad_mnist.serialization import files

    if file.suffix != ".npz":
        raise typer.BadParameter(f"{file}: expected a name that ends in .npz")
    with told_in_a_sentence():
        files.check(file)
        digits = load(data)
        with files.writing(file) as opened:
            save_archive(opened, digits.map(lambda tensor: tensor.numpy()))
        typer.echo(f"wrote {file}: {digits.description}")
