"""Activation functions: what stands between the affine maps of a network.

`inplace` writes the result into the input, which must then not be needed for anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import ones_like
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import (
    check_floating,
    check_number_fits,
    check_tensors,
    not_implemented,
    read_dim,
)
from tinygrad_mnist.ops.choosing import where
from tinygrad_mnist.ops.dependence import constant_in
from tinygrad_mnist.ops.error_function import erf
from tinygrad_mnist.ops.exponential import exp, sigmoid

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
]


def _apply(function: Callable[..., Tensor], name: str, input: Tensor, inplace: bool) -> Tensor:
    """function(input), its record called `name`, written into the input if `inplace`."""
    if inplace:
        return label(input.copy_(function(input.clone())), name)
    return label(function(input), name)


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
        return label(input * 0.5 * (1 + erf(input * math.sqrt(0.5))), "GeluBackward0")
    inner = math.sqrt(2 / math.pi) * (input + 0.044715 * (input * input * input))
    return label(0.5 * input * (1 + inner.tanh()), "GeluBackward0")


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
    return label(value * gate.sigmoid(), "GluBackward0")


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
        return label(out, "RreluWithNoiseBackward0")
    check_floating("rrelu_with_noise_out_cpu", input._array)
    below = input.detach() <= 0
    slopes = ones_like(input, requires_grad=False)
    drawn = slopes.new_empty(int(below.sum()), dtype=dtypes.float64).uniform_(lower, upper)
    slopes[below] = drawn.to(input.dtype)
    return _apply(lambda x: x * slopes, "RreluWithNoiseBackward0", input, inplace)
