"""What a run trains: a model by name, its loss, and the optimiser that moves its parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_mnist import optim
from tinygrad_mnist.nn import functional as F

from . import logistic
from .logistic import STAGES, Job
from .models import MODELS

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
MOMENTUM_FOR = ("sgd", "rmsprop")
"""The optimisers that can have momentum."""


@dataclass(frozen=True)
class Settings:
    """What fixes a run, besides the data; the defaults are the tutorial's.

    Raises:
        ValueError: a name is unknown, a number out of range, or settings contradict one another.
    """

    model: str = "logistic"
    stage: str = "raw"
    optimizer: str = "sgd"
    momentum: float = 0.0
    shuffle: bool = False
    epochs: int = 2
    batch_size: int = 64
    lr: float = 0.5
    seed: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        for name, known in (("model", MODELS), ("stage", STAGES), ("optimizer", OPTIMIZERS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} {value!r}: expected one of {', '.join(known)}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: expected 1 or more")
        for name in ("lr", "momentum"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} {getattr(self, name)}: expected a finite number from 0 on"
                )
        if self.model != "logistic" and self.stage != "module":
            raise ValueError(f"stage {self.stage!r} is of the logistic model alone")
        if self.momentum and self.optimizer not in MOMENTUM_FOR:
            raise ValueError(f"momentum is for {' and '.join(MOMENTUM_FOR)}, not {self.optimizer}")


def usual_lr(model: str, optimizer: str, momentum: float) -> float:
    """A learning rate that does well: the tutorial's 0.5 and 0.1, the optimisers' own 0.001."""
    if optimizer != "sgd":
        return 0.001
    return 0.5 if model == "logistic" and not momentum else 0.1


def build(settings: Settings) -> tuple[Job, Any]:
    """The job, its weights drawn from the generator that `manual_seed` sets, and its optimiser.

    Gradient descent of the logistic model is written by hand, as in the tutorial: it has no
    optimiser, and None stands for it.
    """
    if settings.model == "logistic":
        job = logistic.build(settings.stage)
        if settings.optimizer == "sgd" and not settings.momentum:
            return job, None
    else:
        model = MODELS[settings.model]()
        job = Job(model, F.cross_entropy, dict(model.named_parameters()), lambda lr: None)
    optimizer = _optimizer(settings, list(job.parameters.values()))

    def update(lr: float) -> None:
        optimizer.step()
        optimizer.zero_grad()

    return replace(job, update=update), optimizer


def _optimizer(settings: Settings, parameters: list[Any]) -> optim.Optimizer:
    lr, momentum = settings.lr, settings.momentum
    if settings.optimizer == "adam":
        return optim.Adam(parameters, lr=lr)
    if settings.optimizer == "adamw":
        return optim.AdamW(parameters, lr=lr)
    if settings.optimizer == "rmsprop":
        return optim.RMSprop(parameters, lr=lr, momentum=momentum)
    return optim.SGD(parameters, lr=lr, momentum=momentum)
