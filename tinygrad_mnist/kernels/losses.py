"""The negative log likelihood loss, and its derivative."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from . import switch

__all__ = ["nll_loss", "nll_loss_backward"]

Array = np.ndarray[Any, Any]

NO_WEIGHT: Final = {dtype: np.empty(0, dtype) for dtype in switch.FLOATS}


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
    loops = switch.core.loops or switch.core.consider(logp.size)
    if loops is None or reduction == "none" or logp.dtype not in switch.FLOATS:
        return nll_loss_numpy(logp, target, weight, ignore_index, reduction)
    loss = np.empty((), logp.dtype)
    total_weight = np.empty((), logp.dtype)
    weights = _as_loops_take_it(weight, logp.dtype)
    bad = loops.nll_loss(
        np.ascontiguousarray(logp),
        np.ascontiguousarray(target, np.int64),
        weights,
        ignore_index,
        reduction == "mean",
        loss,
        total_weight,
    )
    if bad >= 0:
        raise IndexError(f"Target {target[bad]} is out of bounds.")
    return loss, total_weight


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
    loops = switch.core.loops or switch.core.consider(len(target) * classes)
    if loops is None or reduction == "none" or grad.dtype not in switch.FLOATS:
        return nll_loss_backward_numpy(grad, target, classes, weight, ignore_index, reduction)
    out = np.empty((len(target), classes), grad.dtype)
    weights = _as_loops_take_it(weight, grad.dtype)
    bad = loops.nll_loss_backward(
        float(grad),
        np.ascontiguousarray(target, np.int64),
        weights,
        ignore_index,
        reduction == "mean",
        out,
    )
    if bad >= 0:
        raise IndexError(f"Target {target[bad]} is out of bounds.")
    return out


def _as_loops_take_it(weight: Array | None, dtype: np.dtype[Any]) -> Array:
    """For the loops, no weight is a weight of no elements."""
    return NO_WEIGHT[dtype] if weight is None else np.ascontiguousarray(weight, dtype)


def _check_sizes(rows: int, classes: int, target: Array, weight: Array | None) -> None:
    if len(target) != rows:
        raise ValueError(f"target has {len(target)} elements, expected one for each of {rows} rows")
    if weight is not None and len(weight) != classes:
        raise ValueError(f"weight has {len(weight)} elements, expected one for each of {classes}")


def nll_loss_numpy(
    logp: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> tuple[Array, Array]:
    """The NumPy twin of `nll_loss`. Sums are taken in double precision."""
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


def nll_loss_backward_numpy(
    grad: Array,
    target: Array,
    classes: int,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array:
    """The NumPy twin of `nll_loss_backward`."""
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
