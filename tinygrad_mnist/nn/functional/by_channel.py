"""Normalisation of each channel: over the batch, or over each sample's own numbers."""

from __future__ import annotations

import math

from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors

from .standardising import check_types, scaled, standardised

__all__ = ["batch_norm", "instance_norm"]


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
    channels = input.size(1) if input.dim() > 1 else 0
    for name, tensor in {**given, "weight": weight, "bias": bias}.items():
        if tensor is not None and tensor.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {tensor.numel()}")
    check_types("batch_norm", input, running_mean, running_var, weight, bias)
    if input.numel() == 0:
        scale, shift = (None if each is None else each[0] for each in (weight, bias))
        return scaled(input.clone(), scale, shift, ())
    by_channel = (1, -1, *[1] * (input.dim() - 2))
    if training:
        result = _by_batch(input, running_mean, running_var, momentum, eps)
    else:
        centred = input - running_mean.reshape(by_channel)
        result = standardised(centred, running_var.reshape(by_channel), eps)
    return label(scaled(result, weight, bias, by_channel), "NativeBatchNormBackward0")


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
    return standardised(centred, variance, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` of each sample by itself: over the numbers of each of its channels.

    Running statistics follow the mean over the samples. Raises ValueError for one number a
    channel.

    Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016).
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.size()}"
        )
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    batch, channels = input.shape[:2]
    mean, var, scale, shift = (
        None if given is None else given.repeat(batch)
        for given in (running_mean, running_var, weight, bias)
    )
    rows = input.reshape(1, batch * channels, *input.shape[2:])
    result = batch_norm(rows, mean, var, scale, shift, use_input_stats, momentum, eps)
    with no_grad():
        for given, followed in ((running_mean, mean), (running_var, var)):
            if given is not None and followed is not None:
                given.copy_(followed.reshape(batch, channels).mean(0))
    return result.reshape(input.shape)
