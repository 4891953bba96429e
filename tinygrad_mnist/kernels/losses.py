"""The negative log likelihood loss, and its derivative."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from . import dispatch

Array = np.ndarray[Any, Any]

NO_WEIGHT: Final = {dtype: np.empty(0, dtype) for dtype in dispatch.FLOATS}


def nll_loss(
    logp: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Array, Array]:
    """Return the loss and the total weight of the rows that count.

    Args:
        logp: (rows, classes), log-probabilities.
        target: (rows,), int64, the class of each row.
        weight: (classes,) in logp's dtype, what each class counts; None for 1.
        ignore_index: rows of this target do not count.
        reduction: "mean" (the weighted mean), "sum", or "none".

    Returns:
        The loss, (rows,) for "none" and 0-d otherwise, and the total weight, 0-d, both in logp's
        dtype. As in PyTorch, the total weight is 0 for "none", and the mean of no rows is NaN.

    Raises:
        IndexError: a target is no class and not `ignore_index`.
        ValueError: `target` or `weight` is not of the size that `logp` asks for.

    >>> import numpy as np
    >>> loss, total_weight = nll_loss(np.array([[-1.0, -2.0], [-3.0, -4.0]]), np.array([0, 1]))
    >>> float(loss), float(total_weight)
    (2.5, 2.0)
    """
    _check_sizes(len(logp), logp.shape[1], target, weight)
    if reduction == "none" or not dispatch.base.ready(logp.size, logp.dtype):
        return _nll_loss_numpy(logp, target, weight, ignore_index, reduction)
    loss, total_weight = np.empty((), logp.dtype), np.empty((), logp.dtype)
    logp, labels = np.ascontiguousarray(logp), np.ascontiguousarray(target, np.int64)
    weights, mean = _as_loops_take_it(weight, logp.dtype), reduction == "mean"
    bad = _nll_loss_loop(logp, labels, weights, ignore_index, mean, loss, total_weight)
    if bad >= 0:
        raise IndexError(f"Target {target[bad]} is out of bounds.")
    return loss, total_weight


def _nll_loss_numpy(
    logp: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> tuple[Array, Array]:
    """Sums are taken in double precision."""
    rows, labels, weights = _counted(target, logp.shape[1], weight, ignore_index)
    with np.errstate(all="ignore"):
        losses = -(logp[rows, labels] * weights)
        if reduction == "none":
            out = np.zeros(len(target), logp.dtype)
            out[rows] = losses
            return out, np.zeros((), logp.dtype)
        total = 0.0 + np.add.reduce(losses)
        total_weight = np.add.reduce(weights)
        if reduction == "mean":
            total /= total_weight
        return np.asarray(total, logp.dtype), np.asarray(total_weight, logp.dtype)


@dispatch.base.loop(
    "int64(const T[:, ::1], const int64[::1], const T[::1], int64, boolean,"
    " Array(T, 0, 'C'), Array(T, 0, 'C'))"
)
def _nll_loss_loop(
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


def nll_loss_backward(
    grad: Array,
    target: Array,
    classes: int,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """The gradient of `nll_loss`'s logp: (rows, classes), in the dtype of `grad`.

    `grad` is the gradient of the loss and has its shape; the rest is as there, and so is what is
    raised.

    >>> import numpy as np
    >>> nll_loss_backward(np.array(1.0), np.array([0, 1]), classes=2)
    array([[-0.5,  0. ],
           [ 0. , -0.5]])
    """
    _check_sizes(len(target), classes, target, weight)
    if reduction == "none" or not dispatch.base.ready(len(target) * classes, grad.dtype):
        return _nll_loss_backward_numpy(grad, target, classes, weight, ignore_index, reduction)
    out = np.empty((len(target), classes), grad.dtype)
    labels, weights = np.ascontiguousarray(target, np.int64), _as_loops_take_it(weight, grad.dtype)
    mean = reduction == "mean"
    bad = _nll_loss_backward_loop(float(grad), labels, weights, ignore_index, mean, out)
    if bad >= 0:
        raise IndexError(f"Target {target[bad]} is out of bounds.")
    return out


def _nll_loss_backward_numpy(
    grad: Array, target: Array, classes: int, weight: Array | None, ignore_index: int,
    reduction: str,
) -> Array:  # fmt: skip
    rows, labels, weights = _counted(target, classes, weight, ignore_index)
    out = np.zeros((len(target), classes), grad.dtype)
    with np.errstate(all="ignore"):
        if reduction == "none":
            scale = -grad[rows]
        elif reduction == "mean":
            scale = -grad / np.add.reduce(weights).astype(grad.dtype)
        else:
            scale = -grad
        out[rows, labels] = scale * weights
    return out


@dispatch.base.loop("int64(float64, const int64[::1], const T[::1], int64, boolean, T[:, ::1])")
def _nll_loss_backward_loop(
    grad: float, target: Array, weight: Array, ignore_index: int, mean: bool, grad_logp: Array
) -> int:
    """Put -grad, times the share of its row, at each row's target; return as the loop above."""
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
            if label < 0 or label >= classes:  # another thread may have changed it meanwhile
                return i
            grad_logp[i, label] = scale * weight[label] if weight.size else scale
    return -1


def _check_sizes(rows: int, classes: int, target: Array, weight: Array | None) -> None:
    if len(target) != rows:
        raise ValueError(f"target has {len(target)} elements, expected one for each of {rows} rows")
    if weight is not None and len(weight) != classes:
        raise ValueError(f"weight has {len(weight)} elements, expected one for each of {classes}")


def _as_loops_take_it(weight: Array | None, dtype: np.dtype[Any]) -> Array:
    """For the loops, no weight is a weight of no elements."""
    return NO_WEIGHT[dtype] if weight is None else np.ascontiguousarray(weight, dtype)


def _counted(
    target: Array, classes: int, weight: Array | None, ignore_index: int
) -> tuple[Array, Array, Array]:
    """The rows that count, their labels, and their weights in double precision."""
    rows = np.flatnonzero(target != ignore_index)
    labels = target[rows]
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        raise IndexError(f"Target {labels[bad][0]} is out of bounds.")
    weights = np.ones(len(rows)) if weight is None else weight[labels].astype(np.float64)
    return rows, labels, weights
