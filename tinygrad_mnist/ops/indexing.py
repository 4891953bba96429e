"""Taking numbers out of a tensor by their place, and putting them back."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_mnist.calling import call_unary
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import label, TensorBase

from .arguments import read_dim

__all__ = [
    "gather",
]

Tensor = Any
Key = tuple[Any, ...]


@primitive(view=True, grad_fn="SliceBackward0")
def _slice(input, *, key):
    """x[key], where key holds integers, slices and None: a view"""
    return input[key]


@primitive(grad_fn="IndexBackward0")
def _index(input, *, key):
    """x[key], where key holds arrays of indices: a copy"""
    return input[key]


@primitive
def _put(input, *, key, shape):
    """zeros, with x added at key"""
    out = np.zeros(shape, input.dtype)
    if any(isinstance(part, np.ndarray) and part.dtype != bool for part in key):
        np.add.at(out, key, input)
    else:
        out[key] = input
    return out


_slice.derivatives(input=lambda g, key, shape: _put(g, key=key, shape=shape))
_index.derivatives(input=lambda g, key, shape: _put(g, key=key, shape=shape))
_put.derivatives(input=lambda g, key: _index(g, key=key))


@primitive(grad_fn="CopySlices")
def index_put(input, values, *, key):
    """x, with values at key"""
    out = input.copy()
    out[key] = values
    return out


index_put.derivatives(
    input=lambda g, key: _cleared(g, key=key),
    values=lambda g, key: _index(g, key=key),
)


@primitive
def _cleared(input, *, key):
    """x, with 0 at key"""
    out = input.copy()
    out[key] = 0
    return out


_cleared.derivatives(input=lambda g, key: _cleared(g, key=key))


@primitive(grad_fn="GatherBackward0")
def _gather(input, *, dim, index):
    """x at index along dim"""
    return np.take_along_axis(input[tuple(map(slice, _extent(input, index, dim)))], index, dim)


def _extent(input, index, dim):
    """How much of `input` an index reaches: all along `dim`, its own size elsewhere."""
    return [input.shape[d] if d == dim else n for d, n in enumerate(index.shape)]


@primitive(grad_fn="ScatterAddBackward0")
def _scatter_add(input, src, *, dim, index):
    """x, with src added at index along dim"""
    out = input.copy()
    grid = list(np.ogrid[tuple(map(slice, index.shape))])
    grid[dim] = index
    np.add.at(out, tuple(grid), src[tuple(map(slice, index.shape))])
    return out


def _scattered(g, dim, index, shape):
    grid = list(np.ogrid[tuple(map(slice, index.shape))])
    grid[dim] = index
    return _put(g, key=tuple(grid), shape=shape)


_gather.derivatives(input=_scattered)
_scatter_add.derivatives(
    input=lambda g: g,
    src=lambda g, dim, index, shape: _padded(_gather(g, dim=dim, index=index), shape),
)


def _padded(g, shape):
    if g.shape == shape:
        return g
    return _put(g, key=tuple(map(slice, g.shape)), shape=shape)


def _indices(name, dim, index, input):
    """The index tensor's array, its bounds checked and negative places refused."""
    array = index._array
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
        raise RuntimeError(
            "Index tensor must have the same number of dimensions as input tensor"
        )
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


def _entry(part: Any) -> Any:
    """One part of an index, as NumPy takes it: an int, a slice, None, Ellipsis or an array."""
    if part is None or part is Ellipsis or part.__class__ is int:
        return part
    if isinstance(part, slice):
        return _read_slice(part)
    if isinstance(part, TensorBase):
        part = part._array
    elif isinstance(part, range):
        return np.arange(part.start, part.stop, part.step)
    elif isinstance(part, bool | np.bool_):
        return np.asarray(part)
    elif isinstance(part, list | tuple):
        part = np.array([p.item() if isinstance(p, TensorBase) else p for p in part])
        part = part.astype(np.int64) if part.size == 0 else part
    if isinstance(part, np.ndarray | np.generic):
        if part.dtype == np.uint8:
            part = part.astype(bool)
        if part.dtype != bool and part.dtype.kind not in "iu":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return int(part) if part.ndim == 0 and part.dtype != bool else np.asarray(part)
    try:
        return operator.index(part)
    except TypeError:
        raise TypeError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {type(part).__name__})"
        ) from None


def _read_slice(part: slice) -> slice:
    bounds = [None if b is None else operator.index(b) for b in (part.start, part.stop, part.step)]
    if bounds[2] is not None and bounds[2] <= 0:
        raise ValueError("step must be greater than zero")
    return slice(*bounds)


def read_key(index: Any, shape: tuple[int, ...]) -> tuple[Key, Key | None]:
    """An index as two keys: integers, slices and None first, then arrays on what these leave.

    Taking them one after the other gives PyTorch's order of dimensions, which differs from
    NumPy's where integers and arrays mix. Raises IndexError for what does not fit `shape`.
    """
    parts = [_entry(part) for part in (index if isinstance(index, tuple) else (index,))]
    used = sum(_dimensions(part) for part in parts)
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    place = next(i for i, part in enumerate(parts) if part is Ellipsis)
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    parts[place : place + 1] = [slice(None)] * (len(shape) - used)
    basic: list[Any] = []
    arrays: list[Any] = []
    axis = 0
    for position, part in enumerate(parts):
        if isinstance(part, np.ndarray):
            _check_array(part, position, axis, shape)
            basic.extend([slice(None)] * (part.ndim if part.dtype == bool else 1))
            if part.dtype == bool and part.ndim == 0:
                basic.append(None)
                part = part.reshape(1)
            arrays.append(part)
        else:
            if part.__class__ is int and not -shape[axis] <= part < shape[axis]:
                raise IndexError(
                    f"index {part} is out of bounds for dimension {axis} with size {shape[axis]}"
                )
            basic.append(part)
            if part.__class__ is not int:
                arrays.append(slice(None))
        axis += _dimensions(part)
    has_arrays = any(isinstance(part, np.ndarray) for part in arrays)
    return (*basic, Ellipsis), tuple(arrays) if has_arrays else None


def _dimensions(part: Any) -> int:
    """How many dimensions of the tensor a part of an index consumes."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _check_array(part: Any, position: int, axis: int, shape: tuple[int, ...]) -> None:
    if part.dtype == bool:
        for d, size in enumerate(part.shape):
            if shape[axis + d] != size:
                raise IndexError(
                    f"The shape of the mask {list(part.shape)} at index {d} does not match the "
                    f"shape of the indexed tensor {list(shape)} at index {axis + d}"
                )
    elif part.size and (part.min() < -shape[axis] or part.max() >= shape[axis]):
        bad = part[(part < -shape[axis]) | (part >= shape[axis])].flat[0]
        raise IndexError(
            f"index {bad} is out of bounds for dimension {axis} with size {shape[axis]}"
        )


def _name_of(key: Key) -> str:
    """PyTorch's name for the last step of a basic index."""
    for part in reversed(key[:-1]):
        if part is None:
            return "UnsqueezeBackward0"
        if part.__class__ is int:
            return "SelectBackward0"
        if part != slice(None):
            return "SliceBackward0"
    return "SliceBackward0" if key[:-1] else "AliasBackward0"


def getitem(input: Tensor, index: Any) -> Tensor:
    """`input[index]` as PyTorch has it: a view for integers, slices, None and …, else a copy."""
    if index.__class__ is slice and input._record is None and input._view is None:
        key: Key = (_read_slice(index), Ellipsis)
        if input._array.ndim:
            return call_unary(_slice, input, {"key": key})
    array = input._array
    key, arrays = read_key(index, array.shape)
    trivial = arrays is not None and all(part == slice(None) for part in key if part is not Ellipsis)
    out = input if trivial else call_unary(_slice, input, {"key": key})
    if arrays is None:
        return label(out, _name_of(key))
    try:
        return call_unary(_index, out, {"key": arrays})
    except IndexError as error:
        raise IndexError(f"shape mismatch: indexing tensors could not be broadcast: {error}") from None


def one_key(index: Any, array: Any) -> Key:
    """`index` as a single NumPy key for `array` (integers beside arrays become arrays of their own)."""
    key, arrays = read_key(index, array.shape)
    if arrays is None:
        return key
    places = np.arange(array.size).reshape(array.shape)[key][arrays]
    return np.unravel_index(places, array.shape)
