"""Normalisation of each sample by itself: its numbers brought to mean 0 and variance 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.padding import pad
from tinygrad_mnist.ops.pooling import avg_pool2d

from .standardising import check_types, scaled, standardised

__all__ = ["group_norm", "layer_norm", "local_response_norm", "rms_norm"]


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
    shape = _read_shape(input, normalized_shape, weight=weight, bias=bias)
    check_types("LayerNormKernelImpl", input, weight, bias)
    dims = tuple(range(-len(shape), 0))
    centred = input - input.mean(dims, keepdim=True)
    variance = (centred * centred).mean(dims, keepdim=True)
    result = scaled(standardised(centred, variance, eps), weight, bias, shape)
    return label(result, "NativeLayerNormBackward0")


def _read_shape(
    input: Tensor, normalized_shape: Sequence[int], comma: str = ", ", **given: Tensor | None
) -> Any:
    """The sizes to normalise over; RuntimeError unless all fit together."""
    shape = list(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            f"element, but got normalized_shape = {shape}"
        )
    for name, parameter in given.items():
        if parameter is not None and list(parameter.shape) != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(parameter.shape)} and normalized_shape = {shape}"
            )
    sizes = list(input.shape)
    if sizes[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={shape}, expected input with shape "
            f"[*{comma}{', '.join(map(str, shape))}], but got input of size{sizes}"
        )
    return shape


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / √(mean of x² + eps) · weight over the last dimensions, of sizes `normalized_shape`.

    `eps` is the type's own unless given.

    Zhang and Sennrich, "Root mean square layer normalization" (2019).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.rms_norm(torch.tensor([[3.0, -3.0]]), [2])
    tensor([[ 1., -1.]])
    """
    check_tensors("rms_norm", input=input)
    shape = _read_shape(input, normalized_shape, comma="", weight=weight)
    dims = tuple(range(-len(shape), 0))
    small = dtypes.finfo(input.dtype).eps if eps is None else eps
    result = input * ((input * input).mean(dims, keepdim=True) + small).rsqrt()
    return result if weight is None else result * weight


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + eps) over each group of channels (dim 1) of each sample.

    `weight` and `bias` hold one number for each channel. Raises RuntimeError for channels that
    cannot be divided, ValueError for one number a group.

    Wu and He, "Group normalization" (2018).
    """
    if input.dim() < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.dim()}"
        )
    batch, channels = input.shape[:2]
    sizes = [batch * channels // num_groups, num_groups, *input.shape[2:]]
    if math.prod([sizes[0], *sizes[2:]]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {sizes}"
        )
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and list(given.shape) != [channels]:
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(given.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    check_types("GroupNormKernelImpl", input, weight, bias)
    inner = math.prod(input.shape[2:]) * channels // num_groups
    grouped = input.reshape(batch, num_groups, inner)
    centred = grouped - grouped.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    result = standardised(centred, variance, eps).reshape(input.shape)
    by_channel = (1, channels, *[1] * (input.dim() - 2))
    if weight is not None:
        result = result * weight.reshape(by_channel)
    if bias is not None:
        result = result + bias.reshape(by_channel)
    return label(result, "NativeGroupNormBackward0")


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks" (2012).
    """
    if input.dim() < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input (got "
            f"{input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    batch, channels = input.shape[:2]
    squares = (input * input).reshape(batch, 1, channels, -1)
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = avg_pool2d(squares, (size, 1), stride=1).reshape(input.shape)
    return input / (means * alpha + k) ** beta
