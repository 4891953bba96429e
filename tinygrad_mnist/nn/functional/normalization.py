"""Normalisation: numbers brought to mean 0 and variance 1, over a sample or over a channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_constant, check_tensors, not_implemented, read_dim
from tinygrad_mnist.ops.arranging import pad
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.elementwise import sqrt
from tinygrad_mnist.ops.pooling import avg_pool2d
from tinygrad_mnist.ops.reductions import _mean, _sum
from tinygrad_mnist.ops.second_derivatives import constant_in

Dims = tuple[int, ...]


@primitive(grad_fn="NativeLayerNormBackward0 NativeBatchNormBackward0 NativeGroupNormBackward0")
def _normalised(
    input: Array, weight: Array | None, bias: Array | None, *, dim: Dims, over: Dims, eps: float
) -> Any:
    """(x − mean) / √(variance + eps) · w + b"""
    return kernels.standardised(input, dim, eps, weight, bias)


@primitive
def _normalised_backward(grad: Array, input: Array, *, dim: Dims, eps: float) -> Any:
    """(g − mean g − y · mean (g · y)) / √(variance + eps): y is x standardised"""
    return kernels.standardised_backward(grad, input, dim, eps)


def _brought(weight: Any, input: Any, over: Dims) -> Any:
    """A weight for each place that lies in none of the dimensions `over`, as it broadcasts."""
    if not over or over[-1] == len(over) - 1:
        return weight
    return weight.reshape(tuple([1 if d in over else n for d, n in enumerate(input.shape)]))


def _standardised(x: Any, dim: Dims, eps: float) -> Any:
    if x.__class__ is np.ndarray:
        return kernels.standardised(x, dim, eps)
    return _normalised(x, None, None, dim=dim, over=(), eps=eps)


def _counts_of(g: Any, *sources: Any) -> Any:
    """g: as computed from what is given of its sources."""
    for source in sources:
        g = g if source is None else constant_in(g, source)
    return g


_normalised.derivatives(
    input=lambda g, input, weight, dim, over, eps: _normalised_backward(
        g if weight is None else g * _brought(weight, input, over), input, dim=dim, eps=eps
    ),
    weight=lambda g, input, dim, over, eps: _sum(
        g * _standardised(input, dim, eps), dim=over, keepdim=False
    ),
    bias=lambda g, input, weight, over: _sum(_counts_of(g, input, weight), dim=over, keepdim=False),
)


def _slope_of_backward(g: Any, grad: Any, input: Any, dim: Dims, eps: float) -> Any:
    """−y · (cov(g, h) − mean(g · y) · mean(h · y)) / (variance + eps) − …: h is the gradient."""

    def mean(x: Any) -> Any:
        return _mean(x, dim=dim, keepdim=True)

    centred = input - mean(input)
    inverse = 1 / sqrt(mean(centred * centred) + eps)
    out = centred * inverse
    first, second = mean(g * out), mean(grad * out)
    shared = mean(g * grad) - mean(g) * mean(grad) - first * second
    slopes = [_normalised_backward(x, input, dim=dim, eps=eps) for x in (g, grad)]
    return -inverse * (out * shared * inverse + second * slopes[0] + first * slopes[1])


_normalised_backward.derivatives(
    grad=lambda g, input, dim, eps: _normalised_backward(g, input, dim=dim, eps=eps),
    input=_slope_of_backward,
)


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
    ndim, lead = x._array.ndim, x._array.ndim - len(shape)
    dims = {"dim": tuple(range(lead, ndim)), "over": tuple(range(lead)), "eps": eps}
    out = call(_normalised, (x, weight, bias), dims)
    if out._array.dtype is input._array.dtype:
        return out
    return named_as(cast_to(out, input.dtype), "NativeLayerNormBackward0")


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
    result = _standardised(grouped, (2,), eps).reshape(input.shape)
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
        result = input.clone() if scale is None else input * scale
        return result if shift is None else result + shift
    _check_types("batch_norm", input, running_mean, running_var, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    read_dim(1, x._array.ndim)
    dim = _ALL_BUT_CHANNELS[x._array.ndim] if x._array.ndim < 6 else (0, *range(2, x._array.ndim))
    if training or running_mean is None or running_var is None:
        result = call(_normalised, (x, weight, bias), {"dim": dim, "over": dim, "eps": eps})
        if running_mean is not None or running_var is not None:
            _follow(running_mean, running_var, x, dim, momentum)
    else:
        shape = (1, -1, *[1] * (input.dim() - 2))
        mean, variance = (each.reshape(shape) for each in _wide(running_mean, running_var))
        result = (x - mean) * (variance + eps).rsqrt()
        result = result if weight is None else result * weight.reshape(shape)
        result = result if bias is None else result + bias.reshape(shape)
    return named_as(cast_to(result, input.dtype), "NativeBatchNormBackward0")


_ALL_BUT_CHANNELS = [(), (0,), (0,), (0, 2), (0, 2, 3), (0, 2, 3, 4)]


def _follow(
    running_mean: Tensor | None, running_var: Tensor | None, x: Tensor, dim: Dims, momentum: float
) -> None:
    """Let the running statistics take a step towards those of a batch."""
    with no_grad():
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(_mean(x, dim=dim, keepdim=False) * momentum)
        if running_var is not None:
            variance = x.var(dim, correction=1)
            running_var.mul_(1 - momentum).add_(variance * momentum)


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
