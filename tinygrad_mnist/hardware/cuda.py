"""PyTorch's questions about GPUs, answered: there are none here."""

from __future__ import annotations

import importlib
from typing import Any

from . import device_count as device_count
from . import is_available as is_available
from . import synchronize as synchronize

__path__: list[str] = []
"""So that `cuda.amp` can be imported, from the room's `cuda_amp`."""

is_initialized = is_available


def manual_seed(seed: int) -> None:
    """Nothing: there is no GPU whose stream could be seeded."""


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Nothing: there is no GPU memory."""


def __getattr__(name: str) -> Any:
    if name == "amp":
        return importlib.import_module("tinygrad_mnist.cuda.amp")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
