"""Operations that arrange the same numbers in another shape, or join tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.calling import call_unary
from tinygrad_mnist.primitive import primitive
from tinygrad_mnist.record import TensorBase, label

from .arguments import read_dim, read_shape, torch_arguments
from .casting import cast_to

__all__ = [
    "broadcast_to",
    "cat",
    "concat",
    "flatten",
    "movedim",
    "permute",
    "reshape",
    "squeeze",
    "stack",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
    "unflatten",
    "unsqueeze",
]

Tensor = Any


@primitive(view=True, grad_fn="ViewBackward0")
def _reshape(input: Any, *, shape: tuple[int, ...]) -> Any:
    """x in another shape"""
    return input.reshape(shape)


@primitive(view=True, grad_fn="PermuteBackward0")
def _permute(input: Any, *, dims: tuple[int, ...]) -> Any:
    """x with its dimensions in another order"""
    return input.transpose(dims)


@primitive(view=True, grad_fn="ExpandBackward0")
def _expand(input: Any, *, shape: tuple[int, ...]) -> Any:
    """x repeated along sizes of 1, without a copy"""
    return np.broadcast_to(input, shape)


_reshape.derivatives(input=lambda g: g)
_permute.derivatives(input=lambda g, dims: permute(g, tuple(np.argsort(dims).tolist())))
_expand.derivatives(input=lambda g: g)


@primitive(grad_fn="CatBackward0")
def _cat(*tensors: Any, dim: Any, starts: tuple[int, ...]) -> Any:
    """x₁, x₂, … one after the other"""
    return np.concatenate(tensors, axis=dim)


def _piece(g: Any, dim: Any, starts: tuple[int, ...], position: int) -> Any:
    piece = slice(starts[position], starts[position + 1])
    return g[(slice(None),) * dim + (piece,)]


_cat.derivatives(tensors=_piece)


def _inferred(shape: tuple[int, ...], numel: int) -> Any:
    """`shape` with its −1 replaced by the size that fits `numel` numbers."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for size in shape:
        if size < -1:
            raise RuntimeError(f"invalid shape dimension {size}")
    known = math.prod([size for size in shape if size != -1])
    if -1 in shape:
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if numel % known == 0:
            return tuple([numel // known if size == -1 else size for size in shape])
    elif known == numel:
        return shape
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same numbers in another shape, a view where possible; −1 stands for what is left over.

    Raises RuntimeError when the number of elements differs.

    >>> import tinygrad_mnist as torch
    >>> torch.arange(6).reshape(2, -1).shape
    torch.Size([2, 3])
    """
    array = input._array
    sizes = _inferred(read_shape(shape), array.size)
    out = call_unary(_reshape, input, {"shape": sizes})
    if not isinstance(input, TensorBase):
        return out
    if out._view is None:
        return label(out, "UnsafeViewBackward0")
    return out if array.flags.c_contiguous else label(out, "ReshapeAliasBackward0")


def view(input: Tensor, *shape: Any) -> Tensor:
    """`reshape` that never copies: RuntimeError where the memory does not allow a view."""
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        raise NotImplementedError("view(dtype) is not supported: use .to(dtype), which converts")
    array = input._array
    sizes = _inferred(read_shape(shape), array.size)
    out = call_unary(_reshape, input, {"shape": sizes})
    if out._view is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return out


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` made one."""
    shape = input._array.shape
    first, last = read_dim(start_dim, len(shape)), read_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, 1)
    if first == last:
        return input
    middle = math.prod(shape[first : last + 1])
    return reshape(input, (*shape[:first], middle, *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """The dimension `dim` split into `sizes`, one of which may be −1."""
    shape = input._array.shape
    axis = read_dim(dim, len(shape))
    inner = _inferred(tuple(sizes), shape[axis])
    return view(input, shape[:axis] + inner + shape[axis + 1 :])


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in the order `dims`, as a view.

    >>> import tinygrad_mnist as torch
    >>> torch.zeros(2, 3, 4).permute(2, 0, 1).shape
    torch.Size([4, 2, 3])
    """
    if not dims:
        raise TypeError('permute() missing 1 required positional arguments: "dims"')
    if isinstance(input, np.ndarray):
        return _permute(input, dims=read_shape(dims))
    ndim = input._array.ndim
    order = read_shape(dims)
    if len(order) != ndim:
        raise RuntimeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(order)}"
        )
    order = tuple([read_dim(d, ndim) for d in order])
    if len(set(order)) != len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permute(input, dims=order)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """`dim0` and `dim1` exchanged, as a view."""
    ndim = input._array.ndim
    first, second = read_dim(dim0, ndim), read_dim(dim1, ndim)
    order = list(range(ndim))
    if ndim:
        order[first], order[second] = second, first
    return label(_permute(input, dims=tuple(order)), "TransposeBackward0")


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector as it is."""
    ndim = input._array.ndim
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return label(
        _permute(input, dims=(1, 0)[-ndim:] if ndim == 2 else tuple(range(ndim))), "TBackward0"
    )


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """The dimensions `source` moved to the places `destination`, the others in their order."""
    ndim = input._array.ndim
    if ndim == 0:
        return label(reshape(input, ()), "AliasBackward0")
    sources = [
        read_dim(d, ndim) for d in (source if isinstance(source, tuple | list) else (source,))
    ]
    targets = [
        read_dim(d, ndim)
        for d in (destination if isinstance(destination, tuple | list) else (destination,))
    ]
    order = [d for d in range(ndim) if d not in sources]
    for place, d in sorted(zip(targets, sources, strict=True)):
        order.insert(place, d)
    return _permute(input, dims=tuple(order))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1 (those named by `dim`, or all)."""
    shape = input._array.shape
    if dim is None:
        return label(_reshape(input, shape=tuple([n for n in shape if n != 1])), "SqueezeBackward0")
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    gone = [read_dim(d, len(shape)) for d in dims]
    left = tuple([n for d, n in enumerate(shape) if not (d in gone and n == 1)])
    name = "SqueezeBackward2" if isinstance(dim, tuple | list) else "SqueezeBackward1"
    return label(_reshape(input, shape=left), name)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at `dim`."""
    shape = input._array.shape
    place = read_dim(dim, len(shape) + 1)
    out = call_unary(_reshape, input, {"shape": (*shape[:place], 1, *shape[place:])})
    return label(out, "UnsqueezeBackward0")


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """The tensor repeated along its dimensions of size 1 (and new leading ones) without a copy.

    −1 keeps a size. Raises RuntimeError for a size other than 1 that would change.
    """
    if isinstance(input, np.ndarray):
        return _expand(input, shape=read_shape(sizes))
    shape, wanted = input._array.shape, read_shape(sizes)
    if len(wanted) < len(shape):
        raise RuntimeError(
            f"expand({input.type()}{list(shape)}, size={list(wanted)}): the number of sizes "
            f"provided ({len(wanted)}) must be greater or equal to the number of dimensions in "
            f"the tensor ({len(shape)})"
        )
    lead = len(wanted) - len(shape)
    final = list(wanted)
    for d, size in enumerate(wanted):
        if size == -1:
            if d < lead:
                raise RuntimeError(
                    f"expand({input.type()}{list(shape)}, size={list(wanted)}): the expanded size "
                    f"of the tensor ({size}) isn't allowed in a leading, non-existing dimension {d}"
                )
            final[d] = shape[d - lead]
        elif d >= lead and shape[d - lead] not in (1, size):
            raise RuntimeError(
                f"The expanded size of the tensor ({size}) must match the existing size "
                f"({shape[d - lead]}) at non-singleton dimension {d}.  Target sizes: "
                f"{list(wanted)}.  Tensor sizes: {list(shape)}"
            )
    return _expand(input, shape=tuple(final))


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """`expand` to the shape `size`."""
    return expand(input, size)


def _check_joinable(name: str, tensors: Any) -> Any:
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
    kind = dtypes.promote(tuple([tensor._array for tensor in tensors]))
    model = next((shape for shape in shapes if shape != (0,)), (0,))
    axis = read_dim(dim, len(model))
    nothing = (*model[:axis], 0, *model[axis + 1 :])
    joined = [t if t._array.shape != (0,) else reshape(t, nothing) for t in tensors]
    for position, tensor in enumerate(joined):
        shape = tensor._array.shape
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
    starts = np.cumsum([0] + [tensor._array.shape[axis] for tensor in joined]).tolist()
    return _cat(*[cast_to(tensor, kind) for tensor in joined], dim=axis, starts=tuple(starts))


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


concat, swapaxes, swapdims = cat, transpose, transpose
