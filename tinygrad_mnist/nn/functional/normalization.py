"""Normalisation: numbers brought to mean 0 and variance 1, by sample or by channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.ops.arguments import check_tensors, not_implemented
from tinygrad_mnist.record import label

__all__ = ["batch_norm", "layer_norm"]

Tensor = Any


def _standardised(centred: Tensor, variance: Tensor, eps: float) -> Tensor:
    return centred * (variance + eps).rsqrt()


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + eps) · weight + bias over the last dimensions, each on its own.

    `normalized_shape` names the sizes of these dimensions, and is the shape of `weight` and
    `bias`. The variance is that of the numbers themselves (biased). Raises RuntimeError for
    shapes that do not fit.

    Ba, Kiros and Hinton, "Layer normalization" (2016).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[1.0, 3.0]]), [2])
    tensor([[-1.0000,  1.0000]])
    """
    check_tensors("layer_norm", input=input)
    shape = list(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            f"element, but got normalized_shape = {shape}"
        )
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and list(given.shape) != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(given.shape)} and normalized_shape = {shape}"
            )
    sizes = list(input.shape)
    if sizes[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={shape}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{sizes}"
        )
    _check_types("LayerNormKernelImpl", input, weight, bias)
    dims = tuple(range(-len(shape), 0))
    centred = input - input.mean(dims, keepdim=True)
    variance = (centred * centred).mean(dims, keepdim=True)
    result = _standardised(centred, variance, eps)
    if weight is not None:
        result = result * weight
    if bias is not None:
        result = result + bias
    return label(result, "NativeLayerNormBackward0")


def _check_types(name: str, input: Tensor, *others: Tensor | None) -> None:
    if not input.is_floating_point():
        raise not_implemented(name, input._array.dtype)
    if any(other is not None and other.dtype != input.dtype for other in others):
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def batch_norm(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + eps) · weight + bias for each channel (dim 1) of the batch.

    In training, mean and variance are the batch's, and the running ones, where given, take a step
    of `momentum` towards them (towards the unbiased variance); otherwise the running ones serve.
    Raises ValueError for one number a channel in training, RuntimeError for sizes that do not fit.

    Ioffe and Szegedy, "Batch normalization" (2015).
    """
    check_tensors("batch_norm", input=input)
    if training:
        _check_batch(input)
    if eps < 0 or (training and eps == 0):
        kind = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {kind}, but got {eps}")
    given = {"running_mean": running_mean, "running_var": running_var}
    for name, tensor in given.items():
        if tensor is None and not training:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
    for name, tensor in {**given, "weight": weight, "bias": bias}.items():
        if tensor is not None and tensor.numel() != input.size(1):
            raise RuntimeError(
                f"{name} should contain {input.size(1)} elements not {tensor.numel()}"
            )
    _check_types("batch_norm", input, running_mean, running_var, weight, bias)
    by_channel = (1, -1, *[1] * (input.dim() - 2))
    if training:
        result = _by_batch(input, running_mean, running_var, momentum, eps)
    else:
        centred = input - running_mean.reshape(by_channel)
        result = _standardised(centred, running_var.reshape(by_channel), eps)
    if weight is not None:
        result = result * weight.reshape(by_channel)
    if bias is not None:
        result = result + bias.reshape(by_channel)
    return label(result, "NativeBatchNormBackward0")


def _check_batch(input: Tensor) -> None:
    size = input.size()
    if input.size(0) * math.prod(size[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )


def _by_batch(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalise by the batch's mean and variance, and let the running ones follow."""
    dims = (0, *range(2, input.dim()))
    count = input.numel() // input.size(1)
    mean = input.mean(dims, keepdim=True)
    centred = input - mean
    variance = (centred * centred).mean(dims, keepdim=True)
    with no_grad():
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(mean.reshape(-1) * momentum)
        if running_var is not None:
            unbiased = variance.reshape(-1) * (count / (count - 1))
            running_var.mul_(1 - momentum).add_(unbiased * momentum)
    return _standardised(centred, variance, eps)
