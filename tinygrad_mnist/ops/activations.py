"""Activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array

from .choosing import where

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


relu.derivatives(input=lambda g, out: where(out <= 0, 0.0, g))
