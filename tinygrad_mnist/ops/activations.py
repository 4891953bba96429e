"""Activation functions."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import kernels
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array

from .casting import zeros

__all__ = [
    "relu",
]


@primitive
def relu(input: Array) -> Any:
    """max(x, 0)"""
    if input.dtype == bool:
        raise RuntimeError("Boolean inputs not supported for relu")
    return kernels.relu(input)


@primitive
def threshold_backward(grad: Array, out: Array) -> Any:
    """g where out > 0, 0 elsewhere: the gradient of relu"""
    return kernels.relu_backward(grad, out)


relu.derivatives(input=lambda g, out: threshold_backward(g, out))
threshold_backward.derivatives(
    grad=lambda g, out: threshold_backward(g, out), out=lambda g: zeros(g)
)
