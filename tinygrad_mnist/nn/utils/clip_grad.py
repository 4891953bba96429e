"""Keeping gradients small: by their norm taken together, or element by element.

`foreach` chooses how PyTorch computes the same numbers and changes nothing here.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable

from tinygrad_mnist._tensor.creation import tensor
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.joining import stack

Tensors = Tensor | Iterable[Tensor]


def _as_list(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _norm(x: Tensor, order: float) -> Tensor:
    """The vector norm of all numbers: (Σ |x|ᵖ)^(1/p), its limits for p = 0 and ±∞."""
    if order == 2:
        return (x * x).sum().sqrt()
    size = x.abs()
    if order == float("inf"):
        return size.max()
    if order == float("-inf"):
        return size.min()
    if order == 0:
        return (x != 0).sum().to(x.dtype)
    return (size**order).sum() ** (1 / order)


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """The norm of all tensors as one vector.

    Raises RuntimeError when it is not finite and `error_if_nonfinite`.

    >>> torch.nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])])
    tensor(5.)
    """
    given = _as_list(tensors)
    order = float(norm_type)
    if not given:
        return tensor(0.0)
    total = _norm(stack([_norm(each, order) for each in given]), order)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so "
            "it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by max_norm / total_norm, in place, if that makes them smaller."""
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for parameter in _as_list(parameters):
        if parameter.grad is not None:
            parameter.grad.mul_(scale)


def clip_grad_norm_(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0,
    error_if_nonfinite: bool = False, foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale all gradients, in place, so that their norm as one vector is at most `max_norm`.

    Returns the norm before. Raises RuntimeError when it is not finite and `error_if_nonfinite`.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).

    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> torch.nn.utils.clip_grad_norm_(x, max_norm=1.0)
    tensor(5.)
    >>> x.grad
    tensor([0.6000, 0.8000])
    """
    given = _as_list(parameters)
    if not given and isinstance(parameters, types.GeneratorType):
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    gradients = [each.grad for each in given if each.grad is not None]
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Hold every number of every gradient between ±clip_value, in place."""
    limit = float(clip_value)
    for parameter in _as_list(parameters):
        if parameter.grad is not None:
            parameter.grad.clamp_(-limit, limit)
