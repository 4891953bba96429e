"""Loops on plain NumPy arrays: what the engine computes with, knowing nothing of tensors."""

from .losses import nll_loss, nll_loss_backward
from .products import matmul
from .reductions import sum_rows
from .softmax import log_softmax, log_softmax_backward
from .updates import sgd_update

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "nll_loss",
    "nll_loss_backward",
    "sgd_update",
    "sum_rows",
    "warm_up",
]


def warm_up() -> None:
    """Load or compile every Numba loop now, so that no later call waits."""
