"""Sorting, and what sorting finds: the largest k, medians, numbers that occur once or more."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.primitive import no_derivative, primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.kernels import rows

from .arguments import (
    ValuesAndIndices,
    named_result,
    not_implemented,
    operation,
    read_dim,
)
from .conditional import masked_fill
from .gather_scatter import taken_along
from .reductions import _amax, _mean, check_not_empty, values_at
from .shapes import reshape


@primitive
def _argsort(input: Array, *, dim: int, descending: bool, count: int | None = None) -> Any:
    """the order that sorts x; equal numbers keep theirs, NaN is the largest"""
    if input.ndim == 0:
        return np.zeros((), np.int64)
    if count is not None and dim == input.ndim - 1:
        first = rows.first_few(input, count, descending)
        if first is not None:
            return first
    before = (slice(None),) * dim
    order = input[(*before, slice(None, None, -1))] if descending else input
    order = order.argsort(dim, kind="stable")
    if descending:
        order = input.shape[dim] - 1 - order[(*before, slice(None, None, -1))]
    return order if count is None else order[(*before, slice(count))].copy()


@operation
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """The indices that sort the numbers along `dim`, int64; equal numbers keep their order.

    >>> torch.argsort(torch.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    axis = read_dim(dim, input._array.ndim)
    return _argsort(input.detach(), dim=axis, descending=bool(descending))


@operation
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> ValuesAndIndices:
    """The numbers in order along `dim`, and their indices; NaN counts as the largest.

    >>> torch.sort(torch.tensor([3, 1, 2]), descending=True).values
    tensor([3, 2, 1])
    """
    axis = read_dim(dim, input._array.ndim)
    indices = call_unary(_argsort, input.detach(), {"dim": axis, "descending": bool(descending)})
    name = "SortBackward0" if stable is None else "SortBackward1"
    return named_result("sort", named_as(taken_along(input, axis, indices), name), indices)


def msort(input: Tensor) -> Tensor:
    """The numbers in order along the first dimension."""
    return sort(input, 0).values


@operation
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> ValuesAndIndices:
    """The `k` largest (or smallest) numbers along `dim`, in order, and their indices.

    Raises RuntimeError when there are fewer than `k`.

    >>> torch.topk(torch.tensor([3, 1, 2]), 2).values
    tensor([3, 2])
    """
    axis = read_dim(dim, input._array.ndim)
    if input._array.dtype == bool:
        raise RuntimeError("topk does not support bool dtypes on CPU")
    if not 0 <= k <= (input._array.shape[axis] if input._array.ndim else 1):
        raise RuntimeError("selected index k out of range")
    wanted = {"dim": axis, "descending": bool(largest), "count": k}
    indices = call_unary(_argsort, input.detach(), wanted)
    values = named_as(taken_along(input, axis, indices), "TopkBackward0")
    return named_result("topk", values, indices)


@primitive
def places_of(input: Array, *, of: str, dim: int, k: int = 0) -> Any:
    """which elements are the median, the mode, or number k along a dimension"""
    if input.ndim == 0:
        return np.zeros((), np.int64)
    return _PLACES[of](input, dim, k)


@operation
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The number that is number `k` in order along `dim`, counted from 1, and its index.

    >>> torch.kthvalue(torch.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    axis = read_dim(dim, input._array.ndim)
    check_not_empty("kthvalue", input, (axis,))
    if input._array.dtype == bool:
        raise not_implemented("kthvalue_cpu", input._array.dtype)
    if not 1 <= k <= (input._array.shape[axis] if input._array.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
    indices = places_of(input.detach(), of="kthvalue", dim=axis, k=k - 1)
    return values_at("kthvalue", input, axis, indices, keepdim, "KthvalueBackward0")


def _selected(x: Array, axis: int, k: int) -> Array:
    """Which element is number `k` along `axis`; among equal ones the one a quickselect finds."""
    rows = np.moveaxis(x, axis, -1)
    order = rows.argsort(-1, kind="stable")
    found = order[..., k : k + 1].copy()
    for place in np.ndindex(found.shape[:-1]):
        ranked = rows[place][order[place]]
        holes = (ranked != ranked)[1:]
        higher = np.append(0, (ranked[1:] != ranked[:-1]) & ~np.append(False, holes[:-1]))
        if 0 in higher[max(k, 1) : k + 2]:
            ranks = np.empty(len(ranked), np.int64)
            ranks[order[place]] = np.cumsum(higher)
            found[place] = _quickselect(ranks.tolist(), k)
    return np.moveaxis(found, -1, axis)


def _quickselect(ranks: list[int], k: int) -> int:
    """The place of the number that ends as number `k`: Hoare's, the median of three as the pivot.

    W. Press et al., "Numerical Recipes" (section 8.5), which is PyTorch's rule too.
    """
    row = [(rank, place) for place, rank in enumerate(ranks)]

    def exchange(i: int, j: int, *, always: bool = False) -> None:
        if always or row[i][0] > row[j][0]:
            row[i], row[j] = row[j], row[i]

    first, last = 0, len(row) - 1
    while last > first + 1:
        exchange((first + last) // 2, first + 1, always=True)
        exchange(first + 1, last)
        exchange(first, last)
        exchange(first + 1, first)
        pivot, i, j = row[first][0], first + 1, last
        while True:
            i = next(n for n in range(i + 1, len(row)) if row[n][0] >= pivot)
            j = next(n for n in range(j - 1, -1, -1) if row[n][0] <= pivot)
            if j < i:
                break
            exchange(i, j, always=True)
        exchange(first, j, always=True)
        first, last = (i if j <= k else first), (j - 1 if j >= k else last)
    if last == first + 1:
        exchange(first, last)
    return row[k][1]


@overload
def median(input: Tensor) -> Tensor: ...
@overload
def median(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@operation
def median(
    input: Tensor, dim: int | None = None, keepdim: bool = False
) -> Tensor | ValuesAndIndices:
    """The lower median of all numbers; with `dim`, the medians along it and their indices.

    A NaN among the numbers is their median.

    >>> torch.median(torch.tensor([4, 1, 3, 2]))
    tensor(2)
    """
    x = input._array
    if x.dtype == bool:
        raise not_implemented("median_cpu", x.dtype)
    if dim is None:
        return _median_of_all(input)
    axis = read_dim(dim, x.ndim)
    check_not_empty("median", input, (axis,))
    indices = places_of(input.detach(), of="median", dim=axis)
    return values_at("median", input, axis, indices, keepdim, "MedianBackward1")


def _middle(x: Array, axis: int, k: int) -> Array:
    """Which element is the lower median along `axis`: the first NaN, if there is one."""
    order = np.argsort(x, axis=axis, kind="stable")
    index = np.take(order, [(x.shape[axis] - 1) // 2], axis=axis)
    if x.dtype.kind == "f":
        gone = np.isnan(x)
        first = np.argmax(gone, axis=axis, keepdims=True)
        index = np.where(gone.any(axis=axis, keepdims=True), first, index)
    return index


def _median_of_all(input: Tensor) -> Tensor:
    x = input._array
    if x.size == 0 and x.dtype.kind not in dtypes.FLOATS:
        return wrap(np.asarray(np.iinfo(x.dtype).min, x.dtype))
    if x.size == 0:
        return named_as(_mean(reshape(input, -1), dim=(0,), keepdim=False), "MedianBackward0")
    flat = reshape(input, -1)
    lowest = -np.inf if x.dtype.kind in dtypes.FLOATS else np.iinfo(x.dtype).min
    ties = masked_fill(flat, places_of(flat.detach(), of="no median", dim=0), lowest)
    out = _amax(ties, dim=(0,), keepdim=False, nan_is_place=True)
    return named_as(out, "MedianBackward0")


def _no_median(x: Array, axis: int, k: int) -> Array:
    """Which elements are not equal to the median; those that are no NaN, if there is one."""
    numbers: Array = x == x
    others: Array = x != np.sort(x, axis)[(x.size - 1) // 2]
    return others if numbers.all() else numbers


def _middle_of_numbers(x: Array, axis: int, k: int) -> Array:
    """Which element is the lower median along `axis` of those that are no NaN."""
    order = np.argsort(x, axis=axis, kind="stable")
    count = np.sum(~np.isnan(x), axis=axis, keepdims=True)
    return np.take_along_axis(order, np.maximum(count - 1, 0) // 2, axis)


@operation
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The number that occurs most often along `dim` (the smallest such), and an index of it."""
    axis = read_dim(dim, input._array.ndim)
    check_not_empty("mode", input, (axis,))
    indices = places_of(input.detach(), of="mode", dim=axis)
    return values_at("mode", input, axis, indices, keepdim, "ModeBackward0")


def _most_frequent(x: Array, axis: int, k: int) -> Array:
    """Which element is the mode along `axis`."""
    index = np.zeros(x.shape[:axis] + x.shape[axis + 1 :], np.int64)
    if index.size:
        index = np.apply_along_axis(_index_of_mode, axis, x)
    return np.expand_dims(index, axis)


def _index_of_mode(row: Array) -> int:
    values, counts = np.unique(row, return_counts=True)
    return int(np.flatnonzero(row == values[counts.argmax()])[-1])


_PLACES = {
    "kthvalue": _selected, "median": _middle, "mode": _most_frequent,
    "nanmedian": _middle_of_numbers, "no median": _no_median,
}  # fmt: skip


@primitive
def _found(input: Array, *, values: Array, name: str) -> Any:
    """the numbers that occur in x"""
    return values


def _no_derivative(g: Any, name: str) -> Any:
    """none: PyTorch has no formula for it."""
    return no_derivative(name)(g)


_found.derivatives(input=_no_derivative)


def _results(
    name: str, input: Tensor, values: Array, others: list[Array]
) -> Tensor | tuple[Tensor, ...]:
    """The numbers found, and what was asked for beside them."""
    note_untraceable()
    title = name.strip("_").title().replace("_", "")
    found = named_as(_found(input, values=np.array(values), name=name), f"{title}Backward0")
    return (found, *[wrap(np.array(other)) for other in others]) if others else found


@operation
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """The numbers that occur, each once and in order (or with `dim`, the slices along it).

    `return_inverse` adds for each number its place in the result, `return_counts` how often each
    occurs.

    >>> torch.unique(torch.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    axis = None if dim is None else read_dim(dim, input._array.ndim)
    values, inverse, counts = np.unique(
        input._array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    shape = input._array.shape if axis is None else (-1,)
    others = [*[inverse.reshape(shape)] * return_inverse, *[counts] * return_counts]
    return _results("_unique2" if dim is None else "unique_dim", input, values, others)


@operation
def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """The numbers (or with `dim`, the slices along it), each run of equal ones made one.

    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    x = input._array
    axis = 0 if dim is None else read_dim(dim, x.ndim)
    rows = x.reshape(-1) if dim is None else np.moveaxis(x, axis, 0)
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    starts = np.append(True, (flat[1:] != flat[:-1]).any(axis=1))[: len(rows)]
    values = np.moveaxis(rows[starts], 0, axis)
    inverse = (np.cumsum(starts) - 1).reshape(x.shape if dim is None else (-1,))
    counts = np.diff(np.append(np.flatnonzero(starts), len(rows)))
    others = [*[inverse] * return_inverse, *[counts] * return_counts]
    return _results("unique_consecutive", input, values, others)
