"""Folding numbers into a tensor at the places that an index names: five ways to reduce."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.node import must_not_change, named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap

from .arguments import not_implemented, operation
from .casting import zeros
from .conditional import where
from .gather_scatter import _gather, _grid, _read_scattered, _read_vector, _scatter_add
from .indexing import getitem
from .shapes import expand, reshape

_FOLDS = {
    "sum": np.add, "prod": np.multiply, "mean": np.add, "amax": np.maximum, "amin": np.minimum
}  # fmt: skip


@primitive
def _scatter_reduce(
    input: Array, src: Array, *, dim: int, index: Array, reduce: str, include_self: bool
) -> Any:
    """x, with src folded in at index along dim"""
    grid, out = _grid(index, dim), input.copy()
    if not include_self:
        out[grid] = _start(reduce, out.dtype)
    _FOLDS[reduce].at(out, grid, src)
    if reduce == "mean":
        count = _shares(input, dim, index, include_self)
        return out / count if out.dtype.kind == "f" else out // count
    return out


def _start(reduce: str, kind: np.dtype[Any]) -> Any:
    """The number that changes nothing."""
    if reduce not in ("amax", "amin"):
        return reduce == "prod"
    limits = (-np.inf, np.inf) if kind.kind == "f" else (False, True)
    if kind.kind in "iu":
        limits = (np.iinfo(kind).min, np.iinfo(kind).max)
    return limits[reduce == "amin"]


def _shares(like: Any, dim: int, index: Array, include_self: bool) -> Any:
    """How many numbers come together at each place, one at least."""
    array = like._array if isinstance(like, Tensor) else like
    count = np.full(array.shape, include_self, array.dtype)
    np.add.at(count, _grid(index, dim), 1)
    shares = np.maximum(count, 1)
    return wrap(shares) if isinstance(like, Tensor) else shares


def _named(like: Any, dim: int, index: Array) -> Any:
    """Whether the index names a place."""
    named = np.zeros(like.shape, bool)
    named[_grid(index, dim)] = True
    return wrap(named) if isinstance(like, Tensor) else named


def _among_ties(g: Any, input: Any, src: Any, out: Any, dim: int, index: Array) -> Any:
    """Where the extremes are in input and src, and g divided among all that hold one."""
    mine, theirs = input == out, src == _gather(out, dim=dim, index=index)
    holders = _scatter_add(where(mine, 1.0, 0.0), where(theirs, 1.0, 0.0), dim=dim, index=index)
    return mine, theirs, g / holders


def _of_input(
    g: Any, input: Any, src: Any, out: Any, dim: int, index: Array, reduce: str, include_self: bool
) -> Any:
    """g, where the number counts: shared, or times the product of the others."""
    if reduce in ("amax", "amin"):
        mine, _, share = _among_ties(g, input, src, out, dim, index)
        g = mine * share
    elif reduce == "mean":
        g = g / _shares(g, dim, index, include_self)
    elif reduce == "prod":
        ones = zeros(input) + 1
        g = g * _scatter_reduce(ones, src, dim=dim, index=index, reduce="prod", include_self=True)
    return g if include_self else where(_named(g, dim, index), 0.0, g)


def _of_src(
    g: Any, input: Any, src: Any, out: Any, dim: int, index: Array, reduce: str, include_self: bool
) -> Any:
    """g from each place where src went: shared, or times the product of the others there."""
    if reduce in ("amax", "amin"):
        _, theirs, share = _among_ties(g, input, src, out, dim, index)
        return theirs * _gather(share, dim=dim, index=index)
    if reduce == "mean":
        g = g / _shares(g, dim, index, include_self)
    if reduce != "prod":
        return _gather(g, dim=dim, index=index)
    zero = src == 0
    is_zero = where(zero, 1.0, 0.0)
    count = _gather(_scatter_add(zeros(input), is_zero, dim=dim, index=index), dim=dim, index=index)
    if isinstance(g, Tensor) and bool((count > 1).any()):
        raise RuntimeError(
            "scatter_reduce(): Double backward is unsupported for src when >1 zeros in src are "
            "scattered to the same position in self"
        )
    factors = where(zero, 1.0, src)
    product = _scatter_reduce(
        input, factors, dim=dim, index=index, reduce="prod", include_self=include_self
    )
    of_zero = where(count == 1, _gather(g * product, dim=dim, index=index), 0.0)
    return where(zero, of_zero, _gather(g * out, dim=dim, index=index) / factors)


_scatter_reduce.derivatives(input=_of_input, src=_of_src)


@operation
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input` with `src` folded in at `index` along `dim`.

    `reduce` is "sum", "prod", "mean", "amax" or "amin"; without `include_self` the numbers of
    `input` at these places do not count. Raises RuntimeError out of bounds.

    >>> index = torch.tensor([0, 1, 0])
    >>> torch.zeros(2).scatter_reduce(0, index, torch.tensor([1.0, 2.0, 3.0]), reduce="amax")
    tensor([3., 2.])
    """
    if reduce not in _FOLDS:
        raise RuntimeError(
            "reduce argument must be either sum, prod, mean, amax or amin, got " + str(reduce)
        )
    x, axis, array, numbers = _read_scattered(input, dim, index, src)
    if reduce == "mean" and input._array.dtype == bool:
        raise not_implemented("scatter_gather_tensor_cpu_reduce_mean", input._array.dtype)
    if numbers._array.shape != array.shape:
        numbers = getitem(numbers, tuple([slice(size) for size in array.shape]))
    out = _scatter_reduce(
        x, numbers, dim=axis, index=array, reduce=reduce, include_self=include_self
    )
    must_not_change(out, index)
    return named_as(reshape(out, input._array.shape), "ScatterReduceBackward0")


@operation
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: bool = True,
) -> Tensor:  # fmt: skip
    """`input` with the slices of `source` folded into those number `index` along `dim`.

    `reduce` is "prod", "mean", "amax" or "amin".

    >>> torch.ones(2).index_reduce(0, torch.tensor([0, 0]), torch.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    axis, array = _read_vector("index_reduce", input, dim, index)
    if source._array.ndim == 0 and array.size != 1:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if source._array.ndim and source._array.shape[axis] != array.size:
        raise RuntimeError(
            f"index_reduce(): Number of indices ({array.size}) should be equal to "
            f"source.size(dim): ({source._array.shape[axis]}), for dim: {axis}"
        )
    if input._array.dtype == bool and (input._array.ndim < 2 or not include_self):
        loop = "index_func_" if include_self else "index_reduce_func_exclude_input_init"
        raise not_implemented(loop, input._array.dtype)
    sizes = [-1 if d == axis else 1 for d in range(max(source._array.ndim, 1))]
    spread = expand(reshape(index, sizes), source._array.shape or (1,))
    out = scatter_reduce(input, axis, spread, source, reduce, include_self=include_self)
    return named_as(out, "IndexReduceBackward0")
