"""softmax, log_softmax, and the losses of classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.calling import call_binary, call_unary
from tinygrad_mnist.primitive import primitive

from .arguments import not_implemented, read_dim
from .casting import cast_to, clone
from .exponential import exp
from .reductions import _sum
from .shapes import permute, reshape

__all__ = [
    "log_softmax",
    "softmax",
]

Tensor = Any


def _shifted(x: Any, dim: Any) -> Any:
    """x less its maximum, so that no exponential overflows."""
    if x.size == 0:
        return x
    return x - np.maximum.reduce(x, axis=dim, keepdims=True)


def _along(dim: Any, x: Any) -> Any:
    return dim if x.ndim else None


@primitive(grad_fn="SoftmaxBackward0")
def _softmax(input: Any, *, dim: Any) -> Any:
    """eˣ / Σ eˣ"""
    weights = np.exp(_shifted(input, _along(dim, input)))
    return weights / np.add.reduce(weights, axis=_along(dim, input), keepdims=True)


def _total(x: Any, dim: Any) -> Any:
    return _sum(x, dim=(dim,) if x.ndim else (), keepdim=True)


_softmax.derivatives(input=lambda g, out, dim: out * (g - _total(g * out, dim)))


@primitive
def _log_softmax(input: Any, *, dim: Any) -> Any:
    """x − ln Σ eˣ"""
    if input.ndim == 2 and dim == 1:
        return kernels.log_softmax(input)
    shifted = _shifted(input, _along(dim, input))
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=_along(dim, input), keepdims=True))


@primitive
def _log_softmax_backward(grad: Any, out: Any, *, dim: Any) -> Any:
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
def _nll_loss(input: Any, target: Any, *, weight: Any, ignore_index: int, reduction: str) -> Any:
    """−Σ weight[target] · x[target], divided by Σ weight[target] for the mean"""
    return kernels.nll_loss(input, target, weight, ignore_index, reduction)[0]


@primitive
def _nll_loss_backward(
    grad: Any,
    target: Any,
    *,
    shape: tuple[int, ...],
    weight: Any,
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


def _floating(input: Any, dtype: Any, name: str) -> Any:
    """`input` in the type asked for, which must be a floating one unless there is no number."""
    kind = dtypes.from_numpy_dtype(input._array.dtype) if dtype is None else dtype
    if not kind.is_floating_point and input._array.size:
        raise not_implemented(name, kind.numpy)
    return cast_to(input, kind)


def softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """eˣ / Σ eˣ along `dim`: positive numbers that sum to 1.

    >>> import tinygrad_mnist as torch
    >>> torch.softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x = _floating(input, dtype, "softmax_lastdim_kernel_impl")
    axis = read_dim(dim, x._array.ndim)
    return call_unary(_softmax, x, {"dim": axis}) if x.is_floating_point() else clone(x)


def log_softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """x − ln Σ eˣ along `dim`, the logarithm of `softmax` without overflow.

    >>> import tinygrad_mnist as torch
    >>> torch.log_softmax(torch.tensor([0.0, 1e4]), dim=0)
    tensor([-10000.,      0.])
    """
    x = _floating(input, dtype, "log_softmax_lastdim_kernel_impl")
    axis = read_dim(dim, x._array.ndim)
    return call_unary(_log_softmax, x, {"dim": axis}) if x.is_floating_point() else clone(x)


def _check_target(x: Any, target: Any) -> Any:
    if target._array.dtype != np.int64:
        raise RuntimeError(
            f"expected scalar type Long but found {target.dtype.legacy_name}"
            if target._array.dtype.kind != "f"
            else f'"nll_loss_forward_reduce_cuda_kernel_2d_index" not implemented for '
            f"'{target.dtype.legacy_name}'"
        )
    if x.shape[:1] + x.shape[2:] != target._array.shape:
        if x.shape[0] != (target._array.shape or (0,))[0]:
            raise ValueError(
                f"Expected input batch_size ({x.shape[0]}) to match target batch_size "
                f"({(target._array.shape or (0,))[0]})."
            )
        raise RuntimeError(
            f"Expected target size {list(x.shape[:1] + x.shape[2:])}, "
            f"got {list(target._array.shape)}"
        )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
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
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    x = input
    if x._array.ndim == 1:
        loss = nll_loss(
            reshape(x, 1, -1), reshape(target, 1), weight, None, ignore_index, None, reduction
        )
        return reshape(loss, ()) if reduction == "none" else loss
    _check_target(x._array, target)
    labels, classes = target._array, x._array.shape[1]
    if weight is not None and weight._array.shape != (classes,):
        raise RuntimeError(
            "weight tensor should be defined either for all or no classes, got "
            f"{list(weight._array.shape)} for {classes} classes"
        )
    if x._array.ndim > 2:
        order = (0, *range(2, x._array.ndim), 1)
        x = reshape(permute(x, order), -1, classes) if x._array.size else reshape(x, 0, classes)
    attributes = {
        "weight": None if weight is None else weight._array,
        "ignore_index": ignore_index,
        "reduction": reduction,
    }
    loss = call_binary(_nll_loss, x, reshape(target, -1) if labels.ndim > 1 else target, attributes)
    return reshape(loss, labels.shape) if reduction == "none" and labels.ndim > 1 else loss


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of `log_softmax`: the loss of a classifier that gives unnormalised scores.

    `input` is (n, classes), (n, classes, d₁, …) or (classes); `target` int64 class indices.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """
    if target._array.dtype.kind == "f":
        raise NotImplementedError(
            "cross_entropy with class probabilities is not supported: "
            "write -(target * log_softmax(input, 1)).sum(1).mean()"
        )
    if label_smoothing:
        raise NotImplementedError("cross_entropy(label_smoothing=) is not supported")
    scores = log_softmax(input, 0 if input._array.ndim == 1 else 1)
    return nll_loss(scores, target, weight, None, ignore_index, None, reduction)
