"""`torch.linalg`: norms and products of vectors and matrices."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.absent import absent
from tinygrad_mnist.ops.linalg import matmul
from tinygrad_mnist.ops.norms import linalg_norm as norm
from tinygrad_mnist.ops.norms import matrix_norm, vector_norm

__all__ = [
    "matmul",
    "matrix_norm",
    "norm",
    "vector_norm",
]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    raise absent(f"linalg.{name}")
