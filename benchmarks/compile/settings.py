"""The figures of each task."""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """A model, how it is trained, and how many steps a block has."""

    model: str
    batch: int
    steps: int
    lr: float
    momentum: float = 0.0


SETTINGS = {
    "logistic-64": Setting("logistic", 64, 50, 0.5),
    "logistic-1": Setting("logistic", 1, 200, 0.05),
    "logistic-256": Setting("logistic", 256, 20, 0.5),
    "logistic-1024": Setting("logistic", 1024, 6, 0.5),
    "mlp-64": Setting("mlp", 64, 20, 0.1),
    "cnn-64": Setting("cnn", 64, 4, 0.1, 0.9),
}
