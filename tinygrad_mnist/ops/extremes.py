"""The largest and the smallest numbers along dimensions, and where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, TensorBase, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented, read_dim, read_dims, torch_arguments
from .casting import cast_to, clone, zeros
from .choosing import maximum, minimum, where
from .reductions import _sum
from .return_types import named_result
from .selecting import gather
from .shapes import squeeze

__all__ = [
    "amax",
    "amin",
    "aminmax",
    "argmax",
    "argmin",
    "max",
    "min",
]

Dims = tuple[int, ...]


@primitive(reduces=True)
def _amax(input: Array, *, dim: Dims, keepdim: bool, nan_is_place: bool) -> Any:
    """max x"""
    return np.max(input, axis=dim, keepdims=keepdim)


@primitive(reduces=True)
def _amin(input: Array, *, dim: Dims, keepdim: bool, nan_is_place: bool) -> Any:
    """min x"""
    return np.min(input, axis=dim, keepdims=keepdim)


def _shared_among_ties(g: Any, input: Any, out: Any, dim: Dims, nan_is_place: bool) -> Any:
    """g, divided among all the places that hold the extreme.

    An extreme that is NaN is found where NaN is for PyTorch's `max`, nowhere for its `amax`.
    """
    ties = input == out
    if nan_is_place:
        ties = ties | ((input != input) & (out != out))
    return where(ties, g, 0.0) / _sum(where(ties, 1.0, 0.0), dim=dim, keepdim=True)


_amax.derivatives(input=_shared_among_ties)
_amin.derivatives(input=_shared_among_ties)


@primitive
def _argmax(input: Array, *, dim: int | None, keepdim: bool) -> Any:
    """the index of max x"""
    return np.argmax(input, axis=dim, keepdims=keepdim)


@primitive
def _argmin(input: Array, *, dim: int | None, keepdim: bool) -> Any:
    """the index of min x"""
    return np.argmin(input, axis=dim, keepdims=keepdim)


def _no_dimension_named(name: str) -> str:
    return (
        f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
        "Specify the reduction dim with the 'dim' argument."
    )


def check_not_empty(name: str, input: Tensor, dim: Dims) -> None:
    shape = input._array.shape
    for d in dim:
        if shape and shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def _extreme_over(op: Any, name: str, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    check_tensors(name, input=input)
    if input._array.size == 0 and not isinstance(dim, int) and not dim:
        raise RuntimeError(_no_dimension_named(name))
    dims = read_dims(dim, input._array.ndim)
    check_not_empty(name, input, dims)
    return op(input, dim=dims, keepdim=keepdim, nan_is_place=False)


@torch_arguments
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest number over the dimensions `dim` (all unless given); ties share the gradient.

    Raises IndexError where there is nothing to choose from.
    """
    return _extreme_over(_amax, "amax", input, dim, keepdim)


@torch_arguments
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest number over the dimensions `dim` (all unless given); ties share the gradient.

    Raises IndexError where there is nothing to choose from.
    """
    return _extreme_over(_amin, "amin", input, dim, keepdim)


@torch_arguments
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest number, over all or along `dim`, as a pair (min, max)."""
    check_tensors("aminmax", input=input)
    dims = () if dim is None else dim
    pair = [amin(input, dims, keepdim), amax(input, dims, keepdim)]
    return named_result("aminmax", *[named_as(each, "AminmaxBackward0") for each in pair])


def _extreme_along(name: str, find: Any, input: Tensor, dim: Any, keepdim: bool) -> Any:
    axis = read_dim(dim, input._array.ndim)
    check_not_empty(name, input, (axis,))
    title = f"{name.capitalize()}Backward0"
    if input._array.ndim == 0:
        indices = zeros(cast_to(input.detach(), dtypes.int64))
        return named_result(name, named_as(clone(input), title), indices)
    indices = find(input.detach(), dim=axis, keepdim=True)
    values = gather(input, axis, indices)
    if not keepdim:
        values, indices = squeeze(values, axis), squeeze(indices, axis)
    return named_result(name, named_as(values, title), indices)


def _extreme(name: str, op: Any, input: Tensor) -> Tensor:
    if input._array.size == 0:
        raise RuntimeError(_no_dimension_named(name))
    everything = tuple(range(input._array.ndim))
    out = op(input, dim=everything, keepdim=False, nan_is_place=True)
    return named_as(out, f"{name.capitalize()}Backward1")


@torch_arguments
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest number; with `dim`, the largest along it and their indices.

    Given a tensor as second argument, it is `maximum`.

    >>> import tinygrad_mnist as torch
    >>> torch.max(torch.tensor([[1, 5], [7, 2]]), dim=1).indices
    tensor([1, 0])
    """
    check_tensors("max", input=input)
    if isinstance(dim, TensorBase) or other is not None:
        return maximum(input, dim if other is None else other)
    if dim is None:
        return _extreme("max", _amax, input)
    return _extreme_along("max", _argmax, input, dim, keepdim)


@torch_arguments
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest number; with `dim`, the smallest along it and their indices.

    Given a tensor as second argument, it is `minimum`.

    >>> import tinygrad_mnist as torch
    >>> torch.min(torch.tensor([[1, 5], [7, 2]]), dim=1).values
    tensor([1, 2])
    """
    check_tensors("min", input=input)
    if isinstance(dim, TensorBase) or other is not None:
        return minimum(input, dim if other is None else other)
    if dim is None:
        return _extreme("min", _amin, input)
    return _extreme_along("min", _argmin, input, dim, keepdim)


def _place(name: str, find: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    check_tensors(name, input=input)
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


@torch_arguments
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest number (of the flattened tensor unless `dim` is given), int64.

    >>> import tinygrad_mnist as torch
    >>> torch.argmax(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _place("argmax", _argmax, input, dim, keepdim)


@torch_arguments
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest number (of the flattened tensor unless `dim` is given), int64."""
    return _place("argmin", _argmin, input, dim, keepdim)
