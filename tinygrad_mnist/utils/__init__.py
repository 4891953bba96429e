"""What training needs beside the network: data, in `utils.data`, and `utils.checkpoint`."""

import importlib
from typing import TYPE_CHECKING, Any

from . import data

if TYPE_CHECKING:
    from . import checkpoint

__all__ = ["checkpoint", "data"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
