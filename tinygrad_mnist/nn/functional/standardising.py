"""What normalisations share."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import not_implemented
from tinygrad_mnist.ops.dependence import add_bias


def standardised(centred: Tensor, variance: Tensor, eps: float) -> Tensor:
    """x − mean over the root of the variance, held away from 0 by eps."""
    return centred * (variance + eps).rsqrt()


def check_types(name: str, input: Tensor, *others: Tensor | None) -> None:
    """PyTorch's errors for integers and for several types at once."""
    if not input.is_floating_point():
        raise not_implemented(name, input._array.dtype)
    if any(other is not None and other.dtype != input.dtype for other in others):
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def scaled(result: Tensor, weight: Tensor | None, bias: Tensor | None, shape: Any) -> Tensor:
    """result · weight + bias, both brought to `shape`, where they are given."""
    scale = None if weight is None else weight.reshape(shape)
    out = result if scale is None else result * scale
    if bias is None:
        return out
    return add_bias(out, bias.reshape(shape), result, result if scale is None else scale)
