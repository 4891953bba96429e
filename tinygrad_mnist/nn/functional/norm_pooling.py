"""Pooling by a norm: (Σ xᵖ)^(1 / p) of the numbers under each window."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.convolution import read_pair
from tinygrad_mnist.ops.pooling import avg_pool1d, avg_pool2d, max_pool1d, max_pool2d

__all__ = ["lp_pool1d", "lp_pool2d"]


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1 / p) under each window of (n, channels, length); p = ∞ is the largest |x|."""
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        largest = max_pool1d(input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode)
        return largest * sign
    means = avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _root(means, kernel_size, norm_type)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1 / p) under each window of (n, channels, height, width).

    p = ∞ is the largest |x|.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.lp_pool2d(torch.tensor([[[3.0, 4.0]]]), 2, (1, 2))
    tensor([[[5.]]])
    """
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        largest = max_pool2d(input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode)
        return largest * sign
    means = avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _root(means, math.prod(read_pair("kernel_size", kernel_size)), norm_type)


def _root(means: Tensor, count: Any, order: float) -> Tensor:
    size = count[0] if isinstance(count, tuple | list) else count
    return (means.sign() * means.abs().relu() * size).pow(1.0 / order)
