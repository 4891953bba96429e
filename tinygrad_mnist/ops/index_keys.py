"""Reading what stands between the brackets of x[...], as PyTorch reads it."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import Array, TensorBase

from .casting import decides, made

Key = tuple[Any, ...]

ALL = slice(None)
WHOLE: Key = (Ellipsis,)
"""The region that is all of a tensor. (With … a region of an array is an array, never a number.)"""

_LONGEST = 32
_AMBIGUOUS = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed "
    "in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted "
    "as tensor index, x[torch.tensor(seq)], which will result either in an error or a different "
    "result"
)


def read_index(index: Any, shape: tuple[int, ...]) -> tuple[Key, Key | None]:
    """An index as two NumPy keys: integers, slices and None first, then arrays on what these leave.

    Taking them one after the other gives PyTorch's order of dimensions, which differs from
    NumPy's where integers and arrays mix. Raises IndexError for what does not fit `shape`.
    """
    kind = index.__class__
    if kind is int or kind is slice:
        return _read_one(index, shape), None
    if not _is_tuple(index):
        index = (index,)
    elif isinstance(index, str) and len(index) > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    parts = [_entry(part) for part in index]
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


def _read_one(index: int | slice, shape: tuple[int, ...]) -> Key:
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


def _entry(part: Any) -> Any:
    """One part of an index, as NumPy takes it: an int, a slice, None, … or an array of them."""
    if part is None or part is Ellipsis or part.__class__ is int:
        return part
    if isinstance(part, slice):
        return _read_slice(part)
    if isinstance(part, TensorBase):
        if part._array.ndim == 0:
            decides()
        return _read_array(part._array)
    if part.__class__ is range:
        return made(np.arange(part.start, part.stop, part.step))
    if isinstance(part, bool):
        return np.asarray(part)
    if isinstance(part, list | tuple | str | np.ndarray):
        return made(_read_sequence(part))
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
    if kind == "i" or kind == "b":
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
    if not isinstance(part, np.ndarray):
        part = np.array([each._array if isinstance(each, TensorBase) else each for each in part])
    if part.dtype.kind not in "biuf":
        raise TypeError(f"an index cannot hold {part.dtype.type.__name__}: use integers or bools")
    if part.dtype in (bool, np.uint8):
        return np.asarray(_read_array(part))
    numbers: Array = part.astype(np.int64, copy=False)
    return numbers


def _dimensions(part: Any) -> int:
    """How many dimensions of the tensor a part of an index takes up."""
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


def _refuse_integer(number: int, axis: int, parts: list[Any], shape: tuple[int, ...]) -> None:
    if _used(parts) > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if not -(2**63) <= number < 2**63:
        raise ValueError("Overflow when unpacking long long")
    size = shape[axis] if axis < len(shape) else 0
    raise IndexError(f"index {number} is out of bounds for dimension {axis} with size {size}")


def _check_mask(mask: Array, axis: int, shape: tuple[int, ...]) -> int:
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


def explain_arrays(arrays: Key, shape: tuple[int, ...]) -> None:
    """Raise PyTorch's error for index arrays that NumPy refused on an array of `shape`."""
    sizes: list[tuple[int, ...]] = []
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
    axis = place = 0
    for part in arrays:
        if isinstance(part, np.ndarray) and part.dtype != bool:
            _check_bounds(part, place, shape[axis])
        axis += _dimensions(part)
        place += 0 if part is ALL else _dimensions(part)


def _check_bounds(array: Array, place: int, size: int) -> None:
    """`place` counts indexed dimensions only: PyTorch moves them to the front."""
    bad = array[(array < -size) | (array >= size)]
    if bad.size and size == 0:
        raise IndexError("index is out of bounds for dimension with size 0")
    if bad.size:
        raise IndexError(
            f"index {bad.flat[0]} is out of bounds for dimension {place} with size {size}"
        )
