"""Activation functions, softmax and dropout.

`inplace` writes the result into the input, which must then not be needed for anything else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor.creation import ones_like, zeros_like
from tinygrad_mnist._tensor.in_place import in_place, write
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import in_lower_precision
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.memory import elements_shared
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import OfTensors, Primitive, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.kernels import elementwise as one_pass
from tinygrad_mnist.ops import softmax as softmax_family
from tinygrad_mnist.ops.arguments import (
    check_floating,
    check_number_fits,
    check_tensors,
    not_implemented,
    read_dim,
    with_out,
)
from tinygrad_mnist.ops.casting import zeros
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.elementwise import erf, exp, over_one_plus_exp_of_minus, sigmoid
from tinygrad_mnist.ops.indexing import WHOLE
from tinygrad_mnist.ops.second_derivatives import constant_in


def _activation(
    name: str, says: str, of: Callable[..., Any], kernel: str, grad_fn: str | None = None,
    **formulas: Callable[..., Any],
) -> Primitive:  # fmt: skip
    """The primitive `name`: `of` on floating-point arrays, and a formula for each input.

    `kernel` is how PyTorch's error for other types calls the function.
    """

    def floating(values: tuple[Any, ...]) -> dtypes.dtype:
        check_floating(kernel, values[0])
        return dtypes.from_numpy_dtype(values[0].dtype)

    of.__name__, of.__doc__ = name, says
    made = Primitive(of, floating, grad_fn=grad_fn)
    made.derivatives(**formulas)
    return made.public


def _apply(
    of: Callable[..., Tensor], grad_fn: str, input: Tensor, inplace: bool, **settings: float
) -> Tensor:
    """of(input), its record called `grad_fn`, written into the input if `inplace`."""
    given: Any = input
    if isinstance(of, OfTensors) and isinstance(given, Tensor) and not inplace:
        return named_as(call_unary(of.of, given, settings), grad_fn)
    if not isinstance(given, Tensor):
        check_tensors(getattr(of, "name", "mish"), input=given)
    if inplace:
        return named_as(input.copy_(of(input.clone(), **settings)), grad_fn)
    return named_as(of(input, **settings), grad_fn)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    given: Any = input
    if not isinstance(given, Tensor):
        check_tensors("relu", input=given)
    return input.relu_() if inplace else input.relu()


@primitive(grad_fn="HardtanhBackward0")
def _hardtanh(input: Array, *, min_val: float, max_val: float) -> Any:
    """min(max(x, min_val), max_val)"""
    if input.dtype == bool:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if input.dtype.kind == "u" and (int(min_val) < 0 or int(max_val) < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    kind = input.dtype.type
    return np.clip(input, kind(min_val), kind(max_val))


_hardtanh.derivatives(
    input=lambda g, input, min_val, max_val: where(
        (input <= min_val) | (input >= max_val), 0.0, constant_in(g, input)
    )
)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x held between `min_val` and `max_val`; ValueError when these are the wrong way round."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _apply(_hardtanh, "HardtanhBackward0", input, inplace, min_val=min_val, max_val=max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return hardtanh(input, 0.0, 6.0, inplace)


_SIXTH = float(np.float32(1 / 6))
"""PyTorch's own constant, which it keeps in float32 whatever the type of the gradient."""

_hardsigmoid = _activation(
    "hardsigmoid", "min(max(x + 3, 0), 6) / 6",
    lambda input: np.clip(input + 3, 0, 6) / 6,
    "hardsigmoid_cpu",
    input=lambda g, input: where(
        (input > -3) & (input < 3), constant_in(g, input) * _SIXTH, 0.0
    ),
)  # fmt: skip


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6"""
    return _apply(_hardsigmoid, "HardsigmoidBackward0", input, inplace)


_hardswish = _activation(
    "hardswish", "x · min(max(x + 3, 0), 6) / 6",
    lambda input: input * np.clip(input + 3, 0, 6) / 6,
    "hardswish_cpu",
    input=lambda g, input: where(input <= -3, 0.0, where(input < 3, g * (input / 3 + 0.5), g)),
)  # fmt: skip


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x)

    Howard et al., "Searching for MobileNetV3" (2019).
    """
    return _apply(_hardswish, "HardswishBackward0", input, inplace)


_elu = _activation(
    "elu", "scale · x for x > 0, scale · alpha · (e^(input_scale · x) − 1) below",
    lambda input, *, alpha, scale, input_scale: one_pass.elu(input, alpha, scale, input_scale),
    "elu_cpu", "EluBackward0 CeluBackward0",
    input=lambda g, input, alpha, scale, input_scale: (
        one_pass.elu_backward(g, input, alpha, scale, input_scale) if isinstance(g, np.ndarray)
        else where(
            input <= 0,
            g * (input_scale * alpha * scale) * exp(where(input < 0, input * input_scale, 0.0)),
            g * scale,
        )
    ),
)  # fmt: skip


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, alpha · (eˣ − 1) below.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units" (2016).
    """
    return _apply(_elu, "EluBackward0", input, inplace, alpha=alpha, scale=1.0, input_scale=1.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, alpha · (e^(x / alpha) − 1) below; RuntimeError when alpha is 0."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    settings = {"alpha": alpha, "scale": 1.0, "input_scale": 1.0 / alpha}
    return _apply(_elu, "CeluBackward0", input, inplace, **settings)


_SELU = {
    "alpha": 1.6732632423543772848170429916717,
    "scale": 1.0507009873554804934193349852946,
    "input_scale": 1.0,
}


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507… · elu(x, 1.6733…), which keeps mean 0 and variance 1 through a network.

    Klambauer et al., "Self-normalizing neural networks" (2017).
    """
    return _apply(_elu, "EluBackward0", input, inplace, **_SELU)


_leaky_relu = _activation(
    "leaky_relu", "x for x > 0, negative_slope · x below",
    lambda input, *, negative_slope: (
        np.maximum(input, input * input.dtype.type(negative_slope)) if 0 < negative_slope <= 1
        else np.where(input > 0, input, input * input.dtype.type(negative_slope))
    ),
    "leaky_relu_cpu", "LeakyReluBackward0 RreluWithNoiseBackward0",
    input=lambda g, input, negative_slope: (
        one_pass.leaky_relu_backward(g, input, negative_slope) if isinstance(g, np.ndarray)
        else where(input > 0, constant_in(g, input), g * negative_slope)
    ),
)  # fmt: skip


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, negative_slope · x below."""
    return _apply(_leaky_relu, "LeakyReluBackward0", input, inplace, negative_slope=negative_slope)


_prelu = _activation(
    "prelu", "x for x > 0, w · x below",
    lambda input, weight: np.where(input > 0, input, weight * input),
    "prelu_cpu", "PreluKernelBackward0",
    input=lambda g, input, weight: where(input > 0, constant_in(g, input), weight * g),
    weight=lambda g, input: where(input > 0, 0.0, input * g),
)  # fmt: skip


@in_lower_precision
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


@primitive
def _threshold(input: Array, *, threshold: float, value: float) -> Any:
    """x where x > threshold, value elsewhere"""
    if input.dtype == bool:
        raise not_implemented("threshold_cpu", input.dtype)
    return np.where(input <= threshold, np.asarray(value).astype(input.dtype), input)


@primitive(grad_fn="ThresholdBackwardBackward0")
def _threshold_gradient(grad: Array, input: Array, *, threshold: float) -> Any:
    """g where x > threshold, 0 elsewhere"""
    return np.where(input <= threshold, grad.dtype.type(0), grad)


_threshold.derivatives(
    input=lambda g, input, threshold: _threshold_gradient(g, input, threshold=threshold)
)
_threshold_gradient.derivatives(
    grad=lambda g, input, threshold: _threshold_gradient(g, input, threshold=threshold),
    input=lambda g: zeros(g),
)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above `threshold`, `value` elsewhere."""
    check_tensors("threshold", input=input)
    check_number_fits(value, input.dtype)
    if not inplace:
        return _threshold(input, threshold=threshold, value=value)
    if elements_shared(input._array):
        found = _threshold(input.clone(), threshold=threshold, value=value)
        write(input, found, WHOLE, None, "ThresholdBackward0", overlapping=True)
        return input
    return in_place(_threshold, input, threshold=threshold, value=value)


_silu = _activation(
    "silu", "x / (1 + e⁻ˣ)",
    lambda input: over_one_plus_exp_of_minus(input, input),
    "silu_cpu",
    input=lambda g, input: (
        one_pass.silu_backward(g, input) if isinstance(g, np.ndarray)
        else g * sigmoid(input) * (1 + input * (1 - sigmoid(input)))
    ),
)  # fmt: skip


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · sigmoid(x), also called swish.

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


_softplus = _activation(
    "softplus", "x where beta · x > threshold, ln(1 + e^(beta · x)) / beta elsewhere",
    lambda input, *, beta, threshold: one_pass.softplus(input, beta, threshold),
    "softplus_cpu",
    input=lambda g, input, beta, threshold: (
        one_pass.softplus_backward(g, input, beta, threshold) if isinstance(g, np.ndarray)
        else where(input * beta > threshold, g, g * sigmoid(input * beta))
    ),
)  # fmt: skip


@with_out
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(beta · x)) / beta, a smooth relu; x itself where beta · x is above `threshold`."""
    return _apply(_softplus, "SoftplusBackward0", input, False, beta=beta, threshold=threshold)


_log_sigmoid = _activation(
    "log_sigmoid", "−ln(1 + e⁻ˣ)",
    lambda input: np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input))),
    "log_sigmoid_cpu",
    input=lambda g, input: g * sigmoid(-input),
)  # fmt: skip


@with_out
def logsigmoid(input: Tensor) -> Tensor:
    """ln sigmoid(x), without overflow."""
    return _log_sigmoid(input)


@with_out
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x · Φ(x), Φ the normal distribution's cumulative function.

    `approximate="tanh"` takes x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) instead. Raises
    RuntimeError for any other name.

    Hendrycks and Gimpel, "Gaussian error linear units" (2016).

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


def _between(g: Any, input: Any, lambd: float) -> Any:
    return where((input >= -lambd) & (input <= lambd), 0.0, constant_in(g, input))


_hardshrink = _activation(
    "hardshrink", "x where |x| > lambd, 0 elsewhere",
    lambda input, *, lambd: np.where(
        (input >= -lambd) & (input <= lambd), input.dtype.type(0), input
    ),
    "hardshrink_cpu",
    input=_between,
)  # fmt: skip
_softshrink = _activation(
    "softshrink", "x − min(max(x, −lambd), lambd): nearer to 0 by lambd, and no further",
    lambda input, *, lambd: np.where(
        input > lambd,
        input - lambd,
        np.where(input < -lambd, input + lambd, np.where(input == input, 0, input)),
    ).astype(input.dtype),
    "softshrink_check",
    input=_between,
)  # fmt: skip


@with_out
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, 0 elsewhere."""
    return _hardshrink(input, lambd=lambd)


@with_out
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x brought nearer to 0 by `lambd`, and no further; RuntimeError for a negative one."""
    if lambd < 0:
        raise RuntimeError(
            "lambda must be in range [0, 3.40282e+38] for input dtype "
            f"{input.dtype.legacy_name}, but found {lambd:g}"
        )
    return _softshrink(input, lambd=lambd)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
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


# Written into their input


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, written into the input."""
    return celu(input, alpha, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, written into the input."""
    return elu(input, alpha, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, written into the input."""
    return hardtanh(input, min_val, max_val, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, written into the input."""
    return leaky_relu(input, negative_slope, inplace=True)


def relu_(input: Tensor) -> Tensor:
    """`relu`, written into the input."""
    return relu(input, inplace=True)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """`rrelu`, written into the input."""
    return rrelu(input, lower, upper, training, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """`selu`, written into the input."""
    return selu(input, inplace=True)


_thresholded = threshold


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, written into the input."""
    return _thresholded(input, threshold, value, inplace=True)


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
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtypes.dtype | None = None
) -> Tensor:
    """eˣ / Σ eˣ along `dim`: `torch.softmax`."""
    axis = _implied_dim("softmax", dim, input.dim(), _stacklevel)
    return softmax_family.softmax(input, axis, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtypes.dtype | None = None
) -> Tensor:
    """e⁻ˣ / Σ e⁻ˣ along `dim`."""
    axis = _implied_dim("softmin", dim, input.dim(), _stacklevel)
    return softmax_family.softmax(-input, axis, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtypes.dtype | None = None
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


def _dropout(
    input: Tensor, p: float, training: bool, inplace: bool, by_channel: bool, alpha: bool = False
) -> Tensor:
    """The input times noise: 0 with probability p, else 1 / (1 − p); drawn for each channel once.

    `alpha` puts what selu goes down to in place of 0, and keeps mean and variance.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if p == 0 or not training or input.numel() == 0:
        return input
    if by_channel and input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if p == 1:
        return input.mul_(0.0) if inplace else input * 0.0
    shape = (*input.shape[:2], *[1] * (input.dim() - 2)) if by_channel else input.shape
    noise = _drawn(input, shape, 1 - p)
    if not alpha:
        noise.div_(1 - p)
        return input.mul_(noise) if inplace else input * noise
    scale = 1 / math.sqrt((_SELU_FLOOR**2 * p + 1) * (1 - p))
    shift = (noise - 1) * (_SELU_FLOOR * scale) + _SELU_FLOOR * scale * p
    noise.mul_(scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def _drawn(input: Tensor, shape: Sequence[int], p: float) -> Tensor:
    """1 with probability p, else 0; a number for each of the input's is drawn in memory's order."""
    array = input._array
    if shape != input.shape or array.flags.c_contiguous or 0 in array.strides:
        return input.new_empty(shape).bernoulli_(p)
    order = np.argsort([-step for step in array.strides], kind="stable")
    drawn = input.new_empty([shape[d] for d in order]).bernoulli_(p)
    return drawn.permute(np.argsort(order).tolist())


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each number 0 with probability `p`, else divided by 1 − p; the input itself if not training.

    Raises ValueError for a probability outside [0, 1].

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    >>> torch.nn.functional.dropout(torch.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    return _dropout(input, p, training, inplace, by_channel=False)


def _meant_for(name: str, spatial: int) -> str:
    return (
        f"Note that {name} exists to provide channel-wise dropout on inputs with {spatial} spatial "
        f"dimension{'s' * (spatial > 1)}, a channel dimension, and an optional batch dimension "
        f"(i.e. {spatial + 1}D or {spatial + 2}D inputs)."
    )


def _warn_of_dimensions(name: str, spatial: int, ndim: int) -> None:
    if ndim not in (spatial + 1, spatial + 2):
        warnings.warn(
            f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in "
            "an error in a future release. To retain the behavior and silence this warning, "
            f"please use dropout instead. {_meant_for(name, spatial)}",
            stacklevel=3,
        )


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, length) or (channels, length).

    Raises RuntimeError for an input of other dimensions.
    """
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. "
            f"{_meant_for('dropout1d', 1)}"
        )
    if input.dim() == 2:
        return _dropout(input.unsqueeze(0), p, training, inplace, by_channel=True).squeeze(0)
    return _dropout(input, p, training, inplace, by_channel=True)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, height, width); other inputs warn.

    An input of 3 dimensions counts as (n, channels, length).
    """
    _warn_of_dimensions("dropout2d", 2, input.dim())
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _dropout(input, p, training, inplace, by_channel=True)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, depth, height, width) or without n."""
    _warn_of_dimensions("dropout3d", 3, input.dim())
    if input.dim() == 5:
        return _dropout(input, p, training, inplace, by_channel=True)
    return _dropout(input.unsqueeze(0), p, training, inplace, by_channel=True).squeeze(0)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for selu: what is dropped goes to selu's floor, and mean and variance stay.

    Klambauer et al., "Self-normalizing neural networks" (2017).
    """
    return _dropout(input, p, training, inplace, by_channel=False, alpha=True)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels."""
    return _dropout(input, p, training, inplace, by_channel=True, alpha=True)
