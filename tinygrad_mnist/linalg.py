"""`torch.linalg`: norms and products of vectors and matrices."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.names import unsupported
from tinygrad_mnist.ops.diagonals import diagonal as _diagonal
from tinygrad_mnist.ops.linalg import matmul
from tinygrad_mnist.ops.norms import linalg_norm as norm
from tinygrad_mnist.ops.norms import matrix_norm, vector_norm
from tinygrad_mnist.ops.vectors import linalg_cross as cross
from tinygrad_mnist.ops.vectors import linalg_vander as vander
from tinygrad_mnist.ops.vectors import vecdot

__all__ = [
    "cross",
    "diagonal",
    "matmul",
    "matrix_norm",
    "norm",
    "vander",
    "vecdot",
    "vector_norm",
]


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonal of each matrix: `torch.diagonal` of the last two dimensions."""
    return _diagonal(A, offset, dim1, dim2)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    raise unsupported(f"linalg.{name}")
