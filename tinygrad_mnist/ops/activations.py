"""Activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array

from .casting import zeros

__all__ = [
    "relu",
]

Tensor = Any


@primitive
def relu(input: Array) -> Any:
    """max(x, 0)"""
    if input.dtype == bool:
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.maximum(input, 0)


_WHOLE = {4: np.int32, 8: np.int64}


def _kept_where(kept: Array, x: Array) -> Array:
    """np.where(kept, x, 0) by bits: to branch at each number would take ten times as long."""
    whole = _WHOLE[x.itemsize]
    all_or_none = np.negative(kept.view(np.int8), dtype=whole)
    result: Array = np.bitwise_and(x.view(whole), all_or_none).view(x.dtype)
    return result


@primitive
def threshold_backward(grad: Array, out: Array) -> Any:
    """g where out > 0, 0 elsewhere: the gradient of relu"""
    return _kept_where(~(out <= 0), grad)


relu.derivatives(input=lambda g, out: threshold_backward(g, out))
threshold_backward.derivatives(
    grad=lambda g, out: threshold_backward(g, out), out=lambda g: zeros(g)
)
