"""The largest numbers of parts of sequences; torch's own function always gives places as well."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import adaptive_pooling

__all__ = ["adaptive_max_pool1d"]


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` for sequences (batch, channels, length)."""
    pair = adaptive_pooling.adaptive_max_pool1d(input, output_size)
    return pair if return_indices else pair[0]
