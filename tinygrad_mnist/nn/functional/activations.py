"""Activation functions, softmax and dropout.

`inplace` writes the result into the input, which must then not be needed for anything else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import empty_like, ones_like, zeros_like
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, named_as
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import softmax as softmax_family
from tinygrad_mnist.ops.arguments import (
    check_floating,
    check_number_fits,
    check_tensors,
    not_implemented,
    read_dim,
)
from tinygrad_mnist.ops.choosing import where
from tinygrad_mnist.ops.dependence import constant_in
from tinygrad_mnist.ops.elementwise import erf, exp, sigmoid

__all__ = [
    "alpha_dropout", "celu", "celu_", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu",
    "elu_", "feature_alpha_dropout", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid",
    "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_", "silu",
    "softmax", "softmin", "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
    "threshold_",
]  # fmt: skip


def _apply(function: Callable[..., Tensor], name: str, input: Tensor, inplace: bool) -> Tensor:
    """function(input), its record called `name`, written into the input if `inplace`."""
    if inplace:
        return named_as(input.copy_(function(input.clone())), name)
    return named_as(function(input), name)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return input.relu_() if inplace else input.relu()


@primitive(grad_fn="HardtanhBackward0")
def _hardtanh(input: Array, *, low: float, high: float) -> Any:
    """min(max(x, low), high)"""
    if input.dtype == bool:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if input.dtype.kind == "u" and (int(low) < 0 or int(high) < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    kind = input.dtype.type
    return np.clip(input, kind(low), kind(high))


_hardtanh.derivatives(
    input=lambda g, input, low, high: where(
        (input <= low) | (input >= high), 0.0, constant_in(g, input)
    )
)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x held between `min_val` and `max_val`; ValueError when these are the wrong way round."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _apply(
        lambda x: _hardtanh(x, low=min_val, high=max_val), "HardtanhBackward0", input, inplace
    )


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return hardtanh(input, 0.0, 6.0, inplace)


_SIXTH = float(np.float32(1 / 6))
"""PyTorch's own constant, which it keeps in float32 whatever the type of the gradient."""


@primitive
def _hardsigmoid(input: Array) -> Any:
    """min(max(x + 3, 0), 6) / 6"""
    check_floating("hardsigmoid_cpu", input)
    return np.clip(input + 3, 0, 6) / 6


_hardsigmoid.derivatives(
    input=lambda g, input: where((input > -3) & (input < 3), constant_in(g, input) * _SIXTH, 0.0)
)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6"""
    return _apply(_hardsigmoid, "HardsigmoidBackward0", input, inplace)


@primitive(grad_fn="HardswishBackward0")
def _hardswish(input: Array) -> Any:
    """x · min(max(x + 3, 0), 6) / 6"""
    check_floating("hardswish_cpu", input)
    return input * np.clip(input + 3, 0, 6) / 6


_hardswish.derivatives(
    input=lambda g, input: where(input <= -3, 0.0, where(input < 3, g * (input / 3 + 0.5), g))
)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x)

    Howard et al., "Searching for MobileNetV3" (2019).
    """
    return _apply(_hardswish, "HardswishBackward0", input, inplace)


@primitive(grad_fn="EluBackward0")
def _elu(input: Array, *, alpha: float, scale: float, steepness: float) -> Any:
    """scale · x for x > 0, scale · alpha · (e^(steepness · x) − 1) below"""
    check_floating("elu_cpu", input)
    return np.where(
        input > 0,
        input * input.dtype.type(scale),
        np.expm1(np.minimum(input * steepness, 0)) * (alpha * scale),
    )


_elu.derivatives(
    input=lambda g, input, alpha, scale, steepness: where(
        input <= 0,
        g * (steepness * alpha * scale) * exp(where(input >= 0, 0.0, input * steepness)),
        g * scale,
    )
)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, alpha · (eˣ − 1) below.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units" (2016).
    """
    return _apply(
        lambda x: _elu(x, alpha=alpha, scale=1.0, steepness=1.0), "EluBackward0", input, inplace
    )


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, alpha · (e^(x / alpha) − 1) below; RuntimeError when alpha is 0."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _apply(
        lambda x: _elu(x, alpha=alpha, scale=1.0, steepness=1.0 / alpha),
        "CeluBackward0",
        input,
        inplace,
    )


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507… · elu(x, 1.6733…), which keeps mean 0 and variance 1 through a network.

    Klambauer et al., "Self-normalizing neural networks" (2017).
    """
    return _apply(
        lambda x: _elu(x, alpha=_SELU_ALPHA, scale=_SELU_SCALE, steepness=1.0),
        "EluBackward0",
        input,
        inplace,
    )


@primitive(grad_fn="LeakyReluBackward0")
def _leaky_relu(input: Array, *, slope: float) -> Any:
    """x for x > 0, slope · x below"""
    check_floating("leaky_relu_cpu", input)
    return np.where(input > 0, input, input * input.dtype.type(slope))


_leaky_relu.derivatives(
    input=lambda g, input, slope: where(input > 0, constant_in(g, input), g * slope)
)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, negative_slope · x below."""
    return _apply(
        lambda x: _leaky_relu(x, slope=negative_slope), "LeakyReluBackward0", input, inplace
    )


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x for x > 0, weight · x below; `weight` holds one number, or one for each channel (dim 1).

    Raises RuntimeError for any other number of them, or another type than the input's.
    """
    check_tensors("prelu", input=input, weight=weight)
    if weight.dtype != input.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype.legacy_name} and "
            f"{weight.dtype.legacy_name}"
        )
    if weight.dim() > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.dim()}"
        )
    if weight.numel() != 1:
        if input.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.size(1) if input.dim() > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
        weight = weight.reshape(1, -1, *[1] * (input.dim() - 2))
    elif weight.dim() > input.dim():
        weight = weight.reshape(())
    return _prelu(input, weight)


@primitive(grad_fn="PreluKernelBackward0")
def _prelu(input: Array, weight: Array) -> Any:
    """x for x > 0, w · x below"""
    check_floating("prelu_cpu", input)
    return np.where(input > 0, input, weight * input)


_prelu.derivatives(
    input=lambda g, input, weight: where(input > 0, constant_in(g, input), weight * g),
    weight=lambda g, input: where(input > 0, 0.0, input * g),
)


@primitive
def _threshold(input: Array, *, threshold: float, value: float) -> Any:
    """x where it is above the threshold, the value elsewhere"""
    if input.dtype == bool:
        raise not_implemented("threshold_cpu", input.dtype)
    return np.where(input <= threshold, input.dtype.type(value), input)


_threshold.derivatives(
    input=lambda g, input, threshold: where(input <= threshold, 0.0, constant_in(g, input))
)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above `threshold`, `value` elsewhere."""
    check_tensors("threshold", input=input)
    check_number_fits(value, input.dtype)
    return _apply(
        lambda x: _threshold(x, threshold=threshold, value=value),
        "ThresholdBackward0",
        input,
        inplace,
    )


@primitive(grad_fn="SiluBackward0")
def _silu(input: Array) -> Any:
    """x / (1 + e⁻ˣ)"""
    check_floating("silu_cpu", input)
    return input / (1 + np.exp(-input))


_silu.derivatives(input=lambda g, input: g * sigmoid(input) * (1 + input * (1 - sigmoid(input))))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · sigmoid(x), also called swish.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.silu(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """
    return _apply(_silu, "SiluBackward0", input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(ln(1 + eˣ))

    Misra, "Mish: A self regularized non-monotonic neural activation function" (2020).
    """
    check_tensors("mish", input=input)
    check_floating("mish_cpu", input._array)
    return _apply(lambda x: x * softplus(x).tanh(), "MishBackward0", input, inplace)


@primitive(grad_fn="SoftplusBackward0")
def _softplus(input: Array, *, beta: float, threshold: float) -> Any:
    """ln(1 + e^(beta · x)) / beta, and x where beta · x > threshold"""
    check_floating("softplus_cpu", input)
    scaled = input * beta
    return np.where(scaled > threshold, input, np.log1p(np.exp(scaled)) / beta)


_softplus.derivatives(
    input=lambda g, input, beta, threshold: where(
        input * beta > threshold, g, g * sigmoid(input * beta)
    )
)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(beta · x)) / beta, a smooth relu; x itself where beta · x is above `threshold`."""
    return _softplus(input, beta=beta, threshold=threshold)


@primitive(grad_fn="LogSigmoidBackward0")
def _log_sigmoid(input: Array) -> Any:
    """−ln(1 + e⁻ˣ)"""
    check_floating("log_sigmoid_cpu", input)
    return np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))


_log_sigmoid.derivatives(input=lambda g, input: g * sigmoid(-input))


def logsigmoid(input: Tensor) -> Tensor:
    """ln sigmoid(x), without overflow."""
    return _log_sigmoid(input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x · Φ(x), Φ the normal distribution's cumulative function.

    `approximate="tanh"` takes x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) instead. Raises
    RuntimeError for any other name.

    Hendrycks and Gimpel, "Gaussian error linear units" (2016).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.gelu(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    check_tensors("gelu", input=input)
    check_floating("GeluKernelImpl", input._array)
    if approximate == "none":
        return named_as(input * 0.5 * (1 + erf(input * math.sqrt(0.5))), "GeluBackward0")
    inner = math.sqrt(2 / math.pi) * (input + 0.044715 * (input * input * input))
    return named_as(0.5 * input * (1 + inner.tanh()), "GeluBackward0")


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh(x)"""
    return input - input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b), a and b the halves of the input along `dim`; RuntimeError for an odd size.

    Dauphin et al., "Language modeling with gated convolutional networks" (2017).
    """
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    axis = read_dim(dim, input.dim())
    size = input.size(axis)
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {size}")
    check_floating("glu_cpu", input._array)
    value, gate = input.narrow(axis, 0, size // 2), input.narrow(axis, size // 2, size // 2)
    return named_as(value * gate.sigmoid(), "GluBackward0")


@primitive
def _hardshrink(input: Array, *, lambd: float) -> Any:
    """x where |x| > lambd, 0 elsewhere"""
    check_floating("hardshrink_cpu", input)
    return np.where((input >= -lambd) & (input <= lambd), input.dtype.type(0), input)


_hardshrink.derivatives(
    input=lambda g, input, lambd: where(
        (input >= -lambd) & (input <= lambd), 0.0, constant_in(g, input)
    )
)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, 0 elsewhere."""
    return _hardshrink(input, lambd=lambd)


@primitive
def _softshrink(input: Array, *, lambd: float) -> Any:
    """x brought nearer to 0 by lambd, and no further"""
    check_floating("softshrink_check", input)
    return np.where(
        input > lambd, input - lambd, np.where(input < -lambd, input + lambd, 0 * input)
    )


_softshrink.derivatives(
    input=lambda g, input, lambd: where(
        (input >= -lambd) & (input <= lambd), 0.0, constant_in(g, input)
    )
)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x brought nearer to 0 by `lambd`, and no further; RuntimeError for a negative one."""
    if lambd < 0:
        raise RuntimeError(
            "lambda must be in range [0, 3.40282e+38] for input dtype "
            f"{input.dtype.legacy_name}, but found {lambd:g}"
        )
    return _softshrink(input, lambd=lambd)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x for x > 0, r · x below, r drawn between `lower` and `upper` for each number.

    In evaluation r is the mean of the two. Raises RuntimeError when they are the wrong way round.

    Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional
    network" (2015).
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        out = leaky_relu(input, (lower + upper) / 2, inplace)
        return named_as(out, "RreluWithNoiseBackward0")
    check_floating("rrelu_with_noise_out_cpu", input._array)
    below = input.detach() <= 0
    slopes = ones_like(input, requires_grad=False)
    drawn = slopes.new_empty(int(below.sum()), dtype=dtypes.float64).uniform_(lower, upper)
    slopes[below] = drawn.to(input.dtype)
    return _apply(lambda x: x * slopes, "RreluWithNoiseBackward0", input, inplace)


# In place


def relu_(input: Tensor) -> Tensor:
    """`relu`, written into the input."""
    return relu(input, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, written into the input."""
    return elu(input, alpha, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, written into the input."""
    return celu(input, alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """`selu`, written into the input."""
    return selu(input, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, written into the input."""
    return leaky_relu(input, negative_slope, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, written into the input."""
    return hardtanh(input, min_val, max_val, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, written into the input."""
    return threshold(input, threshold, value, inplace=True)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """`rrelu`, written into the input."""
    return rrelu(input, lower, upper, training, inplace=True)


# Softmax


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


# Dropout

_SELU_FLOOR = 1.7580993408473766
"""How far below zero selu goes: its scale times its alpha."""


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input: Tensor, shape: Any, p: float, inplace: bool, alpha: bool = False) -> Tensor:
    """The input times noise of `shape`: 0 with probability p, else 1 / (1 − p).

    `alpha` puts what selu goes down to in place of 0, and keeps mean and variance.
    """
    if p == 1:
        return input.mul_(0.0) if inplace else input * 0.0
    in_its_order = alpha and shape == input.shape
    noise = empty_like(input, requires_grad=False) if in_its_order else input.new_empty(shape)
    noise.bernoulli_(1 - p)
    if not alpha:
        noise.div_(1 - p)
        return input.mul_(noise) if inplace else input * noise
    scale = 1 / math.sqrt((_SELU_FLOOR**2 * p + 1) * (1 - p))
    shift = (noise - 1) * (_SELU_FLOOR * scale) + _SELU_FLOOR * scale * p
    noise.mul_(scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each number 0 with probability `p`, else divided by 1 − p; the input itself if not training.

    Raises ValueError for a probability outside [0, 1].

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.dropout(torch.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    return _drop(input, input.shape, p, inplace)


def _drop_channels(
    input: Tensor, p: float, training: bool, inplace: bool, alpha: bool = False
) -> Tensor:
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    shape = (*input.shape[:2], *[1] * (input.dim() - 2))
    return _drop(input, shape, p, inplace, alpha)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, length) or (channels, length).

    Raises RuntimeError for an input of other dimensions.
    """
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if input.dim() == 2:
        return _drop_channels(input.unsqueeze(0), p, training, inplace).squeeze(0)
    return _drop_channels(input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, height, width); other inputs warn.

    An input of 3 dimensions counts as (n, channels, length).
    """
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, depth, height, width) or without n."""
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    if input.dim() == 5:
        return _drop_channels(input, p, training, inplace)
    return _drop_channels(input.unsqueeze(0), p, training, inplace).squeeze(0)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for selu: what is dropped goes to selu's floor, and mean and variance stay.

    Klambauer et al., "Self-normalizing neural networks" (2017).
    """
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    return _drop(input, input.shape, p, inplace, alpha=True)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels."""
    return _drop_channels(input, p, training, inplace, alpha=True)
