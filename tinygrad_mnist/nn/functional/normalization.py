"""Normalisation: numbers brought to mean 0 and variance 1, over a sample or over a channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.kernels.reductions import total
from tinygrad_mnist.ops.arguments import check_constant, check_tensors, not_implemented
from tinygrad_mnist.ops.arranging import pad
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.elementwise import sqrt
from tinygrad_mnist.ops.pooling import avg_pool2d
from tinygrad_mnist.ops.reductions import _mean
from tinygrad_mnist.ops.second_derivatives import add_bias


@primitive
def _standardised(input: Array, *, dim: tuple[int, ...], eps: float) -> Any:
    """(x − mean) / √(variance + eps)"""
    count = input.dtype.type(math.prod([input.shape[d] for d in dim]))
    centred = input - total(input, dim, True) / count
    variance = total(centred * centred, dim, True) / count
    centred *= 1 / np.sqrt(variance + input.dtype.type(eps))
    return centred


def _standardised_rule(g: Any, input: Any, out: Any, dim: Any, eps: float) -> Any:
    """(g − mean g − out · mean (g · out)) / √(variance + eps)"""

    def mean(x: Any) -> Any:
        return _mean(x, dim=dim, keepdim=True)

    centred = input - mean(input)
    inverse = 1 / sqrt(mean(centred * centred) + eps)
    return (g - mean(g) - out * mean(g * out)) * inverse


_standardised.derivatives(input=_standardised_rule)


def _moments(x: Tensor, dims: Any, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(x − mean) / √(variance + eps) over some dimensions; the mean; the biased variance."""
    mean = x.mean(dims, keepdim=True)
    centred = x - mean
    variance = (centred * centred).mean(dims, keepdim=True)
    return centred * (variance + eps).rsqrt(), mean, variance


def _check_types(name: str, input: Tensor, *others: Tensor | None) -> None:
    """PyTorch's errors for integers and for several types at once."""
    if not input.is_floating_point():
        raise not_implemented(name, input._array.dtype)
    if all(other is None or other._array.dtype is input._array.dtype for other in others):
        return
    allowed = {input.dtype}
    if input._array.dtype in dtypes.NARROW:
        allowed.add(dtypes.float32)
    if not {other.dtype for other in others if other is not None} <= allowed:
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def _wide(*tensors: Tensor | None) -> Any:
    """The tensors, what is float16 or bfloat16 in float32: all is computed in that."""
    if not dtypes.NARROW:
        return tensors
    return tuple([
        cast_to(x, dtypes.float32) if x is not None and x._array.dtype in dtypes.NARROW else x
        for x in tensors
    ])  # fmt: skip


def _scaled(result: Tensor, weight: Tensor | None, bias: Tensor | None, shape: Any) -> Tensor:
    """result · weight + bias, both brought to `shape`, where they are given."""
    scale = None if weight is None else _brought(weight, shape)
    out = result if scale is None else result * scale
    if bias is None:
        return out
    return add_bias(out, _brought(bias, shape), result, result if scale is None else scale)


def _brought(tensor: Tensor, shape: Any) -> Tensor:
    return tensor if tensor._array.shape == shape else tensor.reshape(shape)


# Over each sample


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x − mean) / √(variance + eps) · weight + bias over the last dimensions, each on its own.

    `normalized_shape` names the sizes of these dimensions, and is the shape of `weight` and
    `bias`. The variance is that of the numbers themselves (biased). Raises RuntimeError for
    shapes that do not fit.

    Ba, Kiros and Hinton, "Layer normalization" (2016).

    >>> torch.nn.functional.layer_norm(torch.tensor([[1.0, 3.0]]), [2])
    tensor([[-1.0000,  1.0000]])
    """
    check_tensors("layer_norm", input=input)
    shape = _read_shape(input, normalized_shape, weight=weight, bias=bias)
    _check_types("LayerNormKernelImpl", input, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    dims = tuple(range(x._array.ndim - len(shape), x._array.ndim))
    result = call_unary(_standardised, x, {"dim": dims, "eps": eps})
    result = _scaled(result, weight, bias, tuple(shape))
    return named_as(cast_to(result, input.dtype), "NativeLayerNormBackward0")


def _read_shape(
    input: Tensor, normalized_shape: Sequence[int], comma: str = ", ", **given: Tensor | None
) -> Any:
    """The sizes to normalise over; RuntimeError unless all fit together."""
    shape = list(normalized_shape)
    sizes = tuple(shape)
    alike = all(each is None or each._array.shape == sizes for each in given.values())
    if shape and alike and input._array.shape[-len(shape) :] == sizes:
        return shape
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
    raise RuntimeError(
        f"Given normalized_shape={shape}, expected input with shape "
        f"[*{comma}{', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
    )


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """x / √(mean of x² + eps) · weight over the last dimensions, of sizes `normalized_shape`.

    `eps` is the type's own unless given.

    Zhang and Sennrich, "Root mean square layer normalization" (2019).

    >>> torch.nn.functional.rms_norm(torch.tensor([[3.0, -3.0]]), [2])
    tensor([[ 1., -1.]])
    """
    check_tensors("rms_norm", input=input)
    shape = _read_shape(input, normalized_shape, comma="", weight=weight)
    dims = tuple(range(-len(shape), 0))
    small = dtypes.finfo(input.dtype).eps if eps is None else eps
    x, weight = _wide(input, weight)
    result = x * ((x * x).mean(dims, keepdim=True) + small).rsqrt()
    return cast_to(result if weight is None else result * weight, input.dtype)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
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
    _check_types("GroupNormKernelImpl", input, weight, bias)
    inner = math.prod(input.shape[2:]) * channels // num_groups
    x, weight, bias = _wide(input, weight, bias)
    grouped = x.reshape(batch, num_groups, inner)
    result = _moments(grouped, -1, eps)[0].reshape(input.shape)
    by_channel = (1, channels, *[1] * (input.dim() - 2))
    if weight is not None:
        result = result * weight.reshape(by_channel)
    if bias is not None:
        result = result + bias.reshape(by_channel)
    return named_as(cast_to(result, input.dtype), "NativeGroupNormBackward0")


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


# Over each channel


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x − mean) / √(variance + eps) · weight + bias for each channel (dim 1) of the batch.

    In training, mean and variance are the batch's, and the running ones, where given, take a step
    of `momentum` towards them (towards the unbiased variance); otherwise the running ones serve.
    Raises ValueError for one number a channel in training, RuntimeError for sizes that do not fit.

    Ioffe and Szegedy, "Batch normalization" (2015).
    """
    check_tensors("batch_norm", input=input)
    size = input.size()
    if training and input.size(0) * math.prod(size[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )
    if eps < 0 or (training and eps == 0):
        kind = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {kind}, but got {eps}")
    return _by_channel(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _by_channel(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None, bias: Tensor | None, training: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """`batch_norm` for any eps."""
    given = {"running_mean": running_mean, "running_var": running_var}
    check_constant("native_batch_norm", **given)
    for name, tensor in given.items():
        if tensor is None and not training:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
    channels = input.size(1) if input.dim() > 1 else 0
    for name, tensor in {**given, "weight": weight, "bias": bias}.items():
        if tensor is not None and tensor.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {tensor.numel()}")
    if input.numel() == 0:
        scale, shift = (None if each is None else each[0] for each in (weight, bias))
        return _scaled(input.clone(), scale, shift, ())
    _check_types("batch_norm", input, running_mean, running_var, weight, bias)
    by_channel = (1, -1, *[1] * (input.dim() - 2))
    x, weight, bias = _wide(input, weight, bias)
    if training or running_mean is None or running_var is None:
        result, mean, var = _moments(x, (0, *range(2, input.dim())), eps)
        _follow(running_mean, running_var, mean, var, momentum, input.numel() // input.size(1))
    else:
        mean, variance = _wide(running_mean, running_var)
        result = (x - mean.reshape(by_channel)) * (variance.reshape(by_channel) + eps).rsqrt()
    result = cast_to(_scaled(result, weight, bias, by_channel), input.dtype)
    return named_as(result, "NativeBatchNormBackward0")


def _follow(
    running_mean: Tensor | None, running_var: Tensor | None, mean: Tensor, variance: Tensor,
    momentum: float, count: int,
) -> None:  # fmt: skip
    """Let the running statistics take a step towards those of a batch of `count` numbers each."""
    with no_grad():
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(mean.reshape(-1) * momentum)
        if running_var is not None:
            unbiased = variance.reshape(-1) * (count / (count - 1))
            running_var.mul_(1 - momentum).add_(unbiased * momentum)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
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
    result = _by_channel(rows, mean, var, scale, shift, use_input_stats, momentum, eps)
    with no_grad():
        for given, followed in ((running_mean, mean), (running_var, var)):
            if given is not None and followed is not None:
                given.copy_(followed.reshape(batch, channels).mean(0))
    return result.reshape(input.shape)
