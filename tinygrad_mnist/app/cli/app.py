"""The commands, and what they have in common."""

from typing import Annotated

import typer

from . import bench, data, draw, evaluate, explain, parity, run, train

HELP = (
    "A tensor engine with automatic differentiation, small enough to read, trained on MNIST.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist train[/cyan]          train the tutorial's model\n"
    "  [cyan]tinygrad-mnist train --help[/cyan]   what else it can train, and what it can write\n"
    "  [cyan]tinygrad-mnist eval MODEL[/cyan]     how good a trained model is\n"
    "  [cyan]tinygrad-mnist predict MODEL digit.png[/cyan]\n"
    "                                which digit a model sees in a picture\n"
    "  [cyan]tinygrad-mnist draw MODEL[/cyan]     a page on which to draw a digit for a model\n"
    "  [cyan]tinygrad-mnist data info[/cyan]      where MNIST is looked for, and what is found\n"
    "  [cyan]tinygrad-mnist data show[/cyan]      some digits, drawn in the terminal\n"
    "  [cyan]tinygrad-mnist run my.py[/cyan]      a PyTorch script on this engine\n"
    "  [cyan]tinygrad-mnist explain my.py[/cyan]  its backward pass, step by step on a page\n"
    "  [cyan]tinygrad-mnist compare my.py[/cyan]  the same on PyTorch too, and what differs\n"
    "  [cyan]tinygrad-mnist bench my.py[/cyan]    how fast it is on both, and where time goes\n"
    "  [cyan]tinygrad-mnist parity[/cyan]         how far every operation is from PyTorch"
)

app = typer.Typer(
    name="tinygrad-mnist",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(help=train.HELP)(train.train)
app.command("eval", help=evaluate.EVALUATE_HELP)(evaluate.evaluate)
app.command(help=evaluate.PREDICT_HELP)(evaluate.predict)
app.command(help=draw.HELP)(draw.draw)
app.add_typer(data.app, name="data")
app.command(help=parity.HELP)(parity.parity)
app.command(help=run.RUN_HELP, context_settings=run.RUN_CONTEXT)(run.run)
app.command(help=explain.HELP, context_settings=explain.CONTEXT)(explain.explain)
app.command(help=run.COMPARE_HELP, context_settings=run.COMPARE_CONTEXT)(run.compare)
app.command(help=bench.HELP, context_settings=run.COMPARE_CONTEXT)(bench.bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        from tinygrad_mnist.app.report import versions

        own, *others = (f"{name} {version}" for name, version in versions().items())
        typer.echo(f"{own} ({', '.join(others)})")
        raise typer.Exit


@app.callback(help=HELP)
def tinygrad_mnist(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the versions and exit."
        ),
    ] = False,
) -> None:
    """Runs before every command; `HELP` is what a person reads of it."""
