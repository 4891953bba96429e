"""Operations that bring many numbers down to few, along the dimensions named by `dim`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, read_dims, torch_arguments
from .casting import cast_to
from .exponential import exp

__all__ = [
    "all",
    "any",
    "count_nonzero",
    "logsumexp",
    "mean",
    "nansum",
    "sum",
]

Dims = tuple[int, ...]

_add: Any = np.add.reduce
_NARROW = 64
_BLOCK = 256


def _total(x: Array, dim: Dims, keepdim: bool) -> Any:
    """Σ x. The kernels add up narrow matrices and the channels of images, NumPy the rest.

    NumPy adds rows one after the other: many rows are added up in blocks, so that rounding grows
    with the logarithm of their number.
    """
    kind = np.int64 if x.dtype.kind == "b" else x.dtype
    if len(dim) == x.ndim:
        return _add(x, axis=None, keepdims=keepdim, dtype=kind)
    if x.dtype.kind == "f":
        if x.ndim == 4 and dim == (0, 2, 3):
            total = kernels.sum_channels(x)
            return np.expand_dims(total, dim) if keepdim else total
        for d in dim:
            while x.shape[d] > 2 * _BLOCK and x.strides[d] != x.itemsize:
                x = np.add.reduceat(x, np.arange(0, x.shape[d], _BLOCK), axis=d)
        if x.ndim == 2 and len(dim) == 1 and x.shape[1] <= _NARROW:
            total = kernels.sum_columns(x) if dim[0] else kernels.sum_rows(x)
            return np.expand_dims(total, dim) if keepdim else total
    return _add(x, axis=dim, keepdims=keepdim, dtype=kind)


@primitive(reduces=True, grad_fn="SumBackward1")
def _sum(input: Array, *, dim: Dims, keepdim: bool) -> Any:
    """Σ x"""
    return _total(input, dim, keepdim)


@primitive(reduces=True, grad_fn="MeanBackward1")
def _mean(input: Array, *, dim: Dims, keepdim: bool) -> Any:
    """Σ x / n"""
    return _total(input, dim, keepdim) / input.dtype.type(_count(input.shape, dim))


@primitive(reduces=True)
def _logsumexp(input: Array, *, dim: Dims, keepdim: bool) -> Any:
    """ln Σ eˣ"""
    peak = np.maximum.reduce(input, axis=dim, keepdims=True, initial=-np.inf)
    safe = np.where(np.isfinite(peak), peak, input.dtype.type(0))
    total = np.log(np.add.reduce(np.exp(input - safe), axis=dim, keepdims=True)) + safe
    return total if keepdim else total.reshape(_kept(input.shape, dim))


def _count(shape: tuple[int, ...], dim: Dims) -> int:
    """How many numbers each result is made of."""
    return math.prod([shape[d] for d in dim])


def _kept(shape: tuple[int, ...], dim: Dims) -> tuple[int, ...]:
    """The sizes that a reduction over `dim` leaves."""
    return tuple([size for d, size in enumerate(shape) if d not in dim])


_sum.derivatives(input=lambda g: g)
_mean.derivatives(input=lambda g, dim, shape: g / max(_count(shape, dim), 1))
_logsumexp.derivatives(input=lambda g, input, out: g * exp(input - out))


@primitive(reduces=True)
def _any(input: Array, *, dim: Dims, keepdim: bool) -> Any:
    """whether some x holds"""
    return np.any(input, axis=dim, keepdims=keepdim)


@primitive(reduces=True)
def _all(input: Array, *, dim: Dims, keepdim: bool) -> Any:
    """whether every x holds"""
    return np.all(input, axis=dim, keepdims=keepdim)


@primitive
def _count_nonzero(input: Array, *, dim: Dims) -> Any:
    """how many x are not 0"""
    return np.asarray(np.count_nonzero(input, axis=dim), np.int64)


def _check_differentiable(input: Tensor, dtype: dtypes.dtype | None) -> None:
    if dtype is not None and not dtype.is_floating_point and input.requires_grad:
        raise RuntimeError(f"Autograd not support dtype: {dtype.legacy_name}")


@torch_arguments
def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """The sum over all numbers, or over the dimensions `dim`; integers and bools sum to int64.

    Raises IndexError for a dimension that is not there.

    >>> import tinygrad_mnist as torch
    >>> torch.sum(torch.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([4, 6])
    """
    check_tensors("sum", input=input)
    _check_differentiable(input, dtype)
    if dtype is None and input._array.dtype.kind != "f":
        dtype = dtypes.int64
    x = input if dtype is None else cast_to(input, dtype)
    if dim is None:
        return named_as(_sum(x, dim=tuple(range(x._array.ndim)), keepdim=keepdim), "SumBackward0")
    return _sum(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


@torch_arguments
def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """`sum` that counts NaN as 0."""
    check_tensors("nansum", input=input)
    x = input.masked_fill(input != input, 0)
    return named_as(sum(x, dim, keepdim, dtype=dtype), "NansumBackward0")


@torch_arguments
def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """The mean over all numbers, or over the dimensions `dim`.

    Raises RuntimeError when the type is not floating point and no `dtype` is given.

    >>> import tinygrad_mnist as torch
    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 3.])
    """
    check_tensors("mean", input=input)
    _check_differentiable(input, dtype)
    x = input if dtype is None else cast_to(input, dtype)
    kind = x._array.dtype
    if kind.kind != "f":
        which = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point "
            f"or complex dtype. Got: {dtypes.from_numpy_dtype(kind).legacy_name}"
        )
    if dim is None:
        return named_as(_mean(x, dim=tuple(range(x._array.ndim)), keepdim=keepdim), "MeanBackward0")
    return _mean(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


@torch_arguments
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """ln Σ eˣ over the dimensions `dim`, without overflow.

    >>> import tinygrad_mnist as torch
    >>> torch.logsumexp(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    check_tensors("logsumexp", input=input)
    x = cast_to(input, dtypes.to_floating(input.dtype))
    return _logsumexp(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


def _truth(op: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """A test over dimensions; its result is bool, uint8 for uint8."""
    out = op(input, dim=read_dims(dim, input._array.ndim), keepdim=keepdim)
    return cast_to(out, dtypes.uint8) if input._array.dtype == np.uint8 else out


@torch_arguments
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether some number is not zero, over the dimensions `dim` (all unless given)."""
    check_tensors("any", input=input)
    return _truth(_any, input, dim, keepdim)


@torch_arguments
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether every number is not zero, over the dimensions `dim` (all unless given)."""
    check_tensors("all", input=input)
    return _truth(_all, input, dim, keepdim)


@torch_arguments
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many numbers are not zero, over the dimensions `dim` (all unless given), int64.

    >>> import tinygrad_mnist as torch
    >>> torch.count_nonzero(torch.tensor([0, 3, 0, -1]))
    tensor(2)
    """
    check_tensors("count_nonzero", input=input)
    return _count_nonzero(input, dim=read_dims(dim, input._array.ndim))
