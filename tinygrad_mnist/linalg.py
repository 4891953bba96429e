"""`torch.linalg`: norms and products of vectors and matrices."""

from __future__ import annotations

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.names import lazily
from tinygrad_mnist.ops.arranging import diagonal as _diagonal
from tinygrad_mnist.ops.matmul import matmul
from tinygrad_mnist.ops.matrices import linalg_cross as cross
from tinygrad_mnist.ops.matrices import linalg_norm as norm
from tinygrad_mnist.ops.matrices import linalg_vander as vander
from tinygrad_mnist.ops.matrices import matrix_norm, vecdot, vector_norm

__all__ = [
    "cross", "diagonal", "matmul", "matrix_norm", "norm", "vander", "vecdot", "vector_norm",
]  # fmt: skip


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of each matrix: `torch.diagonal` of the last two dimensions."""
    return _diagonal(A, offset, dim1, dim2)


__getattr__, __dir__ = lazily(__name__, {})
