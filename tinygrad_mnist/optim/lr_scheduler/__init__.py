"""Schedules of learning rates: call `schedule.step()` after an epoch's (or a batch's) steps."""

from typing import Any

from tinygrad_mnist.names import unsupported

from .cycles import CosineAnnealingLR, CosineAnnealingWarmRestarts, OneCycleLR
from .factors import (
    ChainedScheduler,
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)
from .scheduler import LRScheduler, ReduceLROnPlateau, _LRScheduler

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR",
    "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR", "_LRScheduler",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    raise unsupported(f"optim.lr_scheduler.{name}")
