"""What training needs beside the network: data, checkpoints of memory, timing, TensorBoard."""

import importlib
from typing import TYPE_CHECKING, Any

from . import data

if TYPE_CHECKING:
    from . import benchmark, checkpoint

__all__ = ["benchmark", "checkpoint", "data"]


def __getattr__(name: str) -> Any:
    if name in (*__all__, "tensorboard"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
