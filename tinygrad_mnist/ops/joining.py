"""Operations that join tensors, and that take them apart again."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, TensorBase, label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import ONE_OF_SEVERAL, forbid_change

from .arguments import check_elements, read_dim, tensor_first, torch_arguments
from .casting import cast_to, decides
from .indexing import getitem
from .shapes import reshape, unsqueeze

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "cat",
    "chunk",
    "column_stack",
    "concat",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "row_stack",
    "split",
    "split_with_sizes",
    "stack",
    "tensor_split",
    "vsplit",
    "vstack",
]

Shape = tuple[int, ...]


@primitive(grad_fn="CatBackward0")
def _cat(*tensors: Array, dim: int, starts: Shape) -> Any:
    """x₁, x₂, … one after the other"""
    return np.concatenate([x for x in tensors if x.shape != (0,)] or tensors, axis=dim)


def _piece(g: Any, dim: int, starts: Shape, position: int) -> Any:
    piece = slice(starts[position], starts[position + 1])
    return g[(slice(None),) * dim + (piece,)]


_cat.derivatives(tensors=_piece)


def _check_joinable(name: str, tensors: Any) -> None:
    if isinstance(tensors, TensorBase) or not isinstance(tensors, tuple | list):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, "
            f"not {type(tensors).__name__}"
        )
    if not tensors:
        if name == "cat":
            raise ValueError("torch.cat(): expected a non-empty list of Tensors")
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, TensorBase):
            raise TypeError(
                f"expected Tensor as element {position} in argument 0, "
                f"but got {type(tensor).__name__}"
            )


def _check_sizes(shapes: list[Shape], model: Shape, axis: int) -> None:
    """Raise PyTorch's error unless all shapes agree outside `axis`; shape (0,) goes with any."""
    for position, shape in enumerate(shapes):
        if shape == (0,):
            continue
        if len(shape) != len(model):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(model)} and {len(shape)}"
            )
        if shape[:axis] + shape[axis + 1 :] != model[:axis] + model[axis + 1 :]:
            wrong = next(d for d in range(len(model)) if d != axis and shape[d] != model[d])
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {axis}. Expected size "
                f"{model[wrong]} but got size {shape[wrong]} for tensor number {position} in the "
                "list."
            )


@torch_arguments
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """The tensors one after the other along `dim`; their other sizes must be equal.

    >>> import tinygrad_mnist as torch
    >>> torch.cat([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    _check_joinable("cat", tensors)
    shapes = [tensor._array.shape for tensor in tensors]
    if any(not shape for shape in shapes):
        position = next(i for i, shape in enumerate(shapes) if not shape)
        raise RuntimeError(
            f"zero-dimensional tensor (at position {position}) cannot be concatenated"
        )
    model = next((shape for shape in shapes if shape != (0,)), (0,))
    axis = read_dim(dim, len(model))
    _check_sizes(shapes, model, axis)
    kind = dtypes.promote(tuple([tensor._array for tensor in tensors]))
    lengths = [0 if shape == (0,) else shape[axis] for shape in shapes]
    starts = tuple(itertools.accumulate(lengths, initial=0))
    return _cat(*[cast_to(tensor, kind) for tensor in tensors], dim=axis, starts=starts)


@torch_arguments
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of equal shape side by side along a new dimension `dim`."""
    _check_joinable("stack", tensors)
    model = tensors[0]._array.shape
    place = read_dim(dim, len(model) + 1)
    for position, tensor in enumerate(tensors):
        if tensor._array.shape != model:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(model)} at entry 0 "
                f"and {list(tensor._array.shape)} at entry {position}"
            )
    return label(cat([unsqueeze(tensor, place) for tensor in tensors], place), "StackBackward0")


def _at_least(ndim: int, tensors: tuple[Any, ...]) -> Any:
    """The tensors with new dimensions of size 1 where they have fewer than `ndim`."""
    if len(tensors) == 1 and isinstance(tensors[0], TensorBase):
        return _raised(tensors[0], ndim)
    given = tensors[0] if len(tensors) == 1 else tensors
    check_elements(given)
    return tuple([_raised(tensor, ndim) for tensor in given])


def _raised(tensor: Tensor, ndim: int) -> Tensor:
    if tensor._array.ndim == 0:
        return reshape(tensor, (1,) * ndim)
    while tensor._array.ndim < ndim:
        tensor = unsqueeze(tensor, -1 if tensor._array.ndim == 2 else 0)
    return tensor


def atleast_1d(*tensors: Any) -> Any:
    """The tensor (or each of them) with one dimension at least."""
    return _at_least(1, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """The tensor (or each of them) with two dimensions at least: a vector becomes a row."""
    return _at_least(2, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """The tensor (or each of them) with three dimensions at least."""
    return _at_least(3, tensors)


@torch_arguments
def hstack(tensors: Any) -> Tensor:
    """The tensors side by side: along the second dimension, vectors along their only one.

    >>> import tinygrad_mnist as torch
    >>> torch.hstack([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    _check_joinable("hstack", tensors)
    raised = atleast_1d(*tensors) if len(tensors) > 1 else (atleast_1d(tensors[0]),)
    return cat(raised, 0 if raised[0]._array.ndim == 1 else 1)


@torch_arguments
def vstack(tensors: Any) -> Tensor:
    """The tensors one below the other: along the first dimension, vectors as rows.

    >>> import tinygrad_mnist as torch
    >>> torch.vstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    _check_joinable("vstack", tensors)
    return cat([_raised(tensor, 2) for tensor in tensors], 0)


@torch_arguments
def dstack(tensors: Any) -> Tensor:
    """The tensors one behind the other, along the third dimension."""
    _check_joinable("dstack", tensors)
    return cat([_raised(tensor, 3) for tensor in tensors], 2)


@torch_arguments
def column_stack(tensors: Any) -> Tensor:
    """The tensors side by side, vectors and numbers as columns."""
    _check_joinable("column_stack", tensors)
    columns = [
        reshape(tensor, tensor._array.size, 1) if tensor._array.ndim < 2 else tensor
        for tensor in tensors
    ]
    return hstack(columns)


def _pieces(input: Tensor, dim: int, bounds: list[int], name: str) -> tuple[Tensor, ...]:
    """The slices of `input` along `dim` between neighbours among `bounds`: views."""
    lead = (slice(None),) * dim
    parts = [getitem(input, (*lead, slice(*pair))) for pair in itertools.pairwise(bounds)]
    if name != "SliceBackward0":
        parts = [forbid_change(part, ONE_OF_SEVERAL) for part in parts]
    return tuple([label(part, name) for part in parts])


@tensor_first
def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into pieces of one size (the last may be shorter), or of sizes given.

    The pieces are views. Raises RuntimeError when sizes do not add up.

    >>> import tinygrad_mnist as torch
    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if not isinstance(split_size_or_sections, int):
        return split_with_sizes(input, split_size_or_sections, dim)
    size = split_size_or_sections
    shape = input._array.shape
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    axis = read_dim(dim, len(shape))
    length = shape[axis]
    if size == 0 and length:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {length}"
        )
    bounds = [*range(0, length, max(size, 1)), length] if length else [0, 0]
    return _pieces(input, axis, bounds, "SplitBackward0")


@tensor_first
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into pieces of the sizes given: `split`."""
    sizes = [int(size) for size in split_sizes]
    shape = input._array.shape
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    axis = read_dim(dim, len(shape))
    if any(size < 0 for size in sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={sizes}"
        )
    if sum(sizes) != shape[axis]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[axis]} (input tensor's "
            f"size at dimension {axis}), but got split_sizes={sizes}"
        )
    bounds = list(itertools.accumulate(sizes, initial=0))
    return _pieces(input, axis, bounds, "SplitWithSizesBackward0")


@tensor_first
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into at most `chunks` pieces of one size, the last may be shorter.

    >>> import tinygrad_mnist as torch
    >>> torch.chunk(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if input._array.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = read_dim(dim, input._array.ndim)
    length = input._array.shape[axis]
    if length == 0:
        return _pieces(input, axis, [0] * (chunks + 1), "SplitWithSizesBackward0")
    return split(input, -(-length // chunks), axis)


@tensor_first
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into nearly equal pieces, or at the indices given.

    >>> import tinygrad_mnist as torch
    >>> torch.tensor_split(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if input._array.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    axis = read_dim(dim, input._array.ndim)
    length = input._array.shape[axis]
    given = indices_or_sections
    if isinstance(given, TensorBase):
        decides()
        given = given._array.tolist()
    if isinstance(given, int):
        if given <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {given}")
        small, extra = divmod(length, given)
        sizes = [small + (part < extra) for part in range(given)]
        bounds = list(itertools.accumulate(sizes, initial=0))
        return _pieces(input, axis, bounds, "SliceBackward0")
    starts, stops = [0, *given], [*given, length]
    lead = (slice(None),) * axis
    parts = [getitem(input, (*lead, slice(*pair))) for pair in zip(starts, stops, strict=True)]
    return tuple([label(part, "SliceBackward0") for part in parts])


def _split_along(name: str, least: int, dim: int, input: Tensor, given: Any) -> tuple[Tensor, ...]:
    ndim = input._array.ndim
    if ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} "
            f"dimension{'s' * (least > 1)}, but got a tensor with {ndim} dimensions!"
        )
    if isinstance(given, int) and (given == 0 or input._array.shape[dim] % given):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{input._array.shape[dim]} is not divisible by the split_size {given}!"
        )
    return tensor_split(input, given, dim)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along the second dimension, of a vector along its only one."""
    return _split_along("hsplit", 1, int(input._array.ndim > 1), input, indices_or_sections)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along the first dimension."""
    return _split_along("vsplit", 2, 0, input, indices_or_sections)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along the third dimension."""
    return _split_along("dsplit", 3, 2, input, indices_or_sections)


concat, concatenate, row_stack = cat, cat, vstack
