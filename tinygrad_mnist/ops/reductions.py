"""Operations that bring many numbers down to few, along the dimensions named by `dim`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array, TensorBase, label

from .arguments import read_dim, read_dims, torch_arguments
from .casting import cast_to, zeros
from .choosing import maximum, minimum
from .exponential import exp
from .indexing import gather
from .shapes import squeeze

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "logsumexp",
    "max",
    "mean",
    "min",
    "sum",
]

Tensor = Any


_NARROW = 64


def _added(input: Array, dim: tuple[int, ...], keepdim: bool) -> Any:
    """The sum of an array over `dim`; the kernels add up narrow matrices, NumPy the rest."""
    if input.ndim == 2 and len(dim) == 1 and input.dtype.kind == "f" and input.shape[1] <= _NARROW:
        total = kernels.sum_columns(input) if dim[0] else kernels.sum_rows(input)
        return total.reshape(_kept(input.shape, dim, True)) if keepdim else total
    axis = None if len(dim) == input.ndim else dim
    add_up: Any = np.add.reduce
    return add_up(input, axis=axis, keepdims=keepdim)


@primitive(reduces=True, grad_fn="SumBackward1")
def _sum(input: Array, *, dim: tuple[int, ...], keepdim: bool) -> Any:
    """Σ x"""
    return _added(input, dim, keepdim)


_sum.derivatives(input=lambda g: g)


def _count(shape: tuple[int, ...], dim: tuple[int, ...]) -> int:
    return math.prod([shape[d] for d in dim])


@primitive(reduces=True, grad_fn="MeanBackward1")
def _mean(input: Array, *, dim: tuple[int, ...], keepdim: bool) -> Any:
    """Σ x / n"""
    return _added(input, dim, keepdim) / input.dtype.type(_count(input.shape, dim))


_mean.derivatives(input=lambda g, dim, shape: g / (_count(shape, dim) or 1))


def _shared_among_ties(g: Any, input: Any, out: Any, dim: Any) -> Any:
    """g, divided among all the places that hold the extreme."""
    ties = input == out
    return g * ties / _sum(ties, dim=dim, keepdim=True)


@primitive(reduces=True)
def _amax(input: Any, *, dim: Any, keepdim: Any) -> Any:
    """max x"""
    return np.maximum.reduce(input, axis=dim, keepdims=keepdim)


@primitive(reduces=True)
def _amin(input: Any, *, dim: Any, keepdim: Any) -> Any:
    """min x"""
    return np.minimum.reduce(input, axis=dim, keepdims=keepdim)


_amax.derivatives(input=_shared_among_ties)
_amin.derivatives(input=_shared_among_ties)


@primitive(reduces=True)
def _logsumexp(input: Any, *, dim: Any, keepdim: bool) -> Any:
    """ln Σ eˣ"""
    peak = np.maximum.reduce(input, axis=dim, keepdims=True, initial=-np.inf)
    safe = np.where(np.isfinite(peak), peak, input.dtype.type(0))
    total = np.log(np.add.reduce(np.exp(input - safe), axis=dim, keepdims=True)) + safe
    return total if keepdim else total.reshape(_kept(input.shape, dim, False))


_logsumexp.derivatives(input=lambda g, input, out: g * exp(input - out))


def _kept(shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """The shape that a reduction of `shape` over `dim` leaves."""
    if keepdim:
        return tuple([1 if d in dim else size for d, size in enumerate(shape)])
    return tuple([size for d, size in enumerate(shape) if d not in dim])


@primitive
def _argmax(input: Any, *, dim: Any, keepdim: bool) -> Any:
    """the index of max x"""
    return np.argmax(input, axis=dim, keepdims=keepdim)


@primitive
def _argmin(input: Any, *, dim: Any, keepdim: bool) -> Any:
    """the index of min x"""
    return np.argmin(input, axis=dim, keepdims=keepdim)


@primitive(reduces=True)
def _any(input: Any, *, dim: Any, keepdim: bool) -> Any:
    """whether some x holds"""
    return _as_truth(np.any(input, axis=dim, keepdims=keepdim), input)


@primitive(reduces=True)
def _all(input: Any, *, dim: Any, keepdim: bool) -> Any:
    """whether every x holds"""
    return _as_truth(np.all(input, axis=dim, keepdims=keepdim), input)


def _as_truth(result: Any, input: Array) -> Any:
    """bool, save for uint8, which PyTorch keeps from the time before it had bool."""
    return result.astype(np.uint8) if input.dtype == np.uint8 else result


def _check_tensor(name: str, given: Any) -> Any:
    if not isinstance(given, TensorBase):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(given).__name__}"
        )


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
    _check_tensor("sum", input)
    _check_differentiable(input, dtype)
    if dtype is None and input._array.dtype.kind != "f":
        dtype = dtypes.int64
    x = input if dtype is None else cast_to(input, dtype)
    if dim is None:
        return label(_sum(x, dim=tuple(range(x._array.ndim)), keepdim=keepdim), "SumBackward0")
    return _sum(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


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
    _check_tensor("mean", input)
    _check_differentiable(input, dtype)
    x = input if dtype is None else cast_to(input, dtype)
    kind = x._array.dtype
    if kind.kind != "f":
        name = dtypes.from_numpy_dtype(kind).legacy_name
        raise RuntimeError(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {name}"
        )
    if dim is None:
        return label(_mean(x, dim=tuple(range(x._array.ndim)), keepdim=keepdim), "MeanBackward0")
    return _mean(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


def _check_not_empty(name: str, input: Any, dim: Any) -> Any:
    shape = input._array.shape
    for d in dim:
        if shape and shape[d] == 0:
            raise IndexError(
                f"{name}(): Expected reduction dim {d} to have non-zero size, "
                f"but the tensor has shape {list(shape)}"
            )


def _extreme_dims(name: str, input: Tensor, dim: Any) -> tuple[int, ...]:
    if dim in ((), None) and input._array.size == 0:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    dims = read_dims(dim, input._array.ndim)
    _check_not_empty(name, input, dims)
    return dims


@torch_arguments
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest number over the dimensions `dim` (all unless given); ties share the gradient."""
    dims = _extreme_dims("amax", input, dim)
    return _amax(input, dim=dims, keepdim=keepdim)


@torch_arguments
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest number over the dimensions `dim` (all unless given); ties share the gradient."""
    dims = _extreme_dims("amin", input, dim)
    return _amin(input, dim=dims, keepdim=keepdim)


class ValuesAndIndices(NamedTuple):
    """What an operation returns that finds numbers and tells where they are."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"torch.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"


RETURN_TYPES: dict[str, Any] = {
    name: type(name, (ValuesAndIndices,), {}) for name in ("max", "min", "sort", "topk", "median")
}


def _extreme_along(name: str, find: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    axis = read_dim(dim, input._array.ndim)
    _check_not_empty(name, input, (axis,))
    if input._array.ndim == 0:
        value = label(input.clone(), f"{name.capitalize()}Backward0")
        return RETURN_TYPES[name](value, zeros(cast_to(input.detach(), dtypes.int64)))
    indices = find(input.detach(), dim=axis, keepdim=True)
    values = gather(input, axis, indices)
    if not keepdim:
        values, indices = squeeze(values, axis), squeeze(indices, axis)
    return RETURN_TYPES[name](label(values, f"{name.capitalize()}Backward0"), indices)


def _extreme(name: str, function: Any, input: Any) -> Any:
    if input._array.size == 0:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    everything = tuple(range(input._array.ndim))
    return label(function(input, dim=everything, keepdim=False), f"{name.capitalize()}Backward1")


@torch_arguments
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest number; with `dim`, the largest along it and their indices.

    A tensor as second argument gives the larger of the two at each place.

    >>> import tinygrad_mnist as torch
    >>> torch.max(torch.tensor([[1, 5], [7, 2]]), dim=1).indices
    tensor([1, 0])
    """
    if isinstance(dim, TensorBase):
        return maximum(input, dim)
    if dim is None:
        return _extreme("max", _amax, input)
    return _extreme_along("max", _argmax, input, dim, keepdim)


@torch_arguments
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest number; with `dim`, the smallest along it and their indices.

    A tensor as second argument gives the smaller of the two at each place.
    """
    if isinstance(dim, TensorBase):
        return minimum(input, dim)
    if dim is None:
        return _extreme("min", _amin, input)
    return _extreme_along("min", _argmin, input, dim, keepdim)


def _arg(name: str, find: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    if input._array.dtype == bool:
        raise RuntimeError(f"\"{name}_cpu\" not implemented for 'Bool'")
    if dim is None:
        if input._array.size == 0:
            raise IndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
            )
        return find(input, dim=None, keepdim=keepdim)
    axis = read_dim(dim, input._array.ndim)
    _check_not_empty(name, input, (axis,))
    return find(input, dim=axis if input._array.ndim else None, keepdim=keepdim)


@torch_arguments
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest number (of the flattened tensor unless `dim` is given), int64.

    >>> import tinygrad_mnist as torch
    >>> torch.argmax(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _arg("argmax", _argmax, input, dim, keepdim)


@torch_arguments
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest number (of the flattened tensor unless `dim` is given), int64."""
    return _arg("argmin", _argmin, input, dim, keepdim)


@torch_arguments
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """ln Σ eˣ over the dimensions `dim`, without overflow."""
    x = cast_to(input, dtypes.to_floating(input.dtype))
    return _logsumexp(x, dim=read_dims(dim, x._array.ndim), keepdim=keepdim)


@torch_arguments
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether some number is not zero, over the dimensions `dim` (all unless given)."""
    return _any(input, dim=read_dims(dim, input._array.ndim), keepdim=keepdim)


@torch_arguments
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether every number is not zero, over the dimensions `dim` (all unless given)."""
    return _all(input, dim=read_dims(dim, input._array.ndim), keepdim=keepdim)
