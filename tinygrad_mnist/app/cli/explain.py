"""`tinygrad-mnist explain`: a backward pass of a script, as a page to step through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from . import options
from .errors import FAILED, complain, told_in_a_sentence

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
HELP = (
    "Run a PyTorch script or notebook on this engine, and explain one of its backward passes: a "
    "page to step through, forward and backward, with every number and formula.\n\n"
    "The page is one file that needs no server and no network. What the script prints goes to the "
    "terminal; it is stopped when its pass is explained, unless --continue. Options that are not "
    "in this list, and everything behind --, go to the script.\n\n"
    "The exit code is 0 when the page is written; 1 when the script fails, or ends before that "
    "pass.\n\n"
    "\b[bold]Examples[/bold]\n"
    "  [cyan]tinygrad-mnist explain --example square --open[/cyan]   the smallest one\n"
    "  [cyan]tinygrad-mnist explain --list[/cyan]                    the others\n"
    "  [cyan]tinygrad-mnist explain train.py -o step.html[/cyan]     the first backward pass\n"
    "  [cyan]tinygrad-mnist explain train.py --step 100[/cyan]       the hundredth\n"
    "  [cyan]tinygrad-mnist explain train.py -- --epochs 1[/cyan]    behind -- is the script's\n"
    "  [cyan]tinygrad-mnist explain --rung 5[/cyan]                  a rung of the tutorial\n"
    "  [cyan]tinygrad-mnist explain --example loop --text[/cyan]     in words, here\n"
    "  [cyan]tinygrad-mnist explain --example nan --why x[/cyan]     why this gradient is NaN\n"
    "  [cyan]tinygrad-mnist explain --example cnn --dot | dot -Tsvg > cnn.svg[/cyan]"
)


def explain(
    script: options.ExplainedScript = None,
    arguments: options.Arguments = None,
    step: options.BackwardStep = None,
    output: options.Page = None,
    open_page: options.OpenPage = False,
    example: options.Example = None,
    rung: options.Rung = None,
    list_examples: options.ListExamples = False,
    text: options.AsText = False,
    dot: options.AsDot = False,
    json: options.AsJson = False,
    why: options.Asked = None,
    goes_on: options.GoesOn = False,
    notebook: options.Notebook = False,
) -> None:
    """Runs the script and writes the page; `HELP` is what a person reads of it."""
    from tinygrad_mnist.explainer import script as explaining
    from tinygrad_mnist.tools.scripts import ScriptError

    if list_examples:
        for name, says in explaining.examples().items():
            typer.echo(f"{name:14}{says}")
        return
    wanted = {"text": text, "dot": dot, "json": json, "why": why is not None}
    forms = [name for name in wanted if wanted[name]]
    _check(script, [each for each in (example, rung) if each is not None], forms, open_page)
    given = [*([script] if script is not None else []), *(arguments or [])]
    with told_in_a_sentence():
        try:
            path, first, given = _program(example, rung, given)
            target = _target(output, bool(forms))
            form: Any = forms[0] if forms else "page"
            request = explaining.Request(
                step=step or first, exactly=step is not None or first > 1, form=form,
                output=target, goes_on=goes_on, notebook=notebook, why=why or "",
            )  # fmt: skip
            code = explaining.explain_script(path, given, request)
        except ScriptError as error:
            complain(error)
            raise typer.Exit(FAILED) from None
    if open_page and target is not None and not code:
        typer.launch(Path(target).as_uri())
    raise typer.Exit(code)


def _program(
    example: str | None, rung: int | None, given: list[str]
) -> tuple[Path, int, list[str]]:
    """The script, which backward pass of it is meant, and its arguments."""
    from tinygrad_mnist.explainer import script as explaining

    if example is not None:
        return *explaining.example(example), given
    if rung is not None:
        return explaining.rung(rung), 1, given
    return Path(given[0]), 1, given[1:]


def _check(script: str | None, others: list[str | int], forms: list[str], open_page: bool) -> None:
    """Refuse what contradicts itself, and an option that no script is there for."""
    is_option = script is not None and script.startswith("-") and not Path(script).exists()
    if is_option and not others:
        raise typer.BadParameter(f"No such option: {script}; a script's own go behind the script")
    if len(others) + (script is not None and not is_option) > 1:
        raise typer.BadParameter("expected one of a script, --example NAME and --rung N")
    if script is None and not others:
        raise typer.BadParameter("expected a script, or --example NAME, or --rung N")
    if len(forms) > 1:
        raise typer.BadParameter("expected one of --text, --dot, --json and --why")
    if forms and open_page:
        raise typer.BadParameter(f"--open shows the page, which --{forms[0]} does not make")


def _target(output: Path | None, in_words: bool) -> str | None:
    """The file to write, found before the script runs to be one that can be; None: the terminal."""
    from tinygrad_mnist.serialization import files

    if output is None and in_words:
        return None
    path = Path("explain.html") if output is None else output
    files.check(path)
    return str(path.absolute())
