"""Taking numbers out of a tensor by their place, and putting them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import (
    OBSERVERS,
    Array,
    TensorBase,
    label,
    make_record,
    relies_on,
    state,
    wrap,
)
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import ONE_OF_SEVERAL, current_record, forbid_change, mark_view

from .arguments import read_dim, tensor_first
from .casting import copied
from .index_keys import ALL, WHOLE, Key, explain_arrays, read_index

__all__ = [
    "narrow",
    "select",
    "unbind",
]

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
        if arrays is not None and isinstance(values, np.ndarray) and values.size == 0:
            np.broadcast_to(values, array[arrays].shape)  # which NumPy leaves out here
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
        arrays = tuple([part if part is ALL else copied(part) for part in arrays])
    try:
        out = call_unary(_index, out, {"key": arrays})
        return relies_on(out, *_tensors_in(index)) if out._record is not None else out
    except IndexError:
        explain_arrays(arrays, out._array.shape)
        raise


def _tensors_in(index: Any) -> list[Tensor]:
    parts = index if isinstance(index, tuple) else (index,)
    return [part for part in parts if isinstance(part, TensorBase)]


def _view(input: Tensor, region: Key) -> Tensor:
    """`_slice`, which always gives a view, written out: a hot path."""
    if OBSERVERS:
        out = call_unary(_slice, input, {"key": region})
        return label(out, _name_of(region))
    record = input._record if input._view is None else current_record(input)
    out = wrap(input._array[region])
    mark_view(out, input, _slice, {"key": region})
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


@tensor_first
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


@tensor_first
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` slices along `dim` from `start` on: a view.

    >>> import tinygrad_mnist as torch
    >>> torch.narrow(torch.tensor([1, 2, 3]), 0, 1, 2)
    tensor([2, 3])
    """
    shape = input._array.shape
    if isinstance(start, TensorBase) and (start._array.ndim or start._array.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
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


@tensor_first
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
    current_record(input)  # which refuses views whose changes could not be followed
    parts = [getitem(input, (ALL,) * axis + (i,)) for i in range(shape[axis])]
    return tuple([forbid_change(label(part, "UnbindBackward0"), ONE_OF_SEVERAL) for part in parts])
