"""Scores made probabilities: softmax and its kin."""

from __future__ import annotations

import warnings

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import zeros_like
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import softmax as softmax_family
from tinygrad_mnist.ops.arguments import check_tensors

__all__ = ["gumbel_softmax", "log_softmax", "softmax", "softmin"]


def _implied_dim(name: str, dim: int | None, ndim: int, stacklevel: int) -> int:
    """`dim`, or the one that PyTorch took before it was asked for."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: dtypes.dtype | None = None,
) -> Tensor:
    """eˣ / Σ eˣ along `dim`: `torch.softmax`."""
    axis = _implied_dim("softmax", dim, input.dim(), _stacklevel)
    return softmax_family.softmax(input, axis, dtype)


def softmin(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: dtypes.dtype | None = None,
) -> Tensor:
    """e⁻ˣ / Σ e⁻ˣ along `dim`."""
    axis = _implied_dim("softmin", dim, input.dim(), _stacklevel)
    return softmax_family.softmax(-input, axis, dtype)


def log_softmax(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: dtypes.dtype | None = None,
) -> Tensor:
    """x − ln Σ eˣ along `dim`: `torch.log_softmax`."""
    axis = _implied_dim("log_softmax", dim, input.dim(), _stacklevel)
    return softmax_family.log_softmax(input, axis, dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + noise) / tau), noise from Gumbel's distribution: a soft random choice.

    `hard` gives 1 at the largest and 0 elsewhere, with the gradient of the soft choice.

    Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax" (2017); Maddison, Mnih
    and Teh, "The concrete distribution" (2017).
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    check_tensors("empty_like", input=logits)
    noise = -logits.new_empty(logits.shape).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    largest = soft.max(dim, keepdim=True)[1]
    chosen = zeros_like(logits).scatter_(dim, largest, 1.0)
    return chosen - soft.detach() + soft
