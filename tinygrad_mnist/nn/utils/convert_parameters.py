"""All parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_mnist._tensor import Tensor as TensorClass
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.joining import cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All numbers of the parameters in one vector.

    >>> torch.nn.utils.parameters_to_vector(torch.nn.Linear(3, 2).parameters()).shape
    torch.Size([8])
    """
    return cat([parameter.view(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter, in turn, its numbers from `vec`, whose memory they then share.

    Raises TypeError for what is not a Tensor.
    """
    if not isinstance(vec, TensorClass):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = vec[start:end].view_as(parameter).data
        start = end
