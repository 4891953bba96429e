"""Operations that turn, shift and repeat: the same numbers at other places, perhaps often."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.record import TensorBase, label, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_elements, check_tensors, read_dim, read_sizes, tensor_first
from .casting import _clone, clone
from .index_keys import ALL
from .indexing import _slice, getitem
from .joining import cat
from .shapes import expand, permute, reshape, transpose
from .slices import index_select

__all__ = [
    "flip",
    "fliplr",
    "flipud",
    "meshgrid",
    "ravel",
    "repeat_interleave",
    "roll",
    "rot90",
    "tile",
]


def flip(input: Tensor, *dims: Any, **named: Any) -> Tensor:
    """The numbers along `dims` in reverse order, a copy.

    >>> import tinygrad_mnist as torch
    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    check_tensors("flip", input=input)
    ndim = input._array.ndim
    given = read_sizes("flip", "dims", dims, named)
    axes = [read_dim(d, ndim) for d in given]
    if len(set(axes)) != len(axes):
        twice = next(d for d in axes if axes.count(d) > 1)
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    if ndim == 0:
        return label(clone(input), "FlipBackward0")
    key = tuple([slice(None, None, -1) if d in axes else ALL for d in range(ndim)])
    return label(clone(call_unary(_slice, input, {"key": key})), "FlipBackward0")


@tensor_first
def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order."""
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


@tensor_first
def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order."""
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """The numbers moved on by `shifts` places along `dims`; what leaves comes in at the other end.

    Without `dims` the flattened tensor is rolled.

    >>> import tinygrad_mnist as torch
    >>> torch.roll(torch.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    check_tensors("roll", input=input)
    steps = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
    axes = () if dims is None else tuple(dims) if isinstance(dims, tuple | list) else (dims,)
    if not steps:
        raise RuntimeError("`shifts` required")
    if not axes and len(steps) == 1:
        flat = roll(reshape(input, -1), steps, 0)
        return label(reshape(flat, input._array.shape), "RollBackward0")
    if len(steps) != len(axes):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}"
        )
    if input._array.ndim == 0:
        raise IndexError(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    out = input
    for step, dim in zip(steps, axes, strict=True):
        out = _rolled(out, step, read_dim(dim, input._array.ndim))
    return label(clone(out) if out is input else out, "RollBackward0")


def _rolled(x: Tensor, step: int, axis: int) -> Tensor:
    size = x._array.shape[axis] if x._array.ndim else 0
    first = -step % size if size else 0
    if not first:
        return x
    lead = (ALL,) * axis
    parts = [getitem(x, (*lead, slice(first, None))), getitem(x, (*lead, slice(first)))]
    return cat(parts, axis)


@tensor_first
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """The tensor turned by `k` quarters of a circle in the plane of `dims`."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input._array.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input._array.ndim}")
    first, second = (read_dim(d, input._array.ndim) for d in dims)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    turned = input
    if k % 4:
        axes = (first, second) if k % 4 == 2 else (second,) if k % 4 == 1 else (first,)
        turned = flip(input, axes)
    if k % 2:
        turned = transpose(turned, first, second)
    return label(_clone(turned, in_order=True), "Rot90Backward0")


def repeat(input: Tensor, *repeats: Any, **named: Any) -> Tensor:
    """The tensor repeated so often along each dimension, a copy (a method of Tensor only).

    More numbers than dimensions make new leading dimensions.

    >>> import tinygrad_mnist as torch
    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    counts = read_sizes("repeat", "repeats", repeats, named)
    shape = input._array.shape
    if len(counts) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if any(count < 0 for count in counts):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(counts)}")
    shape = (1,) * (len(counts) - len(shape)) + shape
    apart = [size for n in shape for size in (1, n)]
    stretched = [size for pair in zip(counts, shape, strict=True) for size in pair]
    final = [count * n for count, n in zip(counts, shape, strict=True)]
    out = reshape(clone(expand(reshape(input, apart), stretched)), final)
    return label(out, "RepeatBackward0")


@tensor_first
def tile(input: Tensor, *dims: Any, **named: Any) -> Tensor:
    """The tensor repeated so often along its last dimensions.

    >>> import tinygrad_mnist as torch
    >>> torch.tile(torch.tensor([[1, 2]]), (2,))
    tensor([[1, 2, 1, 2]])
    """
    counts = read_sizes("tile", "dims", dims, named)
    return repeat(input, (1,) * (input._array.ndim - len(counts)) + counts)


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each number (or with `dim`, each slice along it) repeated in its place.

    `repeats` is one number, or a tensor of one for each. Given alone, it yields the indices.

    >>> import tinygrad_mnist as torch
    >>> torch.repeat_interleave(torch.tensor([7, 8]), 2)
    tensor([7, 7, 8, 8])
    """
    check_tensors("repeat_interleave", input=input)
    if repeats is None:
        return wrap(np.repeat(np.arange(input._array.size), input._array))
    x = reshape(input, -1) if dim is None or not input._array.ndim else input
    axis = 0 if dim is None else read_dim(dim, input._array.ndim)
    if isinstance(repeats, int) and repeats >= 0:
        return _each_repeated(x, repeats, axis)
    counts = repeats._array if isinstance(repeats, TensorBase) else np.asarray(repeats)
    size = x._array.shape[axis]
    if np.any(counts < 0):
        raise RuntimeError("repeats can not be negative")
    if counts.size not in (1, size):
        raise RuntimeError("repeats must have the same size as input along dim")
    places = np.repeat(np.arange(size), counts)
    return index_select(x, axis, wrap(places))


def _each_repeated(x: Tensor, count: int, axis: int) -> Tensor:
    shape = list(x._array.shape)
    before, after = shape[: axis + 1], shape[axis + 1 :]
    apart = expand(reshape(x, [*before, 1, *after]), [*before, count, *after])
    return reshape(clone(apart), [*before[:-1], before[-1] * count, *after])


@tensor_first
def ravel(input: Tensor) -> Tensor:
    """The numbers as a vector."""
    return reshape(input, -1)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """For vectors of coordinates, a tensor each of the coordinates at all points of their grid.

    `indexing` "ij" puts the first vector along the first dimension, "xy" along the second.

    >>> import tinygrad_mnist as torch
    >>> x, y = torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4]), indexing="ij")
    >>> y
    tensor([[3, 4],
            [3, 4]])
    """
    given = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], TensorBase) else tensors
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    check_elements(given)
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
            UserWarning,
            stacklevel=2,
        )
    elif indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    if any(tensor._array.ndim > 1 for tensor in given):
        wrong = next(tensor for tensor in given if tensor._array.ndim > 1)
        raise RuntimeError(
            f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {wrong!r}"
        )
    if len({tensor._array.dtype for tensor in given}) > 1:
        raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    shape = tuple([tensor._array.size for tensor in given])
    order = list(range(len(shape)))
    if indexing == "xy" and len(shape) > 1:
        order[:2] = [1, 0]
    grids = [
        expand(reshape(tensor, [-1 if d == axis else 1 for d in range(len(shape))]), shape)
        for axis, tensor in enumerate(given)
    ]
    if order == sorted(order):
        return tuple(grids)
    return tuple([label(permute(grid, order), "ExpandBackward0") for grid in grids])
