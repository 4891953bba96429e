"""`torch.linalg`: products, norms, solvers, inverses and factors of matrices."""

from __future__ import annotations

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.names import lazily
from tinygrad_mnist.ops.arranging import diagonal as _diagonal
from tinygrad_mnist.ops.decompositions import LinAlgError
from tinygrad_mnist.ops.linear_algebra import (
    cholesky_ex,
    cond,
    eigh,
    eigvalsh,
    inv,
    inv_ex,
    lstsq,
    matrix_rank,
    multi_dot,
    pinv,
    solve,
    solve_ex,
    solve_triangular,
    svdvals,
    tensorinv,
    tensorsolve,
)
from tinygrad_mnist.ops.linear_algebra import linalg_cholesky as cholesky
from tinygrad_mnist.ops.linear_algebra import linalg_det as det
from tinygrad_mnist.ops.linear_algebra import linalg_matrix_exp as matrix_exp
from tinygrad_mnist.ops.linear_algebra import linalg_matrix_power as matrix_power
from tinygrad_mnist.ops.linear_algebra import linalg_qr as qr
from tinygrad_mnist.ops.linear_algebra import linalg_slogdet as slogdet
from tinygrad_mnist.ops.linear_algebra import linalg_svd as svd
from tinygrad_mnist.ops.matmul import matmul
from tinygrad_mnist.ops.matrices import linalg_cross as cross
from tinygrad_mnist.ops.matrices import linalg_norm as norm
from tinygrad_mnist.ops.matrices import linalg_vander as vander
from tinygrad_mnist.ops.matrices import matrix_norm, vecdot, vector_norm

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh",
    "eigvalsh", "inv", "inv_ex", "lstsq", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex",
    "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot",
    "vector_norm",
]  # fmt: skip


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of each matrix: `torch.diagonal` of the last two dimensions."""
    return _diagonal(A, offset, dim1, dim2)


__getattr__, __dir__ = lazily(__name__, {})
