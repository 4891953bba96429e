"""Variances and counts."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import TensorBase, named_as, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented, read_dims, torch_arguments
from .choosing import where
from .exponential import sqrt
from .reductions import _mean, _sum

__all__ = [
    "bincount",
    "std",
    "std_mean",
    "var",
    "var_mean",
]


def root(x: Tensor) -> Tensor:
    """√x, with the derivative 0 at 0: that of a norm or a deviation there, as PyTorch has it."""
    zero = x.detach() == 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


def _moments(
    name: str, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: Any
) -> tuple[Tensor, Tensor]:
    """The variance and the mean over dimensions."""
    check_tensors(name, input=input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    x = input._array
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"{name[:3]}{'_mean' * name.endswith('mean')} only support floating point and complex "
            "dtypes" if name.endswith("mean") else
            "std and var only support floating point and complex dtypes"
        )  # fmt: skip
    dims = read_dims(dim, x.ndim)
    count = math.prod([x.shape[d] for d in dims])
    free = max(count - (1 if correction is None else correction), 0)
    if free <= 0:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            UserWarning,
            stacklevel=4,
        )
    mean = _mean(input, dim=dims, keepdim=True)
    centred = input - mean
    total = _sum(centred * centred, dim=dims, keepdim=keepdim)
    if not keepdim:
        mean = mean.reshape(total.shape)
    return total / free, mean


@torch_arguments
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None,
) -> Tensor:  # fmt: skip
    """The variance over `dim` (all unless given): Σ (x − mean)² / (n − correction).

    `correction` is 1 unless given; `unbiased=False` is the older way to ask for 0. Raises
    RuntimeError for integers.

    >>> import tinygrad_mnist as torch
    >>> torch.var(torch.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    variance, _ = _moments("var", input, dim, unbiased, keepdim, correction)
    return named_as(variance, "VarBackward0")


@torch_arguments
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None,
) -> Tensor:  # fmt: skip
    """The standard deviation over `dim` (all unless given): the root of `var`.

    >>> import tinygrad_mnist as torch
    >>> torch.std(torch.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    variance, _ = _moments("std", input, dim, unbiased, keepdim, correction)
    return named_as(root(variance), "StdBackward0")


@torch_arguments
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`var` and `mean` over the same dimensions."""
    variance, mean = _moments("var_mean", input, dim, unbiased, keepdim, correction)
    return named_as(variance, "VarMeanBackward0"), named_as(mean, "VarMeanBackward0")


@torch_arguments
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`std` and `mean` over the same dimensions."""
    variance, mean = _moments("std_mean", input, dim, unbiased, keepdim, correction)
    return named_as(root(variance), "StdMeanBackward0"), named_as(mean, "StdMeanBackward0")


@torch_arguments
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, … occurs in a vector of integers; or the sums of their weights.

    Raises RuntimeError for negative numbers.

    >>> import tinygrad_mnist as torch
    >>> torch.bincount(torch.tensor([1, 1, 3]))
    tensor([0, 2, 0, 1])
    """
    check_tensors("bincount", input=input)
    x = input._array
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if x.dtype.kind not in "iu":
        raise not_implemented("bincount_cpu", x.dtype)
    if x.ndim != 1 or np.any(x < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None or not x.size:
        return wrap(np.bincount(x, minlength=minlength))
    if not isinstance(weights, TensorBase) or weights._array.shape != x.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    sums = np.bincount(x, weights._array, minlength)
    return wrap(sums.astype(np.float32) if weights._array.dtype == np.float32 else sums)
