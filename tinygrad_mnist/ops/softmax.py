"""softmax and log_softmax, the primitives of the negative log likelihood, and relu."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import not_implemented, operation, read_dim
from .casting import cast_to, zeros
from .elementwise import exp
from .reductions import _sum
from .second_derivatives import constant_in


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
    if dim == input.ndim - 1:
        return kernels.softmax_rows(input)
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
    """g − e^out · Σ g"""
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
    input=lambda g, input, target, weight, ignore_index, reduction, shape: _nll_loss_backward(
        constant_in(g, input),
        target,
        shape=shape,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
    )
)
_nll_loss_backward.derivatives(
    grad=lambda g, target, weight, ignore_index, reduction: _nll_loss(
        g, target, weight=weight, ignore_index=ignore_index, reduction=reduction
    )
)


def _floating(name: str, input: Tensor, dim: Any, dtype: dtypes.dtype | None) -> tuple[Tensor, int]:
    """The input in a floating-point type, and the dimension; PyTorch's errors otherwise."""
    if dtype is None and dim.__class__ is int and input._array.dtype.kind == "f":
        return input, read_dim(dim, input._array.ndim)
    x = input if dtype is None else cast_to(input, dtype)
    if not isinstance(dim, int):
        raise TypeError(
            f"{name}(): argument 'dim' (position 2) must be int, not {type(dim).__name__}"
        )
    axis = read_dim(dim, x._array.ndim)
    if x._array.dtype.kind not in dtypes.FLOATS and x._array.size:
        raise not_implemented(f"{name}_lastdim_kernel_impl", x._array.dtype)
    return x, axis


@operation
def softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """eˣ / Σ eˣ along `dim`: positive numbers that sum to 1.

    >>> torch.softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x, axis = _floating("softmax", input, dim, dtype)
    return call_unary(_softmax, x, {"dim": axis})


@operation
def log_softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """x − ln Σ eˣ along `dim`, the logarithm of `softmax` without overflow.

    >>> torch.log_softmax(torch.tensor([0.0, 1e4]), dim=0)
    tensor([-10000.,      0.])
    """
    x, axis = _floating("log_softmax", input, dim, dtype)
    return call_unary(_log_softmax, x, {"dim": axis})


# relu


@primitive
def relu(input: Array) -> Any:
    """max(x, 0)"""
    if input.dtype == bool:
        raise RuntimeError("Boolean inputs not supported for relu")
    return kernels.relu(input)


@primitive
def threshold_backward(grad: Array, out: Array) -> Any:
    """g where out > 0, 0 elsewhere: the gradient of relu"""
    return kernels.relu_backward(grad, out)


relu.derivatives(input=lambda g, out: threshold_backward(g, out))
threshold_backward.derivatives(
    grad=lambda g, out: threshold_backward(g, out), out=lambda g: zeros(g)
)
