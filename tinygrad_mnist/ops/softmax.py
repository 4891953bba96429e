"""softmax, log_softmax, and the losses of classification built on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.calling import call_binary, call_unary
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array, label

from .arguments import check_tensors, not_implemented, read_dim
from .casting import cast_to
from .choosing import masked_fill
from .exponential import exp
from .reduction import read_reduction, reduced
from .reductions import _sum
from .shapes import permute, reshape

__all__ = [
    "log_softmax",
    "softmax",
]

Tensor = Any


def _shifted(x: Array, dim: int) -> Array:
    """x less its maximum, so that no exponential overflows."""
    return x - np.maximum.reduce(x, axis=dim, keepdims=True)


def _along(dim: int, x: Array) -> Any:
    """The axis for NumPy: a 0-d array has none."""
    return dim if x.ndim else None


@primitive(grad_fn="SoftmaxBackward0")
def _softmax(input: Array, *, dim: int) -> Any:
    """eˣ / Σ eˣ"""
    if input.size == 0:
        return input.copy()
    weights = np.exp(_shifted(input, _along(dim, input)))
    return weights / np.add.reduce(weights, axis=_along(dim, input), keepdims=True)


def _total(x: Any, dim: int) -> Any:
    return _sum(x, dim=(dim,) if x.ndim else (), keepdim=True)


_softmax.derivatives(input=lambda g, out, dim: out * (g - _total(g * out, dim)))


@primitive
def _log_softmax(input: Array, *, dim: int) -> Any:
    """x − ln Σ eˣ"""
    if input.size == 0:
        return input.copy()
    if input.ndim == 2 and dim == 1:
        return kernels.log_softmax(input)
    shifted = _shifted(input, _along(dim, input))
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=_along(dim, input), keepdims=True))


@primitive
def _log_softmax_backward(grad: Array, out: Array, *, dim: int) -> Any:
    """g − softmax(x) · Σ g"""
    if grad.ndim == 2 and dim == 1:
        return kernels.log_softmax_backward(grad, out)
    return grad - np.exp(out) * np.add.reduce(grad, axis=_along(dim, grad), keepdims=True)


_log_softmax.derivatives(input=lambda g, out, dim: _log_softmax_backward(g, out, dim=dim))
_log_softmax_backward.derivatives(
    grad=lambda g, out, dim: g - _total(g * exp(out), dim),
    out=lambda g, grad, out, dim: -g * exp(out) * _total(grad, dim),
)


@primitive
def _nll_loss(
    input: Array, target: Array, *, weight: Array | None, ignore_index: int, reduction: str
) -> Any:
    """−Σ weight[target] · x[target], divided by Σ weight[target] for the mean"""
    return kernels.nll_loss(input, target, weight, ignore_index, reduction)[0]


@primitive
def _nll_loss_backward(
    grad: Array,
    target: Array,
    *,
    shape: tuple[int, ...],
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Any:
    """−g · weight at each target, 0 elsewhere"""
    return kernels.nll_loss_backward(grad, target, shape[1], weight, ignore_index, reduction)


_nll_loss.derivatives(
    input=lambda g, target, weight, ignore_index, reduction, shape: _nll_loss_backward(
        g, target, shape=shape, weight=weight, ignore_index=ignore_index, reduction=reduction
    )
)
_nll_loss_backward.derivatives(
    grad=lambda g, target, weight, ignore_index, reduction: _nll_loss(
        g, target, weight=weight, ignore_index=ignore_index, reduction=reduction
    )
)


def _floating(name: str, input: Tensor, dim: Any, dtype: dtypes.dtype | None) -> tuple[Tensor, int]:
    """The input in a floating-point type, and the dimension; PyTorch's errors otherwise."""
    check_tensors(name, input=input)
    x = input if dtype is None else cast_to(input, dtype)
    if not isinstance(dim, int):
        raise TypeError(
            f"{name}(): argument 'dim' (position 2) must be int, not {type(dim).__name__}"
        )
    axis = read_dim(dim, x._array.ndim)
    if x._array.dtype.kind != "f" and x._array.size:
        raise not_implemented(f"{name}_lastdim_kernel_impl", x._array.dtype)
    return x, axis


def softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """eˣ / Σ eˣ along `dim`: positive numbers that sum to 1.

    >>> import tinygrad_mnist as torch
    >>> torch.softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x, axis = _floating("softmax", input, dim, dtype)
    return call_unary(_softmax, x, {"dim": axis})


def log_softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """x − ln Σ eˣ along `dim`, the logarithm of `softmax` without overflow.

    >>> import tinygrad_mnist as torch
    >>> torch.log_softmax(torch.tensor([0.0, 1e4]), dim=0)
    tensor([-10000.,      0.])
    """
    x, axis = _floating("log_softmax", input, dim, dtype)
    return call_unary(_log_softmax, x, {"dim": axis})


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


def _check_weight(x: Array, weight: Tensor | None) -> None:
    if weight is None:
        return
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


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood: −input[i, target[i]], weighted by class, over the batch.

    `input` holds log-probabilities, (n, classes) or (n, classes, d₁, …) or (classes); `target`
    int64 class indices of the same shape without the classes. Entries equal to `ignore_index`
    count nothing. The mean divides by the sum of the weights. Raises IndexError for a target
    out of bounds and ValueError for batches of different size.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.nll_loss(torch.tensor([[-0.5, -1.0]]), torch.tensor([1]))
    tensor(1.)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    check_tensors("nll_loss_nd", input=input, target=target)
    x, labels = input._array, target._array
    if x.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if x.ndim == 1:
        if labels.size != 1:
            raise ValueError(
                f"For 1D input, 1D target must have size 1, but got target size: {labels.size}"
            )
        alone = reshape(input, 1, -1), reshape(target, 1)
        loss = nll_loss(*alone, weight, None, ignore_index, None, reduction)
        return label(reshape(loss, ()), "NllLossBackward0")
    if x.dtype.kind != "f":
        raise not_implemented("nll_loss_out_frame", x.dtype)
    _check_target(x, target)
    _check_weight(x, weight)
    if x.ndim > 2:
        order = (0, *range(2, x.ndim), 1)
        input = reshape(permute(input, order), labels.size, x.shape[1])
    attributes = {
        "weight": None if weight is None else weight._array,
        "ignore_index": ignore_index,
        "reduction": reduction,
    }
    classes = cast_to(target, dtypes.int64)
    classes = reshape(classes, -1) if labels.ndim > 1 else classes
    loss = call_binary(_nll_loss, input, classes, attributes)
    if x.ndim == 2:
        return loss
    name = "NllLoss2DBackward0" if x.ndim == 4 or reduction != "none" else "ViewBackward0"
    return label(reshape(loss, labels.shape) if reduction == "none" else loss, name)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of `log_softmax`: the loss of a classifier that gives unnormalised scores.

    `input` is (n, classes), (n, classes, d₁, …) or (classes). `target` holds int64 class indices,
    or, in the shape of `input`, probabilities of the classes. `label_smoothing` moves that part of
    the target to all classes alike (Szegedy et al., "Rethinking the Inception architecture for
    computer vision", 2016). Raises what `nll_loss` raises.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    check_tensors("cross_entropy_loss", input=input, target=target)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    class_dim = 0 if input._array.ndim == 1 else 1
    if input._array.shape == target._array.shape:
        if target._array.dtype.kind != "f":
            raise RuntimeError(
                "Expected floating point type for target with class probabilities, got "
                f"{target.dtype.legacy_name}"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        scores = log_softmax(input, class_dim)
        return _of_probabilities(scores, target, weight, reduction, label_smoothing)
    scores = log_softmax(input, class_dim)
    loss = nll_loss(scores, target, weight, None, ignore_index, None, reduction)
    if not label_smoothing:
        return loss
    spread = _spread_evenly(scores, target, weight, ignore_index, reduction)
    classes = input._array.shape[class_dim]
    return loss * (1 - label_smoothing) + spread * (label_smoothing / classes)


def _for_each_class(weight: Tensor, ndim: int) -> Tensor:
    """A weight for each class, shaped to multiply scores of `ndim` dimensions."""
    return reshape(weight, 1, -1, *[1] * (ndim - 2)) if ndim > 1 else weight


def _of_probabilities(
    scores: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    """The cross entropy of target probabilities and log-probabilities."""
    ndim = scores._array.ndim
    class_dim = 0 if ndim == 1 else 1
    classes = scores._array.shape[class_dim]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    products = scores * target
    if weight is not None:
        products = products * _for_each_class(weight, ndim)
    losses = -products.sum(class_dim)
    if reduction == "mean":
        return losses.sum() / (scores._array.size // max(classes, 1))
    return reduced(losses, reduction)


def _spread_evenly(
    scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> Tensor:
    """The loss of a target that lies on all classes alike, reduced as `nll_loss` is."""
    ndim = scores._array.ndim
    weighted = scores if weight is None else scores * _for_each_class(weight, ndim)
    losses = -weighted.sum(0 if ndim == 1 else 1)
    ignored = target == ignore_index
    losses = masked_fill(losses, reshape(ignored, losses.shape), 0)
    if reduction == "mean":
        labels = target._array[target._array != ignore_index]
        return losses.sum() / (len(labels) if weight is None else weight[labels].sum())
    return reduced(losses, reduction)
