"""Affine maps: x Wᵀ + b."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.ops import linalg
from tinygrad_mnist.record import TensorBase, label

Tensor = Any


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, for `input` (…, in), `weight` (out, in) or (in), `bias` (out): (…, out).

    Raises RuntimeError when sizes or types do not fit.

    >>> import tinygrad_mnist as torch
    >>> F = torch.nn.functional
    >>> F.linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5]))
    tensor([[11.5000]])
    """
    for name, given in (("input", input), ("weight", weight)):
        if not isinstance(given, TensorBase):
            raise TypeError(
                f"linear(): argument '{name}' (position {1 + (name == 'weight')}) must be Tensor, "
                f"not {type(given).__name__}"
            )
    product = linalg.matmul(input, weight.T)
    if bias is None:
        return product
    if product._array.ndim == 2:
        return label(product + bias, "AddmmBackward0")
    return label(product + bias, "ViewBackward0")
