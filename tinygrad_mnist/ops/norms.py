"""Norms of vectors and matrices; `torch.linalg` has them under the names below."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, read_dims, torch_arguments
from .casting import cast_to
from .choosing import where
from .extremes import amax, amin
from .reductions import _sum
from .statistics import root

__all__ = [
    "norm",
]


def _checked(name: str, x: Tensor, dtype: dtypes.dtype | None) -> Tensor:
    """`x` in the type to compute in; PyTorch's errors for types that have no norm."""
    check_tensors(name, input=x)
    if x._array.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. "
            f"Got {x.dtype.legacy_name}"
        )
    if dtype is None:
        return x
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: dtype should be floating point or complex, but got {dtype.legacy_name}"
        )
    return cast_to(x, dtype)


@torch_arguments
def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *,
    dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """(Σ |x|^ord)^(1 / ord) over `dim` (all unless given).

    ord ∞ is the largest |x|, −∞ the smallest, 0 how many x are not 0. Raises RuntimeError for
    integers, and for ∞ where there is no number.

    >>> import tinygrad_mnist as torch
    >>> torch.linalg.vector_norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    x = _checked("linalg.vector_norm", x, dtype)
    dims = read_dims(dim, x._array.ndim)
    order = float(ord)
    if (order < 0 or order == math.inf) and not math.prod([x._array.shape[d] for d in dims] or [1]):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    return label(_vector_norm(x, order, dims, keepdim), "LinalgVectorNormBackward0")


def _vector_norm(x: Tensor, order: float, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    if order == math.inf:
        return amax(x.abs(), dims, keepdim)
    if order == -math.inf:
        return amin(x.abs(), dims, keepdim)
    if order == 0:
        return _sum(where(x != 0, x * 0 + 1, 0.0), dim=dims, keepdim=keepdim)
    if order == 1:
        return _sum(x.abs(), dim=dims, keepdim=keepdim)
    if order == 2 and all(x._array.shape[d] == 1 for d in dims):
        return _sum(x.abs(), dim=dims, keepdim=keepdim)  # whose square could underflow
    if order == 2:
        return root(_sum(x * x, dim=dims, keepdim=keepdim))
    zero = x.detach() == 0
    nothing = 0.0 if order > 0 else math.inf
    powers = where(zero, nothing, where(zero, 1.0, x.abs()) ** order)
    total = _sum(powers, dim=dims, keepdim=keepdim)
    zero = total.detach() == 0
    nothing = 0.0 if order > 0 else math.inf
    return where(zero, nothing, where(zero, 1.0, total) ** (1 / order))


@torch_arguments
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
    dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """The norm of each matrix: "fro" (Frobenius), 1, −1, ∞ or −∞ (largest or smallest sum).

    1 adds up columns, ∞ rows. Those of singular values ("nuc", 2, −2) are not supported.
    """
    x = _checked("linalg.matrix_norm", A, dtype)
    if x._array.ndim < 2:
        raise RuntimeError(
            "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        )
    if len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got " + str(list(dim)))
    rows, columns = read_dims(dim, x._array.ndim)
    if ord == "fro":
        out = _vector_norm(x, 2.0, (rows, columns), keepdim)
        return label(out, "LinalgVectorNormBackward0")
    if ord not in (1, -1, math.inf, -math.inf):
        raise NotImplementedError(
            f"linalg.matrix_norm(ord={ord!r}) is not supported: it needs singular values; use "
            "numpy.linalg.norm on tensor.numpy()"
        )
    added, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = _sum(x.abs(), dim=(added,), keepdim=keepdim)
    if x._array.shape[kept] == 0 and ord > 0:
        return _sum(sums, dim=(kept if keepdim or kept < added else kept - 1,), keepdim=keepdim)
    along = kept if keepdim or kept < added else kept - 1
    return (amax if ord > 0 else amin)(sums, along, keepdim)


@torch_arguments
def linalg_norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
    dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """`vector_norm`, or `matrix_norm` where `ord` is given and there are two dimensions."""
    check_tensors("linalg.norm", A=A)
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A._array.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
            f"Got {A._array.ndim}D."
        )
    two = A._array.ndim == 2 if dim is None else isinstance(dim, tuple | list) and len(dim) == 2
    if two:
        return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


@torch_arguments
def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False,
    dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """The p-norm over `dim` (all unless given): `linalg.vector_norm`.

    >>> import tinygrad_mnist as torch
    >>> torch.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p == "nuc" or (p == "fro" and isinstance(dim, tuple | list) and len(dim) > 2):
        return matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)
