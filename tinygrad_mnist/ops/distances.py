"""How far apart vectors are, and vectors made shorter."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, read_dim, torch_arguments
from .choosing import where
from .norms import vector_norm
from .shapes import unsqueeze

__all__ = [
    "cdist",
    "dist",
    "renorm",
]


@torch_arguments
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of x − y, which broadcast.

    >>> import tinygrad_mnist as torch
    >>> torch.dist(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]))
    tensor(5.)
    """
    check_tensors("dist", input=input, other=other)
    return label(vector_norm(input - other, p), "DistBackward0")


@torch_arguments
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """The p-norms of the differences between each row of `x1` and each of `x2`.

    (…, n, d) and (…, m, d) give (…, n, m); the leading sizes broadcast. `compute_mode` is read and
    makes no difference: the differences are always taken.

    >>> import tinygrad_mnist as torch
    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    check_tensors("cdist", x1=x1, x2=x2)
    for name, x in (("X1", x1), ("X2", x2)):
        if x._array.dtype.kind != "f":
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {x.dtype.legacy_name}"
            )
        if x._array.ndim < 2:
            raise RuntimeError(
                f"cdist only supports at least 2D tensors, {name} got: {x._array.ndim}D"
            )
    sizes = x1._array.shape[-1], x2._array.shape[-1]
    if sizes[0] != sizes[1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {sizes[0]} X2: {sizes[1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if sizes[0] == 0:
        apart = unsqueeze(x1, -2) - unsqueeze(x2, -3)
        return apart.sum(-1)
    out = vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)
    many = max(x1._array.shape[-2], x2._array.shape[-2]) > 25
    by_products = p == 2 and (
        compute_mode == "use_mm_for_euclid_dist"
        or (many and compute_mode != "donot_use_mm_for_euclid_dist")
    )
    return label(out, "ViewBackward0" if by_products else "CdistBackward0")


@torch_arguments
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim`, those whose p-norm exceeds `maxnorm` scaled down to it.

    Source: PyTorch divides by the norm + 1e-7.
    """
    check_tensors("renorm", input=input)
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {float(maxnorm):g}")
    ndim = input._array.ndim
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    axis = read_dim(dim, ndim)
    others = tuple(d for d in range(ndim) if d != axis)
    norm = vector_norm(input, p, others, True)
    scale = where(norm > maxnorm, maxnorm / (norm + 1e-7), 1.0)
    return label(input * scale, "RenormBackward0")
