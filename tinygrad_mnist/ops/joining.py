"""Operations that join tensors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import Array, TensorBase, label

from .arguments import read_dim, torch_arguments
from .casting import cast_to
from .shapes import unsqueeze

__all__ = [
    "cat",
    "concat",
    "stack",
]

Tensor = Any
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
    _check_joinable("torch.cat()", tensors)
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


concat = cat
