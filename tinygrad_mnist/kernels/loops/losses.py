"""The negative log likelihood loss, forward and backward, where it is one number."""

from typing import Any

import numpy as np

from .compile import loop

Array = np.ndarray[Any, Any]


@loop(
    "int64(const T[:, ::1], const int64[::1], const T[::1], int64, boolean,"
    " Array(T, 0, 'C'), Array(T, 0, 'C'))"
)
def nll_loss(
    logp: Array,
    target: Array,
    weight: Array,
    ignore_index: int,
    mean: bool,
    loss: Array,
    total_weight: Array,
) -> int:
    """Fill in loss and total weight, and return the first row whose target is no class, or -1.

    A weight of no elements means that every class weighs 1.
    """
    classes = logp.shape[1]
    total = 0.0
    weights = 0.0
    for i in range(target.size):
        label = target[i]
        if label != ignore_index:
            if label < 0 or label >= classes:
                return i
            share = np.float64(weight[label]) if weight.size else 1.0
            total -= logp[i, label] * share
            weights += share
    loss[()] = total / weights if mean else total
    total_weight[()] = weights
    return -1


@loop("int64(float64, const int64[::1], const T[::1], int64, boolean, T[:, ::1])")
def nll_loss_backward(
    grad: float, target: Array, weight: Array, ignore_index: int, mean: bool, grad_logp: Array
) -> int:
    """Put -grad, times the share of its row, at each row's target; return as `nll_loss` does."""
    classes = grad_logp.shape[1]
    dtype = grad_logp.dtype.type
    total = 0.0
    for i in range(target.size):
        label = target[i]
        if label != ignore_index:
            if label < 0 or label >= classes:
                return i
            total += weight[label] if weight.size else 1.0
    scale = dtype(-grad / dtype(total)) if mean else dtype(-grad)
    grad_logp[:] = 0
    for i in range(target.size):
        label = target[i]
        if label != ignore_index:
            grad_logp[i, label] = scale * weight[label] if weight.size else scale
    return -1
