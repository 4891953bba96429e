"""Losses: how far predictions are from targets, as one number to minimise.

`reduction` is "mean", "sum" or "none" (one loss for each number or sample). `size_average` and
`reduce` are PyTorch's older way to say so, and warn.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor.creation import ones_like
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.calls import call_binary, call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.kernels import elementwise as one_pass
from tinygrad_mnist.ops.arguments import (
    check_constant,
    check_floating,
    check_tensors,
    not_implemented,
    read_dims,
)
from tinygrad_mnist.ops.arithmetic import _pow, sign
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.elementwise import log, log1p, sigmoid, xlogy
from tinygrad_mnist.ops.reductions import _mean
from tinygrad_mnist.ops.shapes import permute, reshape
from tinygrad_mnist.ops.softmax import _log_softmax, _nll_loss, log_softmax

from .activations import logsigmoid

Flag = bool | None
_INT64 = np.dtype(np.int64)


def legacy_reduction(reduction: str, size_average: Flag, reduce: Flag) -> str:
    """The reduction's name, from the older arguments (with a warning) where they are given."""
    if size_average is None and reduce is None:
        return reduction
    each = reduce is False
    reduction = "none" if each else "sum" if size_average is False else "mean"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{reduction}' instead.",
        stacklevel=4,
    )
    return reduction


def read_reduction(reduction: str, size_average: Flag = None, reduce: Flag = None) -> str:
    """The reduction's name as `legacy_reduction` has it; ValueError for an unknown one."""
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(reduction, size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or sum of a loss, or the loss itself."""
    if reduction == "mean" and loss._array.dtype.kind != "f":
        return loss.mean()
    if reduction == "mean":
        dims = {"dim": read_dims(None, loss._array.ndim), "keepdim": False}
        return named_as(call_unary(_mean, loss, dims), "MeanBackward0")
    return loss.sum() if reduction == "sum" else loss


# Regression


def _warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    if target._array.shape != input._array.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def _promoted(name: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common type; PyTorch's error where that is no floating-point one."""
    check_tensors(name.removesuffix("_cpu"), input=input, target=target)
    if input._array.dtype is target._array.dtype and input._array.dtype.kind == "f":
        return input, target
    kind = dtypes.result_type(input, target)
    if not kind.is_floating_point:
        raise not_implemented(name, kind.numpy)
    return cast_to(input, kind), cast_to(target, kind)


def _check_cast(kind: dtypes.dtype, to: dtypes.dtype) -> None:
    """PyTorch's error for a result in a type that cannot hold it."""
    if kind.is_floating_point and not to.is_floating_point:
        raise RuntimeError(
            f"result type {kind.legacy_name} can't be cast to the desired output type "
            f"{to.legacy_name}"
        )


def _check_weight(weight: Tensor | None, input: Tensor) -> None:
    if weight is not None and weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")


def _difference(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, power: int
) -> Tensor:
    """|x − target| to a power, weighted, reduced; the weighted mean divides by the weights."""
    _check_weight(weight, input)
    losses = input - target
    if power == 1:
        losses = losses.abs()
    else:
        losses = named_as(call_binary(_pow, losses, power), "PowBackward0")
    if weight is None:
        return reduced(losses, reduction)
    if reduction == "mean":
        return (losses * weight).sum() / weight.sum()
    return reduced(losses * weight, reduction)


@in_float32
def mse_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(x − target)², reduced; input and target broadcast, with a warning.

    >>> torch.nn.functional.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    _warn_of_broadcast(input, target)
    reduction = read_reduction(reduction, size_average, reduce)
    if weight is not None:
        return _difference(input, target, weight, reduction, power=2)
    x, y = _promoted("mse_cpu", input, target)
    return named_as(_difference(x, y, None, reduction, power=2), "MseLossBackward0")


@in_float32
def l1_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|x − target|, reduced; input and target broadcast, with a warning."""
    _warn_of_broadcast(input, target)
    reduction = read_reduction(reduction, size_average, reduce)
    return _difference(input, target, weight, reduction, power=1)


@primitive
def _smooth_l1(input: Array, *, beta: float) -> Any:
    """x² / (2 · beta) where |x| < beta, |x| − beta / 2 elsewhere"""
    losses = one_pass.rounded_off(input, beta)
    return losses if beta == 1 else losses / beta


@primitive
def _huber(input: Array, *, delta: float) -> Any:
    """x² / 2 where |x| < delta, delta · (|x| − delta / 2) elsewhere"""
    return one_pass.rounded_off(input, delta)


_smooth_l1.derivatives(
    input=lambda g, input, beta: (
        g
        * (
            one_pass.clamp(input / beta, -1, 1)
            if isinstance(input, np.ndarray)
            else where(abs(input) >= beta, sign(input), input / beta)
        )
    )
)
_huber.derivatives(
    input=lambda g, input, delta: (
        g
        * (
            one_pass.clamp(input, -delta, delta)
            if isinstance(input, np.ndarray)
            else where(abs(input) >= delta, delta * sign(input), input)
        )
    )
)


@in_float32
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """d² / (2 · beta) for d = |x − target| below `beta`, d − beta / 2 above.

    Girshick, "Fast R-CNN" (2015).
    """
    _warn_of_broadcast(input, target)
    reduction = read_reduction(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return _difference(input, target, None, reduction, power=1)
    x, y = _promoted("smooth_l1_cpu", input, target)
    losses = _smooth_l1(x - y, beta=beta)
    return named_as(reduced(losses, reduction), "SmoothL1LossBackward0")


@in_float32
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """d² / 2 for d = |x − target| below `delta`, delta · (d − delta / 2) above.

    Huber, "Robust estimation of a location parameter" (1964).
    """
    _warn_of_broadcast(input, target)
    reduction = read_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    _check_cast(dtypes.result_type(input, target), input.dtype)
    x, y = _promoted("huber_cpu", input, target)
    losses = cast_to(_huber(x - y, delta=delta), input.dtype)
    if weight is not None:
        _check_weight(weight, input)
        return reduced(losses * weight, reduction)
    return named_as(reduced(losses, reduction), "HuberLossBackward0")


@in_float32
def kl_div(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """target · (ln target − x), for log-probabilities x; "batchmean" divides by the first size.

    With `log_target` the target holds logarithms too. "mean" divides by the number of elements,
    which is not the divergence's mean, and warns.

    Kullback and Leibler, "On information and sufficiency" (1951).
    """
    per_batch = reduction == "batchmean" and size_average is None and reduce is None
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
            stacklevel=2,
        )
    reduction = read_reduction("sum" if per_batch else reduction, size_average, reduce)
    if not (input.is_floating_point() and target.is_floating_point()):
        raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = xlogy(target, target) - target * input
    total = reduced(losses, reduction)
    return total / input.size(0) if per_batch and input.dim() else total


@primitive
def _binary_cross_entropy(input: Array, target: Array) -> Any:
    """−(t · ln x + (1 − t) · ln(1 − x)): no logarithm below −100"""
    check_floating("binary_cross_entropy", input)
    if not np.all((input >= 0) & (input <= 1)):
        raise RuntimeError("all elements of input should be between 0 and 1")
    complement = np.maximum(np.log1p(-input), -100)
    return (target - 1) * complement - target * np.maximum(np.log(input), -100)


_EPSILON = 1e-12
"""How near to 0 PyTorch lets x · (1 − x) come where something is divided by it."""


def _held(product: Any) -> Any:
    return where(product < _EPSILON, _EPSILON, product)


@primitive
def _binary_cross_entropy_backward(grad: Array, input: Array, target: Array) -> Any:
    """g · (x − t) / (x · (1 − x))"""
    return grad * (input - target) / np.maximum((1 - input) * input, _EPSILON)


_binary_cross_entropy_backward.derivatives(
    grad=lambda g, input, target: (
        g * (input - target) / ((input + _EPSILON) * (1 - input + _EPSILON))
    ),
    input=lambda g, grad, input, target: (
        g * grad * (input * input - 2 * input * target + target)
        / ((input + _EPSILON) ** 2 * (1 - input + _EPSILON) ** 2)
    ),
    target=lambda g, grad, input: -g * grad / _held(input * (1 - input)),
)  # fmt: skip

_binary_cross_entropy.derivatives(
    input=lambda g, input, target: _binary_cross_entropy_backward(g, input, target),
    target=lambda g, input: g * (log1p(-input) - log(input)),
)


@in_float32
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """−(t · ln x + (1 − t) · ln(1 − x)) for probabilities x, times `weight`, reduced.

    No logarithm counts as less than −100. Raises ValueError when sizes differ, RuntimeError for
    an input outside [0, 1].
    """
    reduction = read_reduction(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype != input.dtype:
        raise RuntimeError(
            f"Found dtype {target.dtype.legacy_name} but expected {input.dtype.legacy_name}"
        )
    losses = _binary_cross_entropy(input, target)
    losses = losses if weight is None else losses * weight
    return named_as(reduced(losses, reduction), "BinaryCrossEntropyBackward0")


@primitive
def _binary_cross_entropy_with_logits(input: Array, target: Array) -> Any:
    """(1 − t) · x − ln σ(x)"""
    check_floating("log_sigmoid_cpu", input)
    losses = np.log1p(np.exp(-np.abs(input)))
    losses -= np.minimum(input, 0)
    losses += (1 - target) * input
    return losses


_binary_cross_entropy_with_logits.derivatives(
    input=lambda g, input, target: g * (sigmoid(input) - target),
    target=lambda g, input: -(g * input),
)


@in_float32
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """−(t · ln σ(x) + (1 − t) · ln(1 − σ(x))) for scores x, without overflow, reduced.

    `weight` multiplies the loss, `pos_weight` its part for positive targets. Raises ValueError
    when sizes differ.

    >>> F = torch.nn.functional
    >>> F.binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    if pos_weight is None and input._array.dtype is target._array.dtype:
        losses = call_binary(_binary_cross_entropy_with_logits, input, target)
    else:
        positive = 1 if pos_weight is None else (pos_weight - 1) * target + 1
        likelihood = logsigmoid(input)
        _check_cast(dtypes.result_type(input, target), target.dtype)
        losses = cast_to((1 - target) * input - positive * likelihood, target.dtype)
    losses = losses if weight is None else losses * weight
    return named_as(reduced(losses, reduction), "BinaryCrossEntropyWithLogitsBackward0")


# Negative log likelihoods


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """(ln var + (x − t)² / var) / 2, var at least `eps`; `full` adds ln(2π) / 2.

    `var` is a number or a tensor of the input's shape, or without its last dimension, or with
    one size of 1. Raises ValueError for negative or misshapen variances.

    Nix and Weigend, "Estimating the mean and variance of the target probability distribution"
    (1994).
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * ones_like(input)
    else:
        note_untraceable()
        if (var._array < 0).any():
            raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.dim() != var.dim() or not _one_size_of_1(input.shape, var.shape):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    losses = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


def _one_size_of_1(wanted: Any, given: Any) -> bool:
    return bool(sum(n for size, n in zip(wanted, given, strict=True) if size != n) == 1)


@in_float32
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: Flag = None, eps: float = 1e-8, reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """eˣ − t · x for the logarithm x of a rate, or x − t · ln(x + eps) for the rate itself.

    `full` adds Stirling's approximation of ln t! where t > 1.
    """
    reduction = read_reduction(reduction, size_average, reduce)
    if log_input:
        losses = input.exp() - target * input
    else:
        losses = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduced(losses, reduction)


# Classification


@in_float32
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Flag = None,
    ignore_index: int = -100, reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The negative log likelihood: −input[i, target[i]], weighted by class, over the batch.

    `input` holds log-probabilities, (n, classes) or (n, classes, d₁, …) or (classes); `target`
    int64 class indices of the same shape without the classes. Entries equal to `ignore_index`
    count nothing. The mean divides by the sum of the weights. Raises IndexError for a target
    out of bounds and ValueError for batches of different size.

    >>> torch.nn.functional.nll_loss(torch.tensor([[-0.5, -1.0]]), torch.tensor([1]))
    tensor(1.)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    check_tensors("nll_loss_nd", input=input, target=target)
    return _negative_log_likelihood(input, target, weight, ignore_index, reduction)


def _check_target(x: Array, target: Tensor) -> None:
    labels = target._array
    batch = labels.shape[0] if labels.ndim else 0
    if x.shape[0] != batch:
        raise ValueError(
            f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({batch})."
        )
    if x.shape[:1] + x.shape[2:] != labels.shape:
        if x.ndim == 2:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        raise RuntimeError(
            f"Expected target size {list(x.shape[:1] + x.shape[2:])}, got {list(labels.shape)}"
        )
    if labels.dtype not in (np.int64, np.uint8):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.legacy_name}"
        )
    if x.ndim > 2 and labels.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.legacy_name}")


def _check_class_weight(x: Array, weight: Tensor | None) -> None:
    if weight is None:
        return
    check_constant("nll_loss_forward", weight=weight)
    if weight._array.shape != x.shape[1:2]:
        raise RuntimeError(
            f"weight tensor should be defined either for all {x.shape[1]} classes or no classes "
            f"but got weight tensor of shape: {list(weight._array.shape)}"
        )
    if weight._array.dtype != x.dtype:
        names = [
            dtypes.from_numpy_dtype(kind).legacy_name for kind in (x.dtype, weight._array.dtype)
        ]
        raise RuntimeError(f"expected scalar type {names[0]} but found {names[1]}")


def _negative_log_likelihood(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> Tensor:
    """`nll_loss` of tensors, its record under PyTorch's name for this number of dimensions."""
    x, labels = input._array, target._array
    attributes: dict[str, Any] = {
        "weight": None,
        "ignore_index": ignore_index,
        "reduction": reduction,
    }
    usual = x.ndim == 2 and x.dtype.kind in dtypes.FLOATS and labels.shape == x.shape[:1]
    if usual and weight is None and labels.dtype is _INT64:
        return call_binary(_nll_loss, input, target, attributes)
    if x.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if x.ndim == 1:
        if labels.size != 1:
            raise ValueError(
                f"For 1D input, 1D target must have size 1, but got target size: {labels.size}"
            )
        alone = reshape(input, 1, -1), reshape(target, 1)
        loss = reshape(_negative_log_likelihood(*alone, weight, ignore_index, reduction), ())
        return named_as(loss, "NllLossBackward0")
    if x.dtype.kind not in dtypes.FLOATS:
        raise not_implemented("nll_loss_out_frame", x.dtype)
    if x.ndim not in (2, 4) and not x.size and labels.size:
        raise RuntimeError(
            f"size mismatch (got input: {list(x.shape)}, target: {list(labels.shape)})"
        )
    _check_target(x, target)
    _check_class_weight(x, weight)
    classes = cast_to(target, dtypes.int64)
    attributes["weight"] = None if weight is None else weight._array
    if x.ndim == 2:
        return call_binary(_nll_loss, input, classes, attributes)
    rows = reshape(permute(input, (0, *range(2, x.ndim), 1)), labels.size, x.shape[1])
    loss = call_binary(_nll_loss, rows, reshape(classes, -1), attributes)
    if reduction == "none":
        loss = reshape(loss, labels.shape)
    named = x.ndim == 4 or reduction != "none"
    return named_as(loss, "NllLoss2DBackward0") if named else loss


@in_float32
def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Flag = None,
    ignore_index: int = -100, reduce: Flag = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """`nll_loss` of `log_softmax`: the loss of a classifier that gives unnormalised scores.

    `input` is (n, classes), (n, classes, d₁, …) or (classes); `target` int64 class indices, or
    probabilities in the shape of `input`. `label_smoothing` takes that share of each target and
    gives it to all classes alike. Raises RuntimeError for a share outside [0, 1], and what
    `nll_loss` raises.

    Label smoothing: Szegedy et al., "Rethinking the Inception architecture" (2016).

    >>> torch.nn.functional.cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    in_order = isinstance(input, Tensor) and isinstance(target, Tensor)
    if not in_order:
        check_tensors("cross_entropy_loss", input=input, target=target)
    x = input._array
    classes_dim = 0 if x.ndim == 1 else 1
    alike = target._array.shape == x.shape
    if not label_smoothing and not alike:
        usual = x.ndim > 1 and x.dtype.kind in dtypes.FLOATS
        scores = (
            call_unary(_log_softmax, input, {"dim": 1})
            if usual
            else log_softmax(input, classes_dim)
        )
        return _negative_log_likelihood(scores, target, weight, ignore_index, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if alike:
        _check_probabilities(input, target, weight, classes_dim, ignore_index)
    scores = log_softmax(input, classes_dim)
    if alike:
        return _of_probabilities(scores, target, weight, classes_dim, reduction, label_smoothing)
    return _smoothed(scores, target, weight, classes_dim, ignore_index, reduction, label_smoothing)


def _by_class(scores: Tensor, weight: Tensor | None, dim: int) -> Tensor:
    """The scores, each times its class's weight."""
    if weight is None:
        return scores
    return scores * weight.reshape(-1, *[1] * (scores.dim() - dim - 1))


def _check_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, dim: int, ignore_index: int
) -> None:
    if not target.is_floating_point():
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{target.dtype.legacy_name}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    classes = input.size(dim)
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {classes} classes or "
            f"no classes but got weight tensor of shape: {list(weight.shape)}"
        )


def _of_probabilities(
    scores: Tensor, target: Tensor, weight: Tensor | None, dim: int, reduction: str,
    smoothing: float,
) -> Tensor:  # fmt: skip
    """−Σ target · scores over the classes."""
    classes = scores.size(dim)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / max(classes, 1)
    products = _by_class(scores * target, weight, dim)
    if reduction == "none":
        return -products.sum(dim)
    total = -products.sum()
    if reduction == "sum":
        return total
    return named_as(total / (scores.numel() // max(classes, 1)), "DivBackward1")


def _smoothed(
    scores: Tensor, target: Tensor, weight: Tensor | None, dim: int, ignore_index: int,
    reduction: str, smoothing: float,
) -> Tensor:  # fmt: skip
    """(1 − smoothing) · nll_loss + smoothing · the mean loss of all classes."""
    exact = _negative_log_likelihood(scores, target, weight, ignore_index, reduction)
    ignored = target == ignore_index
    even = -_by_class(scores, weight, dim).sum(dim).masked_fill(ignored, 0.0)
    if reduction == "mean":
        counted = (~ignored).to(scores.dtype)
        if weight is not None:
            counted = counted * weight[target.masked_fill(ignored, 0).long()]
        even = even.sum() / counted.sum()
    else:
        even = reduced(even, reduction)
    return exact * (1 - smoothing) + even * (smoothing / scores.size(dim))
