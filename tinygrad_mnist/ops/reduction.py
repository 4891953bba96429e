"""How a loss reduces its numbers to one: by name, or by PyTorch's two older arguments."""

from __future__ import annotations

import warnings

from tinygrad_mnist.engine.tensor import Tensor


def legacy_reduction(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction's name, from the older arguments (with a warning) where they are given."""
    if size_average is None and reduce is None:
        return reduction
    each = reduce is False
    reduction = "none" if each else "sum" if size_average is False else "mean"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{reduction}' instead.",
        stacklevel=4,
    )
    return reduction


def read_reduction(
    reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> str:
    """The reduction's name as `legacy_reduction` has it; ValueError for an unknown one."""
    reduction = legacy_reduction(reduction, size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or sum of a loss, or the loss itself."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss
