"""The compiled twins. Importing this package compiles them, or loads them from the disk.

Each fills arrays that its caller made, of shapes that its caller vouches for.
"""

from .activations import relu, relu_backward
from .compile import cached
from .losses import nll_loss, nll_loss_backward
from .products import (
    add_few_columns_of_transposed,
    add_of_transposed,
    few_columns,
    few_columns_of_transposed,
    of_transposed,
    times_transposed,
)
from .reductions import sum_channels, sum_columns, sum_rows
from .softmax import log_softmax, log_softmax_backward
from .updates import add_scaled

__all__ = [
    "add_few_columns_of_transposed",
    "add_of_transposed",
    "add_scaled",
    "cached",
    "few_columns",
    "few_columns_of_transposed",
    "log_softmax",
    "log_softmax_backward",
    "nll_loss",
    "nll_loss_backward",
    "of_transposed",
    "relu",
    "relu_backward",
    "sum_channels",
    "sum_columns",
    "sum_rows",
    "times_transposed",
]
