"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, label, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented, read_dim, torch_arguments
from .casting import cast_to, clone, made
from .choosing import masked_fill
from .reductions import _sum
from .shapes import reshape

__all__ = [
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "trace",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
]

Shape = tuple[int, ...]


@primitive(view=True)
def _diagonal(input: Array, *, offset: int, dim1: int, dim2: int) -> Any:
    """x where the index along dim2 is that along dim1 + offset: a view"""
    view = np.diagonal(input, offset, dim1, dim2)
    if input.flags.writeable:
        view.flags.writeable = True
    return view


@primitive
def _diagonal_backward(input: Array, *, sizes: Shape, offset: int, dim1: int, dim2: int) -> Any:
    """zeros, with x on the diagonal"""
    out = np.zeros(sizes, input.dtype)
    view = np.diagonal(out, offset, dim1, dim2)
    view.flags.writeable = True
    view[...] = input
    return out


_diagonal.derivatives(
    input=lambda g, offset, dim1, dim2, shape: _diagonal_backward(
        g, sizes=shape, offset=offset, dim1=dim1, dim2=dim2
    )
)
_diagonal_backward.derivatives(
    input=lambda g, offset, dim1, dim2: _diagonal(g, offset=offset, dim1=dim1, dim2=dim2)
)


def _two_dims(ndim: int, dim1: int, dim2: int) -> tuple[int, int]:
    first, second = read_dim(dim1, ndim), read_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of each matrix that `dim1` and `dim2` span, as last dimension: a view.

    >>> import tinygrad_mnist as torch
    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    check_tensors("diagonal", input=input)
    first, second = _two_dims(input._array.ndim, dim1, dim2)
    return _diagonal(input, offset=offset, dim1=first, dim2=second)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in the dimensions `dim1` and `dim2`, with the last dimension as their diagonal.

    >>> import tinygrad_mnist as torch
    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    check_tensors("diag_embed", input=input)
    shape = input._array.shape
    first, second = _two_dims(len(shape) + 1, dim1, dim2)
    side = shape[-1] + abs(offset)
    rest = iter(shape[:-1])
    sizes = [side if d in (first, second) else next(rest) for d in range(len(shape) + 1)]
    out = _diagonal_backward(input, sizes=tuple(sizes), offset=offset, dim1=first, dim2=second)
    return label(out, "DiagEmbedBackward0")


@torch_arguments
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or for a vector the matrix whose diagonal it is.

    >>> import tinygrad_mnist as torch
    >>> torch.diag(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    check_tensors("diag", input=input)
    ndim = input._array.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    if ndim == 1:
        return diag_embed(input, diagonal)
    view = _diagonal(input, offset=diagonal, dim1=0, dim2=1)
    return label(clone(view), "DiagonalBackward0_copy")


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix whose diagonal is the flattened tensor."""
    return diag_embed(reshape(input, -1), offset)


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal.

    >>> import tinygrad_mnist as torch
    >>> torch.trace(torch.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    check_tensors("trace", input=input)
    if input._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    if input._array.dtype == bool:
        raise not_implemented("trace", input._array.dtype)
    view = _diagonal(input, offset=0, dim1=0, dim2=1)
    if view._array.dtype.kind != "f":
        view = cast_to(view, dtypes.int64)
    return label(_sum(view, dim=(0,), keepdim=False), "TraceBackward0")


def _triangle(name: str, input: Tensor, diagonal: int) -> Tensor:
    check_tensors(name, input=input)
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    rows, columns = shape[-2:]
    below = np.tri(rows, columns, diagonal - (name == "triu"), dtype=np.bool_)
    out = masked_fill(input, wrap(made(below if name == "triu" else ~below)), 0)
    return label(out, f"{name.capitalize()}Backward0")


@torch_arguments
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Each matrix with zeros above its diagonal number `diagonal` (those above count upwards).

    >>> import tinygrad_mnist as torch
    >>> torch.tril(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return _triangle("tril", input, diagonal)


@torch_arguments
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Each matrix with zeros below its diagonal number `diagonal` (those above count upwards).

    >>> import tinygrad_mnist as torch
    >>> torch.triu(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """
    return _triangle("triu", input, diagonal)


def _triangle_indices(
    find: Any, row: int, col: int, offset: int, dtype: dtypes.dtype | None, device: Any
) -> Tensor:
    if device is not None and str(device) != "cpu":
        raise NotImplementedError(f"tensors live on the CPU here, not on {device}")
    for name, value in (("row", row), ("col", col)):
        if value < 0:
            raise RuntimeError(f"{name} must be non-negative, got {value}")
    kind = dtypes.int64 if dtype is None else dtype
    return wrap(np.stack(find(row, offset, col)).astype(kind.numpy))


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype | None = None, device: Any = None
) -> Tensor:
    """The places (2, found) of a matrix's lower triangle, its rows one after the other."""
    return _triangle_indices(np.tril_indices, row, col, offset, dtype, device)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype | None = None, device: Any = None
) -> Tensor:
    """The places (2, found) of a matrix's upper triangle, its rows one after the other."""
    return _triangle_indices(np.triu_indices, row, col, offset, dtype, device)
