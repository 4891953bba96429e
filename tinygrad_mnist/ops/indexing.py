"""Indexing: x[...] read as PyTorch reads it; views and copies by index, and their gradients."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_unary, call_view
from tinygrad_mnist.engine.node import Record, must_not_change, named_as
from tinygrad_mnist.engine.observer import note_constant, note_untraceable
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, TensorBase
from tinygrad_mnist.kernels.rows import add_slices

from .arguments import operation, read_dim
from .casting import copied

Key = tuple[Any, ...]
Shape = tuple[int, ...]

ALL = slice(None)
_NEW_DIMENSION: Key = (None, Ellipsis)
WHOLE: Key = (Ellipsis,)
"""The region that is all of a tensor. (With … a region of an array is an array, never a number.)"""

_LONGEST = 32
_AMBIGUOUS = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed "
    "in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted "
    "as tensor index, x[torch.tensor(seq)], which will result either in an error or a different "
    "result"
)


def read_index(index: Any, shape: Shape) -> tuple[Key, Key | None]:
    """An index as two NumPy keys: integers, slices and None first, then arrays on what these leave.

    Taking them one after the other gives PyTorch's order of dimensions, which differs from
    NumPy's where integers and arrays mix. Raises IndexError for what does not fit `shape`.
    """
    kind = index.__class__
    if kind is int or kind is slice:
        return _read_one(index, shape), None
    if index is None:
        return _NEW_DIMENSION, None
    if not _is_tuple(index):
        index = (index,)
    elif isinstance(index, str) and len(index) > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    parts = [_read_part(part) for part in index]
    region: list[Any] = []
    arrays: list[Any] = []
    axis, ndim, used = 0, len(shape), None
    with_arrays = False
    for part in parts:
        kind = part.__class__
        if kind is int:
            if axis >= ndim or not -shape[axis] <= part < shape[axis]:
                _refuse_integer(part, axis, parts, shape)
            region.append(part)
            axis += 1
        elif kind is slice:
            region.append(ALL if axis < ndim and _takes_all(part, shape[axis]) else part)
            arrays.append(ALL)
            axis += 1
        elif part is None:
            region.append(None)
            arrays.append(ALL)
        elif part is Ellipsis:
            skipped = [ALL] * (ndim - _used(parts) if used is None else 0)
            used = ndim
            region += skipped
            arrays += skipped
            axis += len(skipped)
        else:
            with_arrays = True
            taken = _check_mask(part, axis, shape) if part.dtype == bool else 1
            region += [ALL] * taken if part.ndim else [None]
            arrays.append(part if part.ndim else part.reshape(1))
            axis += taken
    if axis > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    whole = len(region) == region.count(ALL)
    return (WHOLE if whole else (*region, Ellipsis)), tuple(arrays) if with_arrays else None


def _read_one(index: int | slice, shape: Shape) -> Key:
    """`read_index` of one integer or slice: a hot path."""
    if not shape:
        _refuse_zero_dimensions(index)
    if isinstance(index, int):
        if not -shape[0] <= index < shape[0]:
            _refuse_integer(index, 0, [index], shape)
        return index, Ellipsis
    part = _read_slice(index)
    return (ALL if _takes_all(part, shape[0]) else part), Ellipsis


def _takes_all(part: slice, size: int) -> bool:
    """Whether a slice takes all of a dimension, so that PyTorch does not count it as a step."""
    stop = part.stop
    return not part.start and (stop is None or stop >= size) and (part.step or 1) == 1


def _used(parts: list[Any]) -> int:
    return sum([_dimensions(part) for part in parts])


def _is_tuple(index: Any) -> bool:
    """Whether the entries of `index` stand for dimensions: those of a tuple do.

    So do those of a short list of mixed things, by an old rule of NumPy's that PyTorch keeps, and
    warns of.
    """
    if isinstance(index, tuple):
        return True
    if not isinstance(index, list | str) or len(index) >= _LONGEST:
        return False
    mixed = (TensorBase, np.ndarray, list, tuple, range, str, slice)
    if any(part is None or part is Ellipsis or isinstance(part, mixed) for part in index):
        warnings.warn(_AMBIGUOUS, UserWarning, stacklevel=5)
        return True
    return False


def _read_part(part: Any) -> Any:
    """One part of an index, as NumPy takes it: an int, a slice, None, … or an array of them.

    Arrays are copies: NumPy looks at indices and uses them afterwards, which other threads may
    have changed meanwhile.
    """
    if part is None or part is Ellipsis or part.__class__ is int:
        return part
    if isinstance(part, slice):
        return _read_slice(part)
    if isinstance(part, Tensor):
        if part._array.ndim == 0:
            note_untraceable()
        found = _read_array(part._array)
        return copied(found) if found is part._array else found
    if part.__class__ is range:
        return note_constant(np.arange(part.start, part.stop, part.step))
    if isinstance(part, bool):
        return np.asarray(part)
    if isinstance(part, list | tuple | str | np.ndarray):
        return note_constant(_read_sequence(part))
    try:
        return operator.index(part)
    except TypeError:
        name = f"numpy.{type(part).__name__}" if isinstance(part, np.generic) else None
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {name or type(part).__name__})"
        ) from None


def _read_slice(part: slice) -> slice:
    start, stop, step = part.start, part.stop, part.step
    if step is None and start.__class__ is int and stop.__class__ is int:
        return part
    start, stop, step = _bound(start), _bound(stop), _bound(step)
    if start is None and stop is None and step is None:
        return ALL
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step is not None and step < 0:
        raise ValueError("step must be greater than zero")
    return slice(start, stop, step)


def _bound(bound: Any) -> Any:
    if bound is None or bound.__class__ is int:
        return bound
    if not hasattr(bound, "__index__"):
        raise TypeError("slice indices must be integers or None or have an __index__ method")
    return operator.index(bound)


def _read_array(array: Array) -> Any:
    """The array of an index tensor, as NumPy takes it; an integer for one without dimensions."""
    kind = array.dtype.kind
    if kind == "b" or (kind == "i" and (array.itemsize > 2 or not array.ndim)):
        return array if array.ndim or kind == "b" else int(array)
    if array.dtype == np.uint8 and array.ndim == 0:
        return array.astype(bool)
    if array.dtype == np.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool "
            "instead.",
            UserWarning,
            stacklevel=5,
        )
        return array.astype(bool)
    raise IndexError("tensors used as indices must be long, int, byte or bool tensors")


def _read_sequence(part: Any) -> Array:
    """A list or an array of integers, or of bools (PyTorch cuts the fractions off numbers)."""
    if isinstance(part, str):
        raise TypeError("new(): invalid data type 'str'")
    if isinstance(part, np.ndarray):
        part = part.copy()
    else:
        part = np.array([each._array if isinstance(each, Tensor) else each for each in part])
    if part.dtype.kind not in "biuf":
        raise TypeError(f"an index cannot hold {part.dtype.type.__name__}: use integers or bools")
    if part.dtype in (bool, np.uint8):
        return np.asarray(_read_array(part))
    numbers: Array = part.astype(np.int64, copy=False)
    return numbers


def _dimensions(part: Any) -> int:
    """How many dimensions of the tensor a part of an index takes."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _refuse_zero_dimensions(index: int | slice) -> None:
    if isinstance(index, slice):
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    raise IndexError(
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` "
        "in C++ to convert a 0-dim tensor to a number"
    )


def _refuse_integer(number: int, axis: int, parts: list[Any], shape: Shape) -> None:
    if _used(parts) > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if not -(2**63) <= number < 2**63:
        raise ValueError("Overflow when unpacking long long")
    size = shape[axis] if axis < len(shape) else 0
    raise IndexError(f"index {number} is out of bounds for dimension {axis} with size {size}")


def _check_mask(mask: Array, axis: int, shape: Shape) -> int:
    """How many dimensions a mask takes up; IndexError unless it has the tensor's sizes there."""
    if axis + mask.ndim > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    for d, size in enumerate(mask.shape):
        if shape[axis + d] != size:
            raise IndexError(
                f"The shape of the mask {list(mask.shape)} at index {d} does not match the "
                f"shape of the indexed tensor {list(shape)} at index {axis + d}"
            )
    return mask.ndim


def explain_arrays(arrays: Key, shape: Shape) -> None:
    """Raise PyTorch's error for index arrays that NumPy refused on an array of `shape`."""
    sizes: list[Shape] = []
    for part in arrays:
        if isinstance(part, np.ndarray) and part.dtype == bool:
            sizes += [(int(np.count_nonzero(part)),)] * part.ndim
        elif isinstance(part, np.ndarray):
            sizes.append(part.shape)
    try:
        np.broadcast_shapes(*sizes)
    except ValueError:
        listed = ", ".join([str(list(size)) for size in sizes])
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
        ) from None
    axis = position = 0
    for part in arrays:
        if isinstance(part, np.ndarray) and part.dtype != bool:
            _check_bounds(part, position, shape[axis])
        axis += _dimensions(part)
        position += 0 if part is ALL else _dimensions(part)


def _check_bounds(array: Array, position: int, size: int) -> None:
    """`position` counts indexed dimensions only: PyTorch moves them to the front."""
    bad = array[(array < -size) | (array >= size)]
    if bad.size and size == 0:
        raise IndexError("index is out of bounds for dimension with size 0")
    if bad.size:
        raise IndexError(
            f"index {bad.flat[0]} is out of bounds for dimension {position} with size {size}"
        )


# Views and copies by index


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
    *before, index = key
    along = all(part is ALL for part in before)
    if along and index is not ALL and index.dtype.kind == "i" and input.flags.c_contiguous:
        out: Array = input.take(index, len(before))  # three times as fast
        return out
    out = input[key]
    return out if out.flags.c_contiguous else out.copy()


@primitive
def _index_backward(input: Array, *, key: Key, shape: Shape) -> Array:
    """zeros, with x added at key, as often as an element is named"""
    out = np.zeros(shape, input.dtype)
    *before, index = key
    along = all(part is ALL for part in before) and index is not ALL and index.dtype.kind == "i"
    if along and _add_slices(out, len(before), index.reshape(-1), input):
        return out
    if len(key) == 1 and key[0].dtype != bool and len(shape) > 1:
        _add_rows(out, key[0].reshape(-1), input)
    elif all(part is ALL or part.dtype == bool for part in key):
        out[key] = input
    else:
        np.add.at(out, key, input)
    return out


def _add_slices(out: Array, dim: int, index: Array, values: Array) -> bool:
    """Add slices along `dim` in a loop; whether it was done."""
    lead, after = math.prod(out.shape[:dim]), math.prod(out.shape[dim + 1 :])
    given = values.reshape(lead, index.size, after)
    return add_slices(out.reshape(lead, out.shape[dim], after), index, given)


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
    """Write `values` into an array, where arrays of indices say (None: everywhere)."""
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


def put_dtypes_differ(target: Tensor, values: Tensor) -> RuntimeError:
    """PyTorch's error for values of another type than the tensor that they are put into."""
    return RuntimeError(
        "Index put requires the source and destination dtypes match, got "
        f"{target.dtype.legacy_name} for the destination and {values.dtype.legacy_name} for the "
        "source."
    )


def _taken(x: Any, region: Key, arrays: Key | None) -> Any:
    """x at the arrays of indices in a region."""
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
    try:
        out = call_unary(_index, out, {"key": arrays})
        return must_not_change(out, *indices_in(index)) if out._record is not None else out
    except IndexError:
        explain_arrays(arrays, out._array.shape)
        raise


def indices_in(index: Any) -> list[Tensor]:
    """The tensors of an index."""
    parts = index if isinstance(index, tuple) else (index,)
    return [part for part in parts if isinstance(part, Tensor)]


def _view(input: Tensor, region: Key) -> Tensor:
    """x at integers, slices and None."""
    array = input._array[region]
    return call_view(_slice, input, array, {"key": region}, _node_of(region))


_UNSQUEEZE, _SELECT, _SLICE, _ALIAS = map(
    Record.named, ("UnsqueezeBackward0", "SelectBackward0", "SliceBackward0", "AliasBackward0")
)


def _node_of(region: Key) -> type[Record]:
    """PyTorch's node for the last step of taking a region; a slice that takes all is no step."""
    for part in reversed(region[:-1]):
        if part is None:
            return _UNSQUEEZE
        if part.__class__ is int:
            return _SELECT
        if part is not ALL:
            return _SLICE
    return _ALIAS if region is WHOLE else _SLICE


@operation
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice number `index` along `dim`, which disappears: a view.

    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis = read_dim(dim, len(shape))
    check_selected(shape, axis, index)
    return getitem(input, (ALL,) * axis + (int(index),))


def check_selected(shape: Shape, axis: int, index: int) -> None:
    """PyTorch's IndexError for a slice along `axis` that a tensor of this shape has not."""
    if not shape or not -shape[axis] <= index < shape[axis]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension "
            f"{axis}"
        )


@operation
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """`length` slices along `dim` from `start` on: a view.

    >>> torch.narrow(torch.tensor([1, 2, 3]), 0, 1, 2)
    tensor([2, 3])
    """
    shape = input._array.shape
    if isinstance(start, Tensor) and (start._array.ndim or start._array.dtype.kind not in "iu"):
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
    return named_as(out, "SliceBackward0")
