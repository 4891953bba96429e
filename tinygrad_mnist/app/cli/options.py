"""What the commands may be told: each option is declared once, with its explanation."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, BadParameter, Option

Model = StrEnum("Model", ["logistic", "mlp", "cnn"])
Stage = StrEnum("Stage", ["raw", "functional", "module"])
Optimizer = StrEnum("Optimizer", ["sgd", "adam", "adamw", "rmsprop"])
Device = StrEnum("Device", ["cpu", "cuda"])
OnlyCpu = StrEnum("OnlyCpu", ["cpu"])


def _not_negative(value: float | None) -> float | None:
    if value is not None and (not math.isfinite(value) or value < 0):
        raise BadParameter(f"expected a finite number from 0 on, got {value}")
    return value


def file(help: str) -> Any:
    """The declaration of an option that names a file."""
    return Option(metavar="FILE", help=help)


# Of several commands.

Where = Annotated[
    str,
    Option(
        "--data",
        metavar="WHERE",
        help="auto: MNIST where it is found or can be downloaded, else synthetic digits. "
        "mnist: MNIST or an error. synthetic: digits that the program draws. "
        "Or a folder that holds MNIST, or an .npz file of arrays.",
    ),
]
ModelFile = Annotated[
    Path,
    Argument(
        metavar="MODEL",
        help="Weights that train --save wrote (.safetensors), a run's checkpoint, or a state_dict "
        "that PyTorch wrote, of layers as logistic, mlp and cnn have them, whatever their names; "
        "an mlp's hidden layers may be of any size and number, ReLU after each.",
    ),
]
Script = Annotated[str, Argument(help="A .py file, or a notebook.")]
Arguments = Annotated[list[str] | None, Argument(help="What the script gets.")]
Notebook = Annotated[
    bool, Option("--notebook", help="Read the file as a notebook, whatever its name.")
]

# Of `train`.

ModelName = Annotated[
    Model,
    Option(
        help="logistic: the tutorial's first model. mlp: a hidden layer of 128 units. "
        "cnn: the tutorial's three convolutions."
    ),
]
StageName = Annotated[
    Stage | None,
    Option(
        help="Of the logistic model. raw: model and loss written from tensor operations. "
        "functional: the loss is F.cross_entropy. module: the model is an nn.Module. All compute "
        "the same numbers.",
        show_default="raw",
    ),
]
OptimizerName = Annotated[Optimizer, Option(help="How gradients move the weights.")]
Momentum = Annotated[
    float, Option(callback=_not_negative, help="Of sgd and rmsprop; 0.9 is usual.")
]
Shuffle = Annotated[
    bool, Option("--shuffle", help="Take the digits in a new random order each epoch.")
]
Compile = Annotated[
    bool, Option("--compile", help="Run each step as one compiled program: several times as fast.")
]
Epochs = Annotated[int, Option(min=1, help="Passes over the training digits.")]
BatchSize = Annotated[int, Option(min=1, help="Digits in a step.")]
Lr = Annotated[
    float | None,
    Option(
        callback=_not_negative,
        help="Learning rate.",
        show_default="0.5 for logistic by sgd; 0.1 for other models and with momentum; "
        "0.001 for adam, adamw and rmsprop",
    ),
]
Seed = Annotated[
    int, Option(min=-(2**63), max=2**64 - 1, help="Fixes the first weights and the orders.")
]
Threads = Annotated[
    int,
    Option(
        min=1,
        help="Threads for products of large matrices. These models' are small: more threads than "
        "idle cores make a run many times slower.",
    ),
]
Json = Annotated[Path | None, file("Write settings and results.")]
Plot = Annotated[
    Path | None,
    file("Draw the first weights as ten images, and the loss (.png, .svg or .pdf)."),
]
Report = Annotated[
    Path | None,
    file(
        "Write one page (.html) with the curves, the weights as they change, the mistakes, and a "
        "canvas on which to draw a digit for the model; anew after each epoch."
    ),
]
Save = Annotated[
    Path | None, file("Write the model as safetensors, for eval, predict and PyTorch.")
]
Checkpoint = Annotated[
    Path | None,
    file(
        "Keep all that the run depends on in this file, anew after each epoch: the last complete "
        "one is there, whatever happens."
    ),
]
CheckpointEvery = Annotated[
    int | None, Option(min=1, metavar="N", help="Keep it after every N steps, too.")
]
Resume = Annotated[
    Path | None,
    file(
        "Go on with the run of a checkpoint, bit for bit as if it had never stopped, with its "
        "settings; --epochs may be larger."
    ),
]

# Of `explain`.

ExplainedScript = Annotated[
    str | None, Argument(help="A .py file, or a notebook.", show_default=False)
]
BackwardStep = Annotated[
    int | None,
    Option(
        min=1,
        help="Which backward pass.",
        show_default="the first; with --why the first that fills .grad: autograd.grad does not",
    ),
]
Page = Annotated[
    Path | None,
    Option(
        "-o", "--output", metavar="FILE", show_default="explain.html", help="Where to write it."
    ),
]
OpenPage = Annotated[bool, Option("--open", help="Show the page in the browser.")]
Example = Annotated[
    str | None, Option(metavar="NAME", help="A small program that comes along: --list names them.")
]
Rung = Annotated[int | None, Option(metavar="N", help="A rung of the tutorial's ladder, 1 to 12.")]
ListExamples = Annotated[bool, Option("--list", help="Name the examples.")]
AsText = Annotated[bool, Option("--text", help="Words and numbers, no page.")]
AsDot = Annotated[bool, Option("--dot", help="The graph, for Graphviz.")]
AsJson = Annotated[bool, Option("--json", help="All of it as data.")]
Asked = Annotated[
    str | None,
    Option(
        "--why", metavar="NAME",
        help='Say why the gradient of a variable ("w", "model.0.weight", "model") is missing, '
        "zero or not finite, once the pass of --step is over or has failed; no page.",
    ),
]  # fmt: skip
GoesOn = Annotated[bool, Option("--continue", help="Let the script run to its end.")]
