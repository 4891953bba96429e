"""What `tinygrad-mnist train` may be told, beyond files: names, numbers and their explanations."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Model(StrEnum):
    """What is trained."""

    logistic = "logistic"
    mlp = "mlp"
    cnn = "cnn"


class Stage(StrEnum):
    """How much of the logistic model is written by hand."""

    raw = "raw"
    functional = "functional"
    module = "module"


class Optimizer(StrEnum):
    """How gradients move parameters."""

    sgd = "sgd"
    adam = "adam"
    adamw = "adamw"
    rmsprop = "rmsprop"


def _not_negative(value: float | None) -> float | None:
    if value is not None and (not math.isfinite(value) or value < 0):
        raise typer.BadParameter(f"expected a finite number from 0 on, got {value}")
    return value


WHERE_HELP = (
    "auto: MNIST where it is found or can be downloaded, else synthetic digits. "
    "mnist: MNIST or an error. synthetic: digits that the program draws. "
    "Or a folder that holds MNIST, or an .npz file of arrays."
)

ModelOption = Annotated[
    Model,
    typer.Option(
        help="logistic: the tutorial's first model. mlp: a hidden layer of 128 units. "
        "cnn: the tutorial's three convolutions."
    ),
]
StageOption = Annotated[
    Stage | None,
    typer.Option(
        help="Of the logistic model. raw: model and loss written from tensor operations. "
        "functional: the loss is F.cross_entropy. module: the model is an nn.Module. All compute "
        "the same numbers.",
        show_default="raw",
    ),
]
OptimizerOption = Annotated[Optimizer, typer.Option(help="How gradients move the weights.")]
MomentumOption = Annotated[
    float, typer.Option(callback=_not_negative, help="Of sgd and rmsprop; 0.9 is usual.")
]
ShuffleOption = Annotated[
    bool, typer.Option("--shuffle", help="Take the digits in a new random order each epoch.")
]
CompileOption = Annotated[
    bool,
    typer.Option("--compile", help="Run each step as one compiled program: several times as fast."),
]
EpochsOption = Annotated[int, typer.Option(min=1, help="Passes over the training digits.")]
BatchSizeOption = Annotated[int, typer.Option(min=1, help="Digits in a step.")]
LrOption = Annotated[
    float | None,
    typer.Option(
        callback=_not_negative,
        help="Learning rate.",
        show_default="0.5 for logistic by sgd; 0.1 for other models and with momentum; "
        "0.001 for adam, adamw and rmsprop",
    ),
]
SeedOption = Annotated[
    int,
    typer.Option(min=-(2**63), max=2**64 - 1, help="Fixes the first weights and the orders."),
]
DataOption = Annotated[str, typer.Option(metavar="WHERE", help=WHERE_HELP)]
ThreadsOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Threads for products of large matrices. These models' are small: more threads than "
        "idle cores make a run many times slower.",
    ),
]
JsonOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write settings and results.")
]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Draw the first weights as ten images, and the loss (.png, .svg or .pdf).",
    ),
]
SaveOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write the model as safetensors, for eval, predict and PyTorch."
    ),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keep all that the run depends on in this file, anew after each epoch: the last "
        "complete one is there, whatever happens.",
    ),
]
EveryOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Keep it after every N steps, too.")
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Go on with the run of a checkpoint, bit for bit as if it had never stopped, with its "
        "settings; --epochs may be larger.",
    ),
]
