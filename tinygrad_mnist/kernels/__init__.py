"""Loops on plain NumPy arrays: what the engine computes with, knowing nothing of tensors.

Each function here has two twins, in one file: one in NumPy, and a loop that Numba compiles.
`dispatch` says which of them computes; the tests hold one against the other, and both against
PyTorch. Arrays of another dtype or layout than a loop was compiled for go to the NumPy twin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import erf, relu, relu_backward
    from .convolution import conv2d, conv2d_input, conv2d_weight
    from .dispatch import warm_up
    from .losses import nll_loss, nll_loss_backward
    from .normalization import standardised, standardised_backward
    from .pooling import pick, place_of_max, put_back, window_spread, window_sum
    from .products import matmul
    from .reductions import sum_channels, sum_columns, sum_rows
    from .softmax import log_softmax, log_softmax_backward, softmax_rows
    from .updates import adam_update, sgd_update

_FILES = {
    "activations": ("erf", "relu", "relu_backward"),
    "convolution": ("conv2d", "conv2d_input", "conv2d_weight"),
    "losses": ("nll_loss", "nll_loss_backward"),
    "normalization": ("standardised", "standardised_backward"),
    "pooling": ("pick", "place_of_max", "put_back", "window_spread", "window_sum"),
    "products": ("matmul",),
    "reductions": ("sum_channels", "sum_columns", "sum_rows"),
    "softmax": ("log_softmax", "log_softmax_backward", "softmax_rows"),
    "dispatch": ("warm_up",),
    "updates": ("adam_update", "sgd_update"),
}

__all__ = [
    "adam_update", "conv2d", "conv2d_input", "conv2d_weight", "erf", "log_softmax",
    "log_softmax_backward", "matmul", "nll_loss", "nll_loss_backward", "pick", "place_of_max",
    "put_back", "relu", "relu_backward", "sgd_update", "softmax_rows", "standardised",
    "standardised_backward", "sum_channels", "sum_columns", "sum_rows", "warm_up",
    "window_spread", "window_sum",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A file is loaded when first asked for, so that the package loads fast."""
    for file, names in _FILES.items():
        if name in names:
            found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{file}"), name)
            return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
