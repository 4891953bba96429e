"""Losses that are negative log likelihoods of a distribution's numbers."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist._tensor import ones_like
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.casting import decides
from tinygrad_mnist.ops.choosing import where
from tinygrad_mnist.ops.reduction import read_reduction, reduced

__all__ = ["gaussian_nll_loss", "poisson_nll_loss"]

Flag = bool | None


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(ln var + (x − t)² / var) / 2, var at least `eps`; `full` adds ln(2π) / 2.

    `var` is a number or a tensor of the input's shape, or without its last dimension, or with
    one size of 1. Raises ValueError for negative or misshapen variances.

    Nix and Weigend, "Estimating the mean and variance of the target probability distribution"
    (1994).
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * ones_like(input)
    else:
        decides()
        if (var._array < 0).any():
            raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.dim() != var.dim() or not _one_size_of_1(input.shape, var.shape):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    losses = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


def _one_size_of_1(wanted: Any, given: Any) -> bool:
    return bool(sum(n for size, n in zip(wanted, given, strict=True) if size != n) == 1)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Flag = None,
    eps: float = 1e-8,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """eˣ − t · x for the logarithm x of a rate, or x − t · ln(x + eps) for the rate itself.

    `full` adds Stirling's approximation of ln t! where t > 1.
    """
    reduction = read_reduction(reduction, size_average, reduce)
    if log_input:
        losses = input.exp() - target * input
    else:
        losses = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduced(losses, reduction)
