"""Joining tensors along a dimension, and splitting them."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.calls import call, call_binary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.outputs import only_recorded, share_record, views_of
from tinygrad_mnist.engine.primitive import Primitive, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Dims
from tinygrad_mnist.engine.views import ONE_OF_SEVERAL, current_record

from .arguments import (
    check_elements,
    operation,
    read_dim,
)
from .casting import cast_to
from .indexing import (
    ALL,
    _slice,
    _slice_backward,
    getitem,
)
from .shapes import reshape, unsqueeze

Shape = tuple[int, ...]


@primitive(grad_fn="CatBackward0")
def _cat(*tensors: Array, dim: int, starts: Shape) -> Any:
    """x₁, x₂, … one after the other"""
    try:
        return np.concatenate(tensors, dim)
    except ValueError:  # of one without elements, which goes with any
        return np.concatenate([x for x in tensors if x.shape != (0,)], dim)


def _part(g: Any, dim: int, starts: Shape, position: int) -> Any:
    """g where this x is."""
    return g[(ALL,) * dim + (slice(starts[position], starts[position + 1]),)]


_cat.derivatives(tensors=_part)


@primitive(grad_fn="StackBackward0")
def _stack(*tensors: Array, dim: int) -> Any:
    """x₁, x₂, … side by side"""
    if dim == 0:
        return np.array(tensors)
    key = (ALL,) * dim + (None,)
    return np.concatenate([x[key] for x in tensors], dim)


_stack.derivatives(tensors=lambda g, dim, position: g[(ALL,) * dim + (position,)])


def _check_sequence(name: str, tensors: object) -> None:
    if isinstance(tensors, Tensor) or not isinstance(tensors, tuple | list):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, "
            f"not {type(tensors).__name__}"
        )
    if not tensors:
        if name == "cat":
            raise ValueError("torch.cat(): expected a non-empty list of Tensors")
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    check_elements(tensors)


def _alike(tensors: Any) -> Shape | None:
    """The shape, if these are Tensors in a list or tuple that have one shape and one type."""
    if tensors.__class__ not in SEQUENCES:
        return None
    shape = kind = None
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            return None
        array = tensor._array
        if shape is None:
            shape, kind = array.shape, array.dtype
        elif array.shape != shape or array.dtype is not kind:
            return None
    return shape


SEQUENCES = (list, tuple)


def joined(op: Primitive, tensors: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    """`op` of Tensors that are known to fit."""
    if len(tensors) == 2:
        return call_binary(op, tensors[0], tensors[1], attributes)
    return call(op, (*tensors,), attributes)


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


@operation
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along `dim`; their other sizes must be equal.

    >>> torch.cat([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    model = _alike(tensors)
    if model and dim.__class__ is int and -len(model) <= dim < len(model) and model[dim]:
        size, axis = model[dim], dim % len(model)
        starts = (*range(0, size * len(tensors) + 1, size),)
        return joined(_cat, tensors, {"dim": axis, "starts": starts})
    _check_sequence("cat", tensors)
    shapes = [tensor._array.shape for tensor in tensors]
    if () in shapes:
        raise RuntimeError(
            f"zero-dimensional tensor (at position {shapes.index(())}) cannot be concatenated"
        )
    model = next((shape for shape in shapes if shape != (0,)), (0,))
    axis = 0 if model == (0,) else read_dim(dim, len(model))
    _check_sizes(shapes, model, axis)
    kind = dtypes.promote(tuple([tensor._array for tensor in tensors]))
    lengths = [0 if shape == (0,) else shape[axis] for shape in shapes]
    starts = tuple(itertools.accumulate(lengths, initial=0))
    return _cat(*[cast_to(tensor, kind) for tensor in tensors], dim=axis, starts=starts)


@operation
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of equal shape side by side along a new dimension `dim`."""
    model = _alike(tensors)
    if model is not None:
        return joined(_stack, tensors, {"dim": read_dim(dim, len(model) + 1)})
    _check_sequence("stack", tensors)
    model = tensors[0]._array.shape
    axis = read_dim(dim, len(model) + 1)
    for position, tensor in enumerate(tensors):
        if tensor._array.shape != model:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(model)} at entry 0 "
                f"and {list(tensor._array.shape)} at entry {position}"
            )
    kind = dtypes.promote(tuple([tensor._array for tensor in tensors]))
    return call(_stack, tuple([cast_to(tensor, kind) for tensor in tensors]), {"dim": axis})


def _at_least(ndim: int, tensors: tuple[Any, ...]) -> Tensor | tuple[Tensor, ...]:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
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


def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """The tensor (or each of them) with one dimension at least."""
    return _at_least(1, tensors)


def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """The tensor (or each of them) with two dimensions at least: a vector becomes a row."""
    return _at_least(2, tensors)


def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """The tensor (or each of them) with three dimensions at least."""
    return _at_least(3, tensors)


@operation
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side: along the second dimension, vectors along their only one.

    >>> torch.hstack([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    _check_sequence("hstack", tensors)
    raised = [_raised(tensor, 1) for tensor in tensors]
    return cat(raised, 0 if raised[0]._array.ndim == 1 else 1)


@operation
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one below the other: along the first dimension, vectors as rows.

    >>> torch.vstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    _check_sequence("vstack", tensors)
    return cat([_raised(tensor, 2) for tensor in tensors], 0)


@operation
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one behind the other, along the third dimension."""
    _check_sequence("dstack", tensors)
    return cat([_raised(tensor, 3) for tensor in tensors], 2)


@operation
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side, vectors and numbers as columns."""
    _check_sequence("column_stack", tensors)
    return hstack([t if t._array.ndim > 1 else reshape(t, t._array.size, 1) for t in tensors])


def _split_backward(record: Any, bundle: Any) -> list[Any]:
    """The gradient of what was split: the gradients of the parts, each in its place."""
    dim, keys, starts = map(record.attributes.__getitem__, ("dim", "keys", "starts"))
    if len(bundle) == len(keys):
        parts = [bundle[position] for position in range(len(keys))]
        if starts is None:
            starts = tuple(range(len(keys) + 1))
            parts = [part[(ALL,) * dim + (None,)] for part in parts]
        return [_cat(*parts, dim=dim, starts=starts)]
    shape = record.inputs[0].shape
    placed = [_slice_backward(g, key=keys[at], shape=shape) for at, g in sorted(bundle.items())]
    return [functools.reduce(operator.add, placed)]


_SPLIT = only_recorded(_split_backward)


def _parts(
    input: Tensor, dim: int, keys: list[Any], starts: Shape | None, name: str
) -> tuple[Tensor, ...]:
    """The views of `input` at keys along `dim`, as outputs of one operation.

    `starts` says where they begin, and the last one ends; None: each is one slice.
    """
    before = current_record(input)  # which refuses views whose changes could not be followed
    lead = (ALL,) * dim
    keys = [(*lead, key, Ellipsis) for key in keys]
    parts = views_of(_slice, input, [{"key": key} for key in keys], ONE_OF_SEVERAL)
    if before is not None and state.grad_enabled and parts:
        share_record(_SPLIT, (before,), parts, {"dim": dim, "keys": keys, "starts": starts}, name)
    return parts


@operation
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`, each without it: views.

    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    axis = read_dim(dim, len(shape))
    return _parts(input, axis, list(range(shape[axis])), None, "UnbindBackward0")


def _chunks(input: Tensor, dim: int, sizes: Sequence[int], name: str) -> tuple[Tensor, ...]:
    """The slices of `input` along `dim` of the sizes given: views."""
    starts = (0, *itertools.accumulate(sizes))
    keys = [*map(slice, starts, starts[1:])]
    return _parts(input, dim, keys, starts, name)


def _equal_chunks(input: Tensor, dim: int, size: int) -> tuple[Tensor, ...]:
    """The slices of one size along `dim`; the last may be shorter."""
    whole, rest = divmod(input._array.shape[dim], max(size, 1))
    sizes = [size] * whole + ([rest] if rest or not whole else [])
    return _chunks(input, dim, sizes, "SplitBackward0")


@operation
def split(tensor: Tensor, split_size_or_sections: Dims, dim: int = 0) -> tuple[Tensor, ...]:
    """`tensor` cut along `dim` into chunks of one size (the last may be shorter) or of sizes given.

    The chunks are views. Raises RuntimeError when sizes do not add up.

    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if not isinstance(split_size_or_sections, int):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    size = split_size_or_sections
    shape = tensor._array.shape
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
    return _equal_chunks(tensor, axis, size)


@operation
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into chunks of the sizes given: `split`."""
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
    return _chunks(input, axis, sizes, "SplitWithSizesBackward0")


@operation
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into at most `chunks` parts of one size, the last may be shorter.

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
        return _chunks(input, axis, [0] * chunks, "SplitWithSizesBackward0")
    return _equal_chunks(input, axis, -(-length // chunks))


@operation
def tensor_split(
    input: Tensor, indices_or_sections: Dims | Tensor, dim: int = 0
) -> tuple[Tensor, ...]:
    """`input` cut along `dim` into nearly equal parts, or at the indices given.

    >>> torch.tensor_split(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if input._array.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    axis = read_dim(dim, input._array.ndim)
    length = input._array.shape[axis]
    given: Any = indices_or_sections
    if isinstance(given, Tensor):
        if given.dtype is not dtypes.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{given.dtype.legacy_name}"
            )
        if given._array.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor, but got a tensor with {given._array.ndim} dims"
            )
        note_untraceable()
        given = given._array.tolist()
    if isinstance(given, int):
        if given <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {given}")
        small, extra = divmod(length, given)
        sizes = [small + (part < extra) for part in range(given)]
        given = list(itertools.accumulate(sizes))[:-1]
    bounds = itertools.pairwise([0, *given, length])
    parts = [getitem(input, (*(ALL,) * axis, slice(*pair))) for pair in bounds]
    return tuple([named_as(part, "SliceBackward0") for part in parts])


def _split_along(name: str, least: int, dim: int, input: Tensor, given: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along `dim` of a tensor of so many dimensions at `least`."""
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


@operation
def hsplit(input: Tensor, indices_or_sections: Dims) -> tuple[Tensor, ...]:
    """`tensor_split` along the second dimension, of a vector along its only one."""
    return _split_along("hsplit", 1, int(input._array.ndim > 1), input, indices_or_sections)


@operation
def vsplit(input: Tensor, indices_or_sections: Dims) -> tuple[Tensor, ...]:
    """`tensor_split` along the first dimension."""
    return _split_along("vsplit", 2, 0, input, indices_or_sections)


@operation
def dsplit(input: Tensor, indices_or_sections: Dims) -> tuple[Tensor, ...]:
    """`tensor_split` along the third dimension."""
    return _split_along("dsplit", 3, 2, input, indices_or_sections)


concat, concatenate, row_stack = cat, cat, vstack
