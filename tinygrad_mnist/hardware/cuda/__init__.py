"""PyTorch's questions about GPUs, answered: there are none here."""

from __future__ import annotations

import importlib
from typing import Any

from tinygrad_mnist.engine.device import check_device


def is_available() -> bool:
    """Whether a GPU can be used: no."""
    return False


def is_initialized() -> bool:
    """Whether a GPU was used: no."""
    return False


def device_count() -> int:
    """The number of GPUs that can be used: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: there is no GPU whose stream could be seeded."""


def manual_seed_all(seed: int) -> None:
    """Nothing: there is no GPU whose stream could be seeded."""


def synchronize(device: Any = None) -> None:
    """Refused: there is no GPU to wait for."""
    check_device("cuda")


def empty_cache() -> None:
    """Nothing: there is no GPU memory."""


def __getattr__(name: str) -> Any:
    if name == "amp":
        return importlib.import_module("tinygrad_mnist.hardware.cuda.amp")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
