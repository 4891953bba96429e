"""What all contestants train: a model from the same weights, on the same batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist.app.models import MODELS

from .settings import SETTINGS, Setting

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Task:
    """A model with its first weights, by name, and the batches of an epoch."""

    name: str
    model: str
    lr: float
    momentum: float
    weights: dict[str, Array]
    x: Array
    """(steps, batch, 784)."""
    y: Array
    """(steps, batch), int64."""

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return len(self.x)

    @property
    def batch(self) -> int:
        """How many images a step sees."""
        return self.x.shape[1]

    def as_float64(self) -> Task:
        """The same task in double precision."""
        weights = {name: array.astype(np.float64) for name, array in self.weights.items()}
        return Task(
            self.name, self.model, self.lr, self.momentum, weights, self.x.astype(float), self.y
        )


def make(name: str, pixels: Array, labels: Array, setting: Setting | None = None) -> Task:
    """A task on the first images of those given, with its own figures or others."""
    setting = setting or SETTINGS[name]
    count = setting.batch * setting.steps
    tinygrad_mnist.manual_seed(0)
    model = MODELS[setting.model]()
    weights = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    shape = (setting.steps, setting.batch)
    x = np.ascontiguousarray(pixels[:count]).reshape(*shape, 784)
    y = np.ascontiguousarray(labels[:count]).reshape(shape)
    return Task(name, setting.model, setting.lr, setting.momentum, weights, x, y)


Epoch = Callable[[], float]
"""Trains one epoch, going on from the last, and gives the loss of its last step."""


@dataclass(frozen=True)
class Contestant:
    """An engine, or a way to use one: what it makes of a task."""

    name: str
    make: Callable[[Task], Epoch]


def each_batch(step: Callable[[Any, Any], Any], xs: list[Any], ys: list[Any]) -> Epoch:
    """The epoch that takes a step for each batch."""
    batches = list(zip(xs, ys, strict=True))

    def epoch() -> float:
        for x, y in batches:
            loss = step(x, y)
        return float(loss)

    return epoch
