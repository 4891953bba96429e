"""Taking numbers out of a tensor by their place, and putting them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.calling import call_unary
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import (
    OBSERVERS,
    Array,
    current_record,
    label,
    make_record,
    state,
    wrap,
)

from .arguments import read_dim
from .index_keys import ALL, WHOLE, Key, explain_arrays, read_index

__all__ = [
    "gather",
    "narrow",
    "select",
    "unbind",
]

Tensor = Any
Shape = tuple[int, ...]


@primitive(view=True, grad_fn="SliceBackward0")
def _slice(input: Array, *, key: Key) -> Array:
    """x[key], where key holds integers, slices and None: a view"""
    return input[key]


@primitive(grad_fn="SliceBackwardBackward0")
def _slice_backward(input: Array, *, key: Key, shape: Shape) -> Array:
    """zeros, with x at key"""
    out = np.zeros(shape, input.dtype)
    out[key] = input
    return out


_slice.derivatives(input=lambda g, key, shape: _slice_backward(g, key=key, shape=shape))
_slice_backward.derivatives(input=lambda g, key: _slice(g, key=key))


@primitive
def _index(input: Array, *, key: Key) -> Array:
    """x[key], where key holds arrays of indices: a copy"""
    out = input[key]
    return out if out.flags.c_contiguous else out.copy()


@primitive
def _index_backward(input: Array, *, key: Key, shape: Shape) -> Array:
    """zeros, with x added at key, as often as a place is named"""
    out = np.zeros(shape, input.dtype)
    if len(key) == 1 and key[0].dtype != bool and len(shape) > 1:
        _add_rows(out, key[0].reshape(-1), input)
    elif all(part is ALL or part.dtype == bool for part in key):
        out[key] = input
    else:
        np.add.at(out, key, input)
    return out


def _add_rows(out: Array, rows: Array, values: Array) -> None:
    """out[row] += value for each; rows named more than once are summed first, which is fast."""
    if not rows.size:
        return
    rows = rows % len(out)
    order = rows.argsort(kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    values = values.reshape(rows.size, *out.shape[1:])
    out[ordered[starts]] = np.add.reduceat(values[order], starts, axis=0)


_index.derivatives(input=lambda g, key, shape: _index_backward(g, key=key, shape=shape))
_index_backward.derivatives(input=lambda g, key: _index(g, key=key))


@primitive(grad_fn="IndexPutBackward0")
def index_put(input: Array, values: Any, *, region: Key, arrays: Key | None) -> Array:
    """x, with values at the arrays of indices in a region"""
    out = input.copy(order="K")
    put(out[region], arrays, values)
    return out


def put(array: Array, arrays: Key | None, values: Any) -> None:
    """Write `values` into an array, at the places that arrays of indices name (None: at all)."""
    try:
        array[... if arrays is None else arrays] = values
    except IndexError:
        explain_arrays(arrays or (), array.shape)
        raise
    except (TypeError, ValueError):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape {list(array[arrays].shape)}"
        ) from None


def _taken(x: Any, region: Key, arrays: Key | None) -> Any:
    part = _slice(x, key=region)
    return part if arrays is None else _index(part, key=arrays)


index_put.derivatives(
    input=lambda g, region, arrays: index_put(g, 0.0, region=region, arrays=arrays),
    values=lambda g, region, arrays: _taken(g, region, arrays),
)


def getitem(input: Tensor, index: Any) -> Tensor:
    """`input[index]` as PyTorch has it: a view for integers, slices, None and …, else a copy."""
    region, arrays = read_index(index, input._array.shape)
    if arrays is None:
        return _view(input, region)
    out = input if region is WHOLE else _view(input, region)
    if out._record is not None:
        # The record must not see it when the index changes later.
        arrays = tuple([part if part is ALL else part.copy() for part in arrays])
    try:
        return call_unary(_index, out, {"key": arrays})
    except IndexError:
        explain_arrays(arrays, out._array.shape)
        raise


def _view(input: Tensor, region: Key) -> Tensor:
    """`_slice`, which always gives a view, written out: a hot path."""
    if OBSERVERS:
        out = call_unary(_slice, input, {"key": region})
        return label(out, _name_of(region))
    record = input._record if input._view is None else current_record(input)
    out = wrap(input._array[region], input._counter)
    out._view = (input, record)
    if record is not None and state.grad_enabled:
        saved = (None, None)
        out._record = make_record(_slice, (record,), out._array, saved, {"key": region})
        label(out, _name_of(region))
    return out


def _name_of(region: Key) -> str:
    """PyTorch's name for the last step of taking a region; a slice that takes all is no step."""
    for part in reversed(region[:-1]):
        if part is None:
            return "UnsqueezeBackward0"
        if part.__class__ is int:
            return "SelectBackward0"
        if part is not ALL:
            return "SliceBackward0"
    return "AliasBackward0" if region is WHOLE else "SliceBackward0"


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice number `index` along `dim`, which disappears: a view.

    >>> import tinygrad_mnist as torch
    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis = read_dim(dim, len(shape))
    if not -shape[axis] <= index < shape[axis]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} "
            f"at dimension {axis}"
        )
    return getitem(input, (ALL,) * axis + (int(index),))


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` slices along `dim` from `start` on: a view.

    >>> import tinygrad_mnist as torch
    >>> torch.narrow(torch.tensor([1, 2, 3]), 0, 1, 2)
    tensor([2, 3])
    """
    shape = input._array.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    axis = read_dim(dim, len(shape))
    size, first = shape[axis], int(start)
    if not -size <= first <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {first})"
        )
    first = first + size if first < 0 else first
    if first + length > size:
        raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({size}).")
    out = getitem(input, (ALL,) * axis + (slice(first, first + length),))
    return label(out, "SliceBackward0")


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`, each without it: views.

    >>> import tinygrad_mnist as torch
    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    axis = read_dim(dim, len(shape))
    parts = [getitem(input, (ALL,) * axis + (i,)) for i in range(shape[axis])]
    return tuple([label(part, "UnbindBackward0") for part in parts])


@primitive(grad_fn="GatherBackward0")
def _gather(input: Array, *, dim: int, index: Array) -> Array:
    """x at index along dim"""
    return np.take_along_axis(input[tuple(map(slice, _extent(input, index, dim)))], index, dim)


def _extent(input: Array, index: Array, dim: int) -> list[int]:
    """How much of `input` an index reaches: all along `dim`, its own size elsewhere."""
    return [input.shape[d] if d == dim else n for d, n in enumerate(index.shape)]


@primitive(grad_fn="ScatterAddBackward0")
def _scatter_add(input: Array, src: Array, *, dim: int, index: Array) -> Array:
    """x, with src added at index along dim"""
    out = input.copy()
    grid: list[Array] = list(np.ogrid[tuple(map(slice, index.shape))])
    grid[dim] = index
    np.add.at(out, tuple(grid), src[tuple(map(slice, index.shape))])
    return out


def _scattered(g: Any, dim: int, index: Array, shape: Shape) -> Any:
    grid: list[Array] = list(np.ogrid[tuple(map(slice, index.shape))])
    grid[dim] = index
    return _index_backward(g, key=tuple(grid), shape=shape)


_gather.derivatives(input=_scattered)
_scatter_add.derivatives(
    input=lambda g: g,
    src=lambda g, dim, index, shape: _padded(_gather(g, dim=dim, index=index), shape),
)


def _padded(g: Any, shape: Shape) -> Any:
    if g.shape == shape:
        return g
    return _slice_backward(g, key=tuple(map(slice, g.shape)), shape=shape)


def _indices(name: str, dim: int, index: Tensor, input: Tensor) -> Array:
    """The index tensor's array, its bounds checked and negative places refused."""
    array: Array = index._array
    if array.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}(): Expected dtype int64 for index")
    size = input._array.shape[dim] if input._array.ndim else 1
    bad = array[(array < 0) | (array >= size)]
    if bad.size:
        raise RuntimeError(
            f"index {bad.flat[0]} is out of bounds for dimension {dim} with size {size}"
        )
    return array


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The numbers at `index` along `dim`: out[i][j] = input[index[i][j]][j] for dim 0.

    `index` is int64 with as many dimensions as `input`; raises RuntimeError out of bounds.
    """
    axis = read_dim(dim, input._array.ndim)
    if index._array.ndim != input._array.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    if input._array.ndim == 0:
        return label(_index(input, key=()), "GatherBackward0")
    for d, size in enumerate(index._array.shape):
        if d != axis and size > input._array.shape[d]:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index "
                f"{list(index._array.shape)} to be no larger than self "
                f"{list(input._array.shape)} apart from dimension {axis}"
            )
    return _gather(input, dim=axis, index=_indices("gather", axis, index, input))
