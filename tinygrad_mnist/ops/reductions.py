"""Sums, means, tests, extremes and variances: many numbers become few, along dimensions `dim`."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.outputs import joined_as
from tinygrad_mnist.engine.primitive import Primitive, primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Dims, DType
from tinygrad_mnist.kernels.reductions import total

from .arguments import (
    MinAndMax,
    ValuesAndIndices,
    min_and_max,
    named_result,
    not_implemented,
    operation,
    read_dim,
    read_dims,
)
from .casting import cast_to, clone, zeros
from .conditional import where
from .elementwise import elementwise, exp, maximum, minimum
from .shapes import _reshape

Axes = tuple[int, ...]
_max_of: Any = np.maximum.reduce
_min_of: Any = np.minimum.reduce


@primitive(reduces=True, grad_fn="SumBackward1")
def _sum(input: Array, *, dim: Axes, keepdim: bool) -> Any:
    """Σ x"""
    return total(input, dim, keepdim)


@primitive(reduces=True, grad_fn="MeanBackward1")
def _mean(input: Array, *, dim: Axes, keepdim: bool) -> Any:
    """Σ x / n"""
    return total(input, dim, keepdim) / input.dtype.type(_count(input.shape, dim))


@primitive(reduces=True)
def _logsumexp(input: Array, *, dim: Axes, keepdim: bool) -> Any:
    """ln Σ eˣ"""
    peak = np.maximum.reduce(input, axis=dim, keepdims=True, initial=-np.inf)
    safe = np.where(np.isfinite(peak), peak, input.dtype.type(0))
    total = np.log(np.add.reduce(np.exp(input - safe), axis=dim, keepdims=True)) + safe
    return total if keepdim else total.reshape(_kept(input.shape, dim))


def _count(shape: tuple[int, ...], dim: Axes) -> int:
    """How many numbers each result is made of."""
    return math.prod([shape[d] for d in dim])


def _n(shape: tuple[int, ...], dim: Axes) -> int:
    """How many numbers each result is made of, 1 at least."""
    count = 1
    for d in dim:
        count *= shape[d]
    return count or 1


def _kept(shape: tuple[int, ...], dim: Axes) -> tuple[int, ...]:
    """The sizes that a reduction over `dim` leaves."""
    return tuple([size for d, size in enumerate(shape) if d not in dim])


_sum.derivatives(input=lambda g: g)
_mean.derivatives(input=lambda g, dim, shape: g / _n(shape, dim))
_logsumexp.derivatives(input=lambda g, input, out: g * exp(input - out))


def _reduction(name: str, says: str, of: Callable[..., Any], reduces: bool = True) -> Primitive:
    """A primitive of a reduction of NumPy's that needs no care."""

    def body(input: Array, *, dim: Axes | int | None, keepdim: bool) -> Any:
        return of(input, axis=dim, keepdims=keepdim)

    body.__name__, body.__doc__ = name, says
    return Primitive(body, reduces=reduces)


_any = _reduction("any", "whether some x holds", np.logical_or.reduce)
_all = _reduction("all", "whether every x holds", np.logical_and.reduce)


@primitive
def _count_nonzero(input: Array, *, dim: Axes) -> Any:
    """how many x are not 0"""
    return np.asarray(np.count_nonzero(input, axis=dim), np.int64)


def _check_differentiable(input: Tensor, dtype: DType) -> None:
    if dtype is not None and not dtype.is_floating_point and input.requires_grad:
        raise RuntimeError(f"Autograd not support dtype: {dtype.legacy_name}")


@operation
def sum(
    input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """The sum over all numbers, or over the dimensions `dim`; integers and bools sum to int64.

    Raises IndexError for a dimension that is not there.

    >>> torch.sum(torch.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([4, 6])
    """
    if dtype is not None:
        _check_differentiable(input, dtype)
    elif input._array.dtype.kind not in dtypes.FLOATS:
        dtype = dtypes.int64
    x = input if dtype is None else cast_to(input, dtype)
    dims = read_dims(dim, x._array.ndim)
    out = call_unary(_sum, x, {"dim": dims, "keepdim": keepdim})
    return named_as(out, "SumBackward0") if dim is None else out


@operation
def nansum(
    input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """`sum` that counts NaN as 0."""
    if dtype is not None and input.is_floating_point() and not dtype.is_floating_point:
        raise not_implemented("nansum_cpu", dtype.numpy)
    x = input.masked_fill(input != input, 0)
    return named_as(sum(x, dim, keepdim, dtype=dtype), "NansumBackward0")


@operation
def mean(
    input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """The mean over all numbers, or over the dimensions `dim`.

    Raises RuntimeError when the type is not floating point and no `dtype` is given.

    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 3.])
    """
    _check_differentiable(input, dtype)
    x = input if dtype is None else cast_to(input, dtype)
    kind = x._array.dtype
    if kind.kind not in dtypes.FLOATS:
        which = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point "
            f"or complex dtype. Got: {dtypes.from_numpy_dtype(kind).legacy_name}"
        )
    dims = read_dims(dim, x._array.ndim)
    out = call_unary(_mean, x, {"dim": dims, "keepdim": keepdim})
    return named_as(out, "MeanBackward0") if dim is None else out


@operation
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """ln Σ eˣ over the dimensions `dim`, without overflow.

    >>> torch.logsumexp(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    x = cast_to(input, dtypes.to_floating(input.dtype))
    return _logsumexp(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


def _truth(op: Any, input: Tensor, dim: Dims | None, keepdim: bool) -> Tensor:
    """A test over dimensions; its result is bool, uint8 for uint8."""
    out = call_unary(op, input, {"dim": read_dims(dim, input._array.ndim), "keepdim": keepdim})
    return cast_to(out, dtypes.uint8) if input._array.dtype == np.uint8 else out


@operation
def any(input: Tensor, dim: Dims | None = None, keepdim: bool = False) -> Tensor:
    """Whether some number is not zero, over the dimensions `dim` (all unless given)."""
    return _truth(_any, input, dim, keepdim)


@operation
def all(input: Tensor, dim: Dims | None = None, keepdim: bool = False) -> Tensor:
    """Whether every number is not zero, over the dimensions `dim` (all unless given)."""
    return _truth(_all, input, dim, keepdim)


@operation
def count_nonzero(input: Tensor, dim: Dims | None = None) -> Tensor:
    """How many numbers are not zero, over the dimensions `dim` (all unless given), int64.

    >>> torch.count_nonzero(torch.tensor([0, 3, 0, -1]))
    tensor(2)
    """
    return _count_nonzero(input, dim=read_dims(dim, input._array.ndim))


# The largest and the smallest numbers, and where they are


@primitive(reduces=True, grad_fn="AmaxBackward0 MaxBackward1")
def _amax(input: Array, *, dim: Axes, keepdim: bool, nan_is_place: bool) -> Any:
    """max x"""
    return _max_of(input, axis=None if len(dim) == input.ndim else dim, keepdims=keepdim)


@primitive(reduces=True, grad_fn="AminBackward0 MinBackward1")
def _amin(input: Array, *, dim: Axes, keepdim: bool, nan_is_place: bool) -> Any:
    """min x"""
    return _min_of(input, axis=None if len(dim) == input.ndim else dim, keepdims=keepdim)


def _shared_among_ties(g: Any, input: Any, out: Any, dim: Axes, nan_is_place: bool) -> Any:
    """g, divided among all the elements that hold the extreme.

    An extreme that is NaN is found where NaN is for PyTorch's `max`, nowhere for its `amax`.
    """
    ties = input == out
    if nan_is_place:
        ties = ties | ((input != input) & (out != out))
    return where(ties, g, 0.0) / _sum(where(ties, 1.0, 0.0), dim=dim, keepdim=True)


_amax.derivatives(input=_shared_among_ties)
_amin.derivatives(input=_shared_among_ties)


_argmax = _reduction("argmax", "the index of max x", np.ndarray.argmax, reduces=False)
_argmin = _reduction("argmin", "the index of min x", np.ndarray.argmin, reduces=False)
_EXTREMES = {
    "max": (maximum, _amax, _argmax, "MaxBackward0", "MaxBackward1"),
    "min": (minimum, _amin, _argmin, "MinBackward0", "MinBackward1"),
}
"""Between two tensors, over dimensions, and where; and PyTorch's names of the last two."""


def check_not_empty(name: str, input: Tensor, dim: tuple[int, ...] | None) -> None:
    """Raise PyTorch's error where there is nothing to choose from; `dim` is None for all."""
    shape = input._array.shape
    if dim is None and 0 in shape:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for d in dim or ():
        if shape and shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def _extreme_over(name: str, op: Primitive, input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    dims = read_dims(dim, input._array.ndim)
    check_not_empty(name, input, dims if isinstance(dim, int) or dim else None)
    return call_unary(op, input, {"dim": dims, "keepdim": keepdim, "nan_is_place": False})


@operation
def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The largest number over the dimensions `dim` (all unless given); ties share the gradient.

    Raises IndexError where there is nothing to choose from.
    """
    return _extreme_over("amax", _amax, input, dim, keepdim)


@operation
def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The smallest number over the dimensions `dim` (all unless given); ties share the gradient.

    Raises IndexError where there is nothing to choose from.
    """
    return _extreme_over("amin", _amin, input, dim, keepdim)


@operation
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinAndMax:
    """The smallest and the largest number, over all or along `dim`, as a pair (min, max)."""
    dims = () if dim is None else dim
    low, high = amin(input, dims, keepdim), amax(input, dims, keepdim)
    joined_as((low, high), "AminmaxBackward0")
    return min_and_max(low, high)


@functools.cache
def _gather() -> Any:
    """The file of `gather`, loaded when first needed."""
    from . import gather_scatter

    return gather_scatter


def values_at(
    name: str, input: Tensor, axis: int, indices: Tensor, keepdim: bool, grad_fn: str
) -> ValuesAndIndices:
    """The numbers at `indices`, one along `axis`, as the pair that the operation `name` returns."""
    values = _gather().taken_along(input, axis, indices)
    if not keepdim and input._array.ndim:
        shape = indices._array.shape
        left = {"shape": (*shape[:axis], *shape[axis + 1 :])}
        values, indices = (call_unary(_reshape, each, left) for each in (values, indices))
    return named_result(name, named_as(values, grad_fn), indices)


def _extreme(
    name: str, input: Tensor, dim: int | Tensor | None, keepdim: bool, other: Tensor | None
) -> Tensor | ValuesAndIndices:
    between, over, index, of_one, of_all = _EXTREMES[name]
    ndim = input._array.ndim
    if dim is None and other is None:
        if not input._array.size:
            check_not_empty(name, input, None)
        dims = read_dims(None, ndim)
        out = call_unary(over, input, {"dim": dims, "keepdim": False, "nan_is_place": True})
        return named_as(out, of_all)
    if isinstance(dim, Tensor) or other is not None:
        chosen: Tensor = between(input, dim if other is None else other)
        return chosen
    axis = read_dim(dim, ndim)
    check_not_empty(name, input, (axis,))
    if ndim == 0:
        indices = zeros(cast_to(input.detach(), dtypes.int64))
        return named_result(name, named_as(clone(input), of_one), indices)
    indices = call_unary(index, input.detach(), {"dim": axis, "keepdim": True})
    return values_at(name, input, axis, indices, keepdim, of_one)


@overload
def max(input: Tensor) -> Tensor: ...
@overload
def max(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@overload
def max(input: Tensor, dim: Tensor, /) -> Tensor: ...
@overload
def max(input: Tensor, *, other: Tensor) -> Tensor: ...
@operation
def max(
    input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, *,
    other: Tensor | None = None,
) -> Tensor | ValuesAndIndices:  # fmt: skip
    """The largest number; with `dim`, the largest along it and their indices.

    Given a tensor as second argument, it is `maximum`.

    >>> torch.max(torch.tensor([[1, 5], [7, 2]]), dim=1).indices
    tensor([1, 0])
    """
    return _extreme("max", input, dim, keepdim, other)


@overload
def min(input: Tensor) -> Tensor: ...
@overload
def min(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@overload
def min(input: Tensor, dim: Tensor, /) -> Tensor: ...
@overload
def min(input: Tensor, *, other: Tensor) -> Tensor: ...
@operation
def min(
    input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, *,
    other: Tensor | None = None,
) -> Tensor | ValuesAndIndices:  # fmt: skip
    """The smallest number; with `dim`, the smallest along it and their indices.

    Given a tensor as second argument, it is `minimum`.

    >>> torch.min(torch.tensor([[1, 5], [7, 2]]), dim=1).values
    tensor([1, 2])
    """
    return _extreme("min", input, dim, keepdim, other)


def _index_of(name: str, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    find = _argmax if name == "argmax" else _argmin
    if input._array.dtype == bool:
        raise not_implemented(f"{name}_cpu", input._array.dtype)
    if dim is None:
        if input._array.size == 0:
            raise IndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
            )
        return find(input, dim=None, keepdim=keepdim)
    axis = read_dim(dim, input._array.ndim)
    check_not_empty(name, input, (axis,))
    return find(input, dim=axis if input._array.ndim else None, keepdim=keepdim)


@operation
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest number (of the flattened tensor unless `dim` is given), int64.

    >>> torch.argmax(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _index_of("argmax", input, dim, keepdim)


@operation
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest number (of the flattened tensor unless `dim` is given), int64."""
    return _index_of("argmin", input, dim, keepdim)


# Variances and counts


root = elementwise(
    "root", "√x: its derivative at 0, that of a norm or a deviation there, is 0", np.sqrt,
    input=lambda g, out: where(out == 0, 0.0, g / (2 * out)),
)  # fmt: skip


@primitive(reduces=True, grad_fn="LinalgVectorNormBackward0")
def _euclidean_norm(input: Array, *, dim: Axes, keepdim: bool) -> Any:
    """√(Σ x²)"""
    return np.sqrt(total(input * input, dim, keepdim))


_euclidean_norm.derivatives(input=lambda g, input, out: input * where(out == 0, 0.0, g / out))


@primitive(reduces=True)
def _var(input: Array, *, dim: Axes, keepdim: bool, free: float) -> Any:
    """Σ (x − mean)² / free"""
    centred = input - _mean(input, dim=dim, keepdim=True)
    centred *= centred
    return total(centred, dim, keepdim) / free


_var.derivatives(
    input=lambda g, input, dim, free: 2 * g / free * (input - _mean(input, dim=dim, keepdim=True))
)


def _moments(
    name: str,
    input: Tensor,
    dim: Dims | None,
    unbiased: bool | None,
    keepdim: bool,
    correction: float | None,
) -> tuple[Tensor, Axes]:
    """The variance over dimensions, and these."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    x = input._array
    if x.dtype.kind not in dtypes.FLOATS:
        raise RuntimeError(
            f"{name[:3]}{'_mean' * name.endswith('mean')} only support floating point and complex "
            "dtypes" if name.endswith("mean") else
            "std and var only support floating point and complex dtypes"
        )  # fmt: skip
    dims = read_dims(dim, x.ndim)
    count = math.prod([x.shape[d] for d in dims])
    free = count - (1 if correction is None else correction)
    if free <= 0:
        free = 0
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            UserWarning,
            stacklevel=4,
        )
    return call_unary(_var, input, {"dim": dims, "keepdim": keepdim, "free": free}), dims


@operation
def var(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The variance over `dim` (all unless given): Σ (x − mean)² / (n − correction).

    `correction` is 1 unless given; `unbiased=False` is the older way to ask for 0. Raises
    RuntimeError for integers.

    >>> torch.var(torch.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    variance, _ = _moments("var", input, dim, unbiased, keepdim, correction)
    return named_as(variance, "VarBackward0")


@operation
def std(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation over `dim` (all unless given): the root of `var`.

    >>> torch.std(torch.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    variance, _ = _moments("std", input, dim, unbiased, keepdim, correction)
    return named_as(root(variance), "StdBackward0")


@operation
def var_mean(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`var` and `mean` over the same dimensions."""
    variance, dims = _moments("var_mean", input, dim, unbiased, keepdim, correction)
    moments = variance, _mean(input, dim=dims, keepdim=keepdim)
    joined_as(moments, "VarMeanBackward0")
    return moments


@operation
def std_mean(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`std` and `mean` over the same dimensions."""
    variance, dims = _moments("std_mean", input, dim, unbiased, keepdim, correction)
    moments = root(variance), _mean(input, dim=dims, keepdim=keepdim)
    joined_as(moments, "StdMeanBackward0")
    return moments


@operation
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, … occurs in a vector of integers; or the sums of their weights.

    Raises RuntimeError for negative numbers.

    >>> torch.bincount(torch.tensor([1, 1, 3]))
    tensor([0, 2, 0, 1])
    """
    x = input._array.copy()  # which no other thread changes between a check and its use
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if x.dtype.kind not in "iu":
        raise not_implemented("bincount_cpu", x.dtype)
    if x.ndim != 1 or np.any(x < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None or not x.size:
        return wrap(np.bincount(x, minlength=minlength))
    if not isinstance(weights, Tensor) or weights._array.shape != x.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    sums = np.bincount(x, weights._array, minlength)
    return wrap(sums.astype(np.float32) if weights._array.dtype == np.float32 else sums)
