"""Whole slices along a dimension, named by a vector of indices: taken, added to, overwritten."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import Array, TensorBase, label, relies_on, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_number_fits, check_tensors, read_dim, torch_arguments
from .arithmetic import mul
from .casting import cast_to, copied, made
from .gathering import _scatter_add, check_index, with_dimension
from .index_keys import ALL, WHOLE, Key
from .indexing import _index, index_put
from .shapes import expand, reshape

__all__ = [
    "index_add",
    "index_copy",
    "index_fill",
    "index_select",
]


def _read_vector(name: str, input: Tensor, dim: int, index: Tensor) -> tuple[int, Array]:
    """The dimension, and a vector of indices of what is along it."""
    check_tensors(name.rstrip("_"), input=input)
    check_index(name.rstrip("_"), index)
    axis = read_dim(dim, input._array.ndim)
    array: Array = index._array
    if array.ndim > 1:
        error = RuntimeError if name == "index_fill_" else IndexError
        raise error(f"{name}(): Index is supposed to be a vector, not {array.ndim}-dimensional")
    wanted = (np.int64,) if name in ("index_fill_", "index_copy_") else (np.int64, np.int32)
    if array.dtype not in wanted:
        error = IndexError if name == "index_fill_" else RuntimeError
        raise error(
            f"{name}(): Expected dtype {'/'.join(np.dtype(kind).name for kind in wanted)} for "
            f"index, but got {index.dtype.legacy_name}"
        )
    return axis, array if array.ndim else array.reshape(1)


class OutOfBounds(IndexError, RuntimeError):
    """An index out of bounds: PyTorch raises one class or the other, by the loop that it takes."""


def _check_bounds(
    name: str, input: Tensor, axis: int, array: Array, negative: bool = False
) -> Array:
    """The indices, counted from the front; PyTorch's class of error for one out of bounds."""
    size = input._array.shape[axis] if input._array.ndim else 1
    bad = array[(array >= size) | (array < -size * negative)]
    if bad.size:
        raise OutOfBounds(
            f"{name}(): index {bad[0]} is out of bounds for dimension {axis} with size {size}"
        )
    return array % max(size, 1) if negative else copied(array)


@torch_arguments
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices number `index` (a vector) along `dim`.

    >>> import tinygrad_mnist as torch
    >>> torch.index_select(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([1, 1]))
    tensor([[2, 2],
            [4, 4]])
    """
    axis, array = _read_vector("index_select", input, dim, index)
    if input._array.ndim == 0 and array.size != 1:
        raise RuntimeError(
            f"index_select(): Index to scalar can have only 1 value, got {array.size} value(s)"
        )
    array = _check_bounds("index_select", input, axis, array)
    key: Key = ((ALL,) * axis + (array,)) if input._array.ndim else (made(np.zeros((), np.int64)),)
    out = relies_on(_index(with_dimension(input), key=key), index)
    return label(out, "IndexSelectBackward0")


@torch_arguments
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """`input` with alpha · `source` added to the slices number `index` along `dim`."""
    axis, array = _read_vector("index_add_", input, dim, index)
    have, want = source._array.shape, input._array.shape
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"index_add_(): self ({input.dtype.legacy_name}) and source "
            f"({source.dtype.legacy_name}) must have the same scalar type"
        )
    if not have and array.size != 1:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if have and have[axis : axis + 1] not in ((array.size,), ()):
        raise RuntimeError(
            f"index_add_(): Number of indices ({array.size}) should be equal to source.size(dim): "
            f"({have[axis]}), for dim: {axis}"
        )
    if len(have) != len(want) or have[:axis] + have[axis + 1 :] != want[:axis] + want[axis + 1 :]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(want)} source.shape = {list(have)}"
        )
    array = _check_bounds("index_add_", input, axis, array)
    alpha = alpha if input._array.dtype.kind == "f" else int(alpha)
    added = with_dimension(source if alpha == 1 else mul(source, alpha))
    along = reshape(wrap(array), [-1 if d == axis else 1 for d in range(added._array.ndim)])
    places = expand(along, added._array.shape)
    out = _scatter_add(with_dimension(input), added, dim=axis, index=places._array)
    return label(reshape(out, input._array.shape), "IndexAddBackward0")


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with the slices of `source` in place of those number `index` along `dim`."""
    axis, array = _read_vector("index_copy_", input, dim, index)
    _check_copied(input, source, axis, array.size)
    array = _check_bounds("index_copy_", input, axis, array)
    key = (ALL,) * axis + (array,)
    out = index_put(with_dimension(input), with_dimension(source), region=WHOLE, arrays=key)
    return label(reshape(out, input._array.shape), "IndexCopyBackward0")


def _check_copied(input: Tensor, source: Tensor, axis: int, count: int) -> None:
    """Raise PyTorch's error where `source` does not fit `count` slices along `axis`."""
    have, want = source._array.shape, input._array.shape
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.legacy_name} and (source) {source.dtype.legacy_name}"
        )
    if not have and count != 1:
        raise IndexError(
            f"index_copy_(): When source is scalar, index should have one element (got {count})"
        )
    if have and want and len(have) != len(want):
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality "
            f"must match. Source dimensionality ({len(have)}), destination dimensionality "
            f"({len(want)})"
        )
    slices = [shape[:axis] + shape[axis + 1 :] for shape in (have, want)]
    if slices[0] != slices[1]:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            f"slice shape: {list(slices[1])} at dimension {axis} and source slice shape: "
            f"{list(slices[0])} at dimension 0."
        )
    if have and have[axis] != count:
        raise IndexError(
            f"index_copy_(): Number of indices ({count}) should be equal to source.size(dim) "
            f"({have[axis]})"
        )


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """`input` with `value` (a number or a 0-d tensor) in the slices number `index` along `dim`."""
    axis, array = _read_vector("index_fill_", input, dim, index)
    with_tensor = isinstance(value, TensorBase)
    if not with_tensor and not isinstance(value, bool | int | float | np.generic):
        raise TypeError(
            f"index_fill(): argument 'value' (position 4) must be Tensor or Number, not "
            f"{type(value).__name__}"
        )
    if with_tensor and value._array.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    if with_tensor and value.requires_grad and input._array.dtype.kind != "f":
        raise RuntimeError(f"Autograd not support dtype: {input.dtype.name}")
    check_number_fits(value, input.dtype)
    array = _check_bounds("index_fill_", input, axis, array, negative=True)
    key = (ALL,) * axis + (np.unique(array),)
    filling = cast_to(value, input.dtype) if with_tensor else dtypes.cast(value, input.dtype)
    out = index_put(with_dimension(input), filling, region=WHOLE, arrays=key)
    return label(reshape(out, input._array.shape), f"IndexFillBackward{int(with_tensor)}")
