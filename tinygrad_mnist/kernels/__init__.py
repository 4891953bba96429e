"""Loops on plain NumPy arrays: what the engine computes with, knowing nothing of tensors.

Each function here has two twins: one in NumPy, beside it, and one compiled by Numba, in `loops`
or, for images, `image_loops`.
`switch` says which of them computes; the tests hold one against the other, and both against
PyTorch. Arrays of another dtype or layout than a loop was compiled for go to the NumPy twin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .activations import relu, relu_backward
from .losses import nll_loss, nll_loss_backward
from .products import matmul
from .reductions import sum_channels, sum_columns, sum_rows
from .softmax import log_softmax, log_softmax_backward
from .switch import warm_up
from .updates import sgd_update

if TYPE_CHECKING:
    from .convolution import conv2d, conv2d_input, conv2d_weight
    from .pooling import pick, place_of_max, put_back, window_spread, window_sum

_LATER = {
    "convolution": ("conv2d", "conv2d_input", "conv2d_weight"),
    "pooling": ("pick", "place_of_max", "put_back", "window_spread", "window_sum"),
}
"""What is loaded when first asked for, so that the package imports fast."""

__all__ = [
    "conv2d",
    "conv2d_input",
    "conv2d_weight",
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "nll_loss",
    "nll_loss_backward",
    "pick",
    "place_of_max",
    "put_back",
    "relu",
    "relu_backward",
    "sgd_update",
    "sum_channels",
    "sum_columns",
    "sum_rows",
    "warm_up",
    "window_spread",
    "window_sum",
]


def __getattr__(name: str) -> Any:
    for file, names in _LATER.items():
        if name in names:
            found = getattr(importlib.import_module(f"{__name__}.{file}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
