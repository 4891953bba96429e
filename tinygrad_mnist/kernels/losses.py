"""The negative log likelihood loss, and its derivative."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["nll_loss", "nll_loss_backward"]


def nll_loss(
    logp: NDArray,
    target: NDArray,
    weight: NDArray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[NDArray, NDArray]:
    """Return the loss and the total weight.

    `logp` is (rows, classes), `target` (rows,) of class indices, `weight` (classes,) or None. The loss is
    (rows,) for reduction "none", else 0-d; the total weight is 0-d (0 for "none", as in PyTorch).
    """
    return nll_loss_numpy(logp, target, weight, ignore_index, reduction)


def nll_loss_backward(
    grad: NDArray,
    target: NDArray,
    classes: int,
    weight: NDArray | None,
    ignore_index: int,
    reduction: str,
    total_weight: NDArray,
) -> NDArray:
    """The gradient of `nll_loss`'s logp, (rows, classes), in grad's dtype."""
    return nll_loss_backward_numpy(
        grad, target, classes, weight, ignore_index, reduction, total_weight
    )


def _kept_targets(target: NDArray, classes: int, ignore_index: int) -> tuple[NDArray, NDArray]:
    """Which rows count, and a class index that is safe to look up for every row."""
    kept = target != ignore_index
    bad = kept & ((target < 0) | (target >= classes))
    if bad.any():
        raise IndexError(f"Target {target[bad.argmax()]} is out of bounds.")
    return kept, np.where(kept, target, 0)


def nll_loss_numpy(
    logp: NDArray, target: NDArray, weight: NDArray | None, ignore_index: int, reduction: str
) -> tuple[NDArray, NDArray]:
    """The NumPy twin of `nll_loss`."""
    kept, safe = _kept_targets(target, logp.shape[1], ignore_index)
    losses = np.zeros(len(target), logp.dtype)
    weights = kept.astype(logp.dtype)
    rows = np.flatnonzero(kept)
    with np.errstate(all="ignore"):
        losses[rows] = -logp[rows, safe[rows]]
        if weight is not None:
            weights[rows] = weight[safe[rows]]
            losses[rows] *= weights[rows]
        if reduction == "none":
            return losses, np.zeros((), logp.dtype)
        total_weight = np.asarray(np.add.reduce(weights))
        total = np.asarray(np.add.reduce(losses))
        if reduction == "mean":
            total = np.asarray(total / total_weight)
    return total, total_weight


def nll_loss_backward_numpy(
    grad: NDArray,
    target: NDArray,
    classes: int,
    weight: NDArray | None,
    ignore_index: int,
    reduction: str,
    total_weight: NDArray,
) -> NDArray:
    """The NumPy twin of `nll_loss_backward`."""
    kept, safe = _kept_targets(target, classes, ignore_index)
    rows = np.flatnonzero(kept)
    out = np.zeros((len(target), classes), grad.dtype)
    with np.errstate(all="ignore"):
        scale = -grad / total_weight if reduction == "mean" else -grad
        scale = np.broadcast_to(scale, target.shape)[rows]
        if weight is not None:
            scale = scale * weight[safe[rows]]
    out[rows, safe[rows]] = scale
    return out
