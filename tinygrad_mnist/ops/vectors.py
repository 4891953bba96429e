"""Products and arrangements of vectors and matrices: cross, kron, block_diag, vander and others."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import label, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_elements, check_tensors, read_dim, torch_arguments
from .casting import cast_to
from .indexing import select
from .joining import cat, stack
from .linalg import dot, matmul
from .padding import pad
from .rearranging import flip, meshgrid
from .reductions import _sum
from .shapes import broadcast_tensors, reshape
from .slices import index_select

__all__ = [
    "block_diag",
    "cartesian_prod",
    "chain_matmul",
    "combinations",
    "cross",
    "kron",
    "vander",
    "vdot",
]


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of vectors along `dim`; the other sizes broadcast."""
    check_tensors("linalg.vecdot", x=x, y=y)
    if x._array.ndim == y._array.ndim == 1:
        return vdot(x, y)
    product = x * y
    return _sum(product, dim=(read_dim(dim, product._array.ndim),), keepdim=False)


@torch_arguments
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors: for real numbers `dot`."""
    return label(dot(input, other), "VdotBackward0")


def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of vectors of three numbers along `dim`; the other sizes broadcast."""
    check_tensors("linalg.cross", input=input, other=other)
    ndims = input._array.ndim, other._array.ndim
    if ndims[0] != ndims[1]:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    axis = read_dim(dim, ndims[0])
    sizes = [x._array.shape[axis] if x._array.ndim else 1 for x in (input, other)]
    if sizes != [3, 3]:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {sizes[0]} and "
            f"{sizes[1]}"
        )
    kind = dtypes.promote((input._array, other._array))
    if kind is dtypes.bool:
        raise NotImplementedError("\"cross\" not implemented for 'Bool'")
    pair = broadcast_tensors(cast_to(input, kind), cast_to(other, kind))
    x, y = ([select(each, axis, place) for place in range(3)] for each in pair)
    parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return label(stack(parts, axis), "LinalgCrossBackward0")


@torch_arguments
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross products of vectors of three numbers along `dim` (or the first of size 3).

    >>> import tinygrad_mnist as torch
    >>> torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]), dim=0)
    tensor([0, 0, 1])
    """
    check_tensors("cross", input=input, other=other)
    if dim is None:
        found = [d for d, size in enumerate(input._array.shape) if size == 3]
        if not found:
            raise RuntimeError("no dimension of size 3 in input")
        dim = found[0]
    return linalg_cross(input, other, dim=dim)


@torch_arguments
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every number of x times the whole of y.

    >>> import tinygrad_mnist as torch
    >>> torch.kron(torch.tensor([1, 2]), torch.tensor([1, 10]))
    tensor([ 1, 10,  2, 20])
    """
    check_tensors("kron", input=input, other=other)
    ndim = max(input._array.ndim, other._array.ndim)
    first, second = (
        (1,) * (ndim - each._array.ndim) + each._array.shape for each in (input, other)
    )
    x = reshape(input, [size for n in first for size in (n, 1)])
    y = reshape(other, [size for n in second for size in (1, n)])
    out = reshape(x * y, [n * m for n, m in zip(first, second, strict=True)])
    return label(out, "UnsafeViewBackward0")


def block_diag(*tensors: Any) -> Tensor:
    """A matrix with the given matrices (vectors, numbers) down its diagonal.

    >>> import tinygrad_mnist as torch
    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    check_elements(tensors)
    for number, tensor in enumerate(tensors):
        if tensor._array.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{number} has {tensor._array.ndim} dimensions"
            )
    if not tensors:
        return wrap(np.zeros((1, 0), dtypes.get_default_dtype().numpy))
    blocks = [reshape(t, (1,) * (2 - t._array.ndim) + t._array.shape) for t in tensors]
    width = sum(block._array.shape[1] for block in blocks)
    rows, left = [], 0
    for block in blocks:
        wide = block._array.shape[1]
        rows.append(pad(block, (left, width - left - wide)))
        left += wide
    return label(cat(rows), "BlockDiagBackward0")


def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to take one number from each vector, one in each row.

    >>> import tinygrad_mnist as torch
    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3]))
    tensor([[1, 3],
            [2, 3]])
    """
    check_elements(tensors)
    for tensor in tensors:
        if tensor._array.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(tensor._array.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors, indexing="ij")
    return stack([reshape(grid, -1) for grid in grids], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take `r` numbers from a vector, in order, one in each row.

    >>> import tinygrad_mnist as torch
    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    check_tensors("combinations", input=input)
    if input._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._array.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose: Any = (
        itertools.combinations_with_replacement if with_replacement else (itertools.combinations)
    )
    if r == 0:
        return wrap(np.empty((0,), input._array.dtype))
    rows = np.array(list(choose(range(input._array.size), r)), np.int64).reshape(-1, r)
    out = reshape(index_select(input, 0, wrap(rows.reshape(-1))), rows.shape)
    return label(out, "StackBackward0")


def chain_matmul(*matrices: Any) -> Tensor:
    """The product of matrices, from left to right."""
    check_elements(matrices)
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    out = matrices[0]
    for matrix in matrices[1:]:
        out = matmul(out, matrix)
    return out


@torch_arguments
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of each number of a vector, N − 1 to 0 (or 0 to N − 1), one row each.

    >>> import tinygrad_mnist as torch
    >>> torch.vander(torch.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    check_tensors("vander", x=x)
    if x._array.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x._array.size if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    powers = _powers(x, count)
    return powers if increasing else flip(powers, 1)


def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N − 1 of each number, along a new last dimension."""
    check_tensors("linalg.vander", x=x)
    x = x if x._array.ndim else reshape(x, 1)
    count = x._array.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    return _powers(x, count)


def _powers(x: Tensor, count: int) -> Tensor:
    """The powers 0 to count − 1 of each number, along a new last dimension."""
    x = cast_to(x, dtypes.int64 if x._array.dtype == bool else x.dtype)
    powers = [wrap(np.ones_like(x._array))]
    for _ in range(1, count):
        powers.append(powers[-1] * x)
    if not count:
        return wrap(np.zeros((*x._array.shape, 0), x._array.dtype))
    return label(stack(powers[:count], -1), "CatBackward0")
