"""Lengths and distances of vectors."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors, out_refused
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.norms import vector_norm
from tinygrad_mnist.ops.shapes import broadcast_tensors

__all__ = ["cosine_similarity", "normalize", "pairwise_distance", "pdist"]


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """x / max(‖x‖ₚ, eps) along `dim`: vectors of length 1.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    if out is not None:
        raise out_refused("normalize")
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)) along `dim`; both broadcast.

    >>> import tinygrad_mnist as torch
    >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    >>> torch.nn.functional.cosine_similarity(x, y)
    tensor([0.7071])
    """
    check_tensors("cosine_similarity", x1=x1, x2=x2)
    kind = dtypes.promote((x1._array, x2._array))
    if not kind.is_floating_point:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {kind.legacy_name}"
        )
    first, second = broadcast_tensors(cast_to(x1, kind), cast_to(x2, kind))
    directions = [x / vector_norm(x, 2, dim, keepdim=True).clamp_min(eps) for x in (first, second)]
    return (directions[0] * directions[1]).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x₁ − x₂ + eps‖ₚ along the last dimension; both broadcast.

    >>> import tinygrad_mnist as torch
    >>> x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    >>> torch.nn.functional.pairwise_distance(x, y)
    tensor([5.0000])
    """
    check_tensors("pairwise_distance", x1=x1, x2=x2)
    return label((x1 - x2 + eps).norm(p, -1, keepdim), "NormBackward1")


def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm distances of all pairs of rows of (n, m), as (n · (n − 1) / 2).

    Raises RuntimeError for another number of dimensions or a negative p.
    """
    check_tensors("pdist", input=input)
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    count = input.size(0)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, second = [i for i, _ in pairs], [j for _, j in pairs]
    return label((input[first] - input[second]).norm(p, -1), "PdistBackward0")
