"""Operations that arrange the same numbers in another shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_unary, call_view, explain_shapes
from tinygrad_mnist.engine.node import Record, named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Dims

from .arguments import check_elements, operation, read_dim, read_shape, read_sizes

Shape = tuple[int, ...]


@primitive(view=True, grad_fn="ViewBackward0")
def _reshape(input: Array, *, shape: Shape) -> Any:
    """x in another shape"""
    return input.reshape(shape)


@primitive(view=True, grad_fn="PermuteBackward0")
def _permute(input: Array, *, dims: Shape) -> Any:
    """x with its dimensions in another order"""
    return input.transpose(dims)


@primitive(view=True, grad_fn="ExpandBackward0")
def _expand(input: Array, *, shape: Shape) -> Any:
    """x repeated along sizes of 1, without a copy"""
    stretched = _stretched(input, shape)
    return np.broadcast_to(input, shape) if stretched is None else stretched


def _stretched(array: Array, shape: Shape) -> Array | None:
    """The body of `_expand` for the usual case; None in others, and where `shape` does not fit."""
    lead = len(shape) - array.ndim
    if lead < 0 or not array.flags.c_contiguous or not array.size:
        return None
    steps = [0] * lead
    for given, wanted, step in zip(array.shape, shape[lead:], array.strides, strict=True):
        if given != wanted and (given != 1 or wanted < 0):
            return None
        steps.append(step if given == wanted else 0)
    if lead and min(shape) < 0:
        return None
    try:
        stretched = np.ndarray(shape, array.dtype, array, 0, steps)
    except ValueError:  # more elements than there can be
        return None
    stretched.flags.writeable = False
    return stretched


_reshape.derivatives(input=lambda g: g)
_permute.derivatives(input=lambda g, dims: _permute(g, dims=tuple(np.argsort(dims).tolist())))
_expand.derivatives(input=lambda g: g)


_FLAT = (-1,)


def _inferred(shape: Shape, numel: int) -> Shape:
    """`shape` with its −1 replaced by the size that fits `numel` numbers."""
    if shape == _FLAT:
        return (numel,)
    if min(shape, default=0) >= 0 and math.prod(shape) == numel:
        return shape
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    for size in shape:
        if size < -1:
            raise RuntimeError(f"invalid shape dimension {size}")
    known = math.prod([size for size in shape if size != -1])
    if -1 in shape:
        if known == 0 and numel == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if known and numel % known == 0:
            return tuple([numel // known if size == -1 else size for size in shape])
    elif known == numel:
        return shape
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")


@operation
def reshape(input: Tensor, *shape: Dims, **named: Dims) -> Tensor:
    """The same numbers in another shape, a view where possible; −1 stands for what is left over.

    Raises RuntimeError when the number of elements differs.

    >>> torch.arange(6).reshape(2, -1).shape
    torch.Size([2, 3])
    """
    return _reshaped(
        input, _inferred(read_sizes("reshape", "shape", shape, named), input._array.size)
    )


_VIEW, _PERMUTE, _EXPAND = _reshape.record_type, _permute.record_type, _expand.record_type
_TRANSPOSE, _T = Record.named("TransposeBackward0"), Record.named("TBackward0")
_SQUEEZE = tuple([Record.named(f"SqueezeBackward{which}") for which in range(3)])
_UNSQUEEZE = Record.named("UnsqueezeBackward0")


def _reshaped(input: Tensor, shape: Shape) -> Tensor:
    array = input._array
    if array.flags.c_contiguous:
        return call_view(_reshape, input, array.reshape(shape), {"shape": shape}, _VIEW)
    out = call_unary(_reshape, input, {"shape": shape})
    if out._view is None:
        return named_as(out, "UnsafeViewBackward0")
    return named_as(out, "ReshapeAliasBackward0")


def view(input: Tensor, *shape: Dims | dtypes.dtype, **named: Dims) -> Tensor:
    """`reshape` that never copies: RuntimeError where the memory does not allow a view."""
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        raise NotImplementedError("view(dtype) is not supported: use .to(dtype), which converts")
    array = input._array
    sizes = _inferred(read_sizes("view", "size", shape, named), array.size)
    if array.flags.c_contiguous:
        return call_view(_reshape, input, array.reshape(sizes), {"shape": sizes}, _VIEW)
    out = call_unary(_reshape, input, {"shape": sizes})
    if out._view is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return out


@operation
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` made one."""
    shape = input._array.shape
    first, last = read_dim(start_dim, len(shape)), read_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return _reshaped(input, (1,))
    if first == last:
        return input
    middle = math.prod(shape[first : last + 1])
    return _reshaped(input, (*shape[:first], middle, *shape[last + 1 :]))


@operation
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """The dimension `dim` split into `sizes`, one of which may be −1."""
    shape = input._array.shape
    if not shape:
        raise RuntimeError("unflatten: the tensor has no dimensions")
    axis = read_dim(dim, len(shape))
    inner = tuple(sizes)
    if -1 not in inner and math.prod(inner) != shape[axis]:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(inner)} don't multiply up to the size of dim {axis} "
            f"({shape[axis]}) in the input tensor"
        )
    inner = _inferred(inner, shape[axis])
    return view(input, shape[:axis] + inner + shape[axis + 1 :])


@operation
def permute(input: Tensor, *dims: Dims, **named: Dims) -> Tensor:
    """The dimensions in the order `dims`, as a view.

    >>> torch.zeros(2, 3, 4).permute(2, 0, 1).shape
    torch.Size([4, 2, 3])
    """
    ndim = input._array.ndim
    order = read_sizes("permute", "dims", dims, named)
    if len(order) != ndim:
        raise RuntimeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(order)}"
        )
    order = tuple([read_dim(d, ndim) for d in order])
    if len(set(order)) != len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return call_view(_permute, input, input._array.transpose(order), {"dims": order}, _PERMUTE)


@operation
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """`dim0` and `dim1` exchanged, as a view."""
    array = input._array
    ndim = array.ndim
    first, second = read_dim(dim0, ndim), read_dim(dim1, ndim)
    order = [*range(ndim)]
    if ndim:
        order[first], order[second] = second, first
    dims = tuple(order)
    return call_view(_permute, input, array.transpose(dims), {"dims": dims}, _TRANSPOSE)


def transposed(name: str, input: Tensor) -> Tensor:
    """The transpose of each matrix, a number as it is; RuntimeError for vectors."""
    ndim = input._array.ndim
    if ndim == 1:
        raise RuntimeError(
            f"tensor.{name} is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return transpose(input, -2, -1) if ndim else input


@operation
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of each matrix: here, where all numbers are real, the transpose."""
    if input._array.ndim == 0:
        warnings.warn(
            "adjoint() is deprecated on 0-D tensors. Consider using x.conj().",
            UserWarning,
            stacklevel=3,
        )
    return transposed("adjoint()", input)


@operation
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """`transpose`, by NumPy's name for it."""
    return transpose(input, axis0, axis1)


@operation
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector as it is."""
    ndim = input._array.ndim
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    dims = (1, 0) if ndim == 2 else tuple(range(ndim))
    return call_view(_permute, input, input._array.transpose(dims), {"dims": dims}, _T)


@operation
def movedim(input: Tensor, source: Dims, destination: Dims) -> Tensor:
    """The dimensions `source` moved to `destination`, the others in their order."""
    ndim = input._array.ndim
    given = [d if isinstance(d, tuple | list) else (d,) for d in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(given[0])} dims) should "
            f"contain the same number of dims as destination ({list(given[1])} dims)"
        )
    sources, targets = ([read_dim(d, ndim) for d in dims] for dims in given)
    for name, dims, asked in zip(("source", "destination"), (sources, targets), given, strict=True):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(asked)})")
    if ndim == 0:
        return named_as(_permute(input, dims=()), "AliasBackward0")
    order = [d for d in range(ndim) if d not in sources]
    for position, d in sorted(zip(targets, sources, strict=True)):
        order.insert(position, d)
    return _permute(input, dims=tuple(order))


moveaxis = movedim


@operation
def squeeze(input: Tensor, dim: Dims | None = None) -> Tensor:
    """Without the dimensions of size 1 (those named by `dim`, or all)."""
    array = input._array
    shape = array.shape
    if dim is None:
        which, left = 0, tuple([n for n in shape if n != 1])
    elif isinstance(dim, tuple | list):
        gone = [read_dim(d, len(shape)) for d in dim]
        which, left = 2, tuple([n for d, n in enumerate(shape) if not (d in gone and n == 1)])
    else:
        which, axis = 1, read_dim(dim, len(shape))
        left = shape[:axis] + shape[axis + 1 :] if shape[axis : axis + 1] == (1,) else shape
    return call_view(_reshape, input, array.reshape(left), {"shape": left}, _SQUEEZE[which])


@operation
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at `dim`."""
    array = input._array
    shape = array.shape
    axis = read_dim(dim, len(shape) + 1)
    sizes = (*shape[:axis], 1, *shape[axis:])
    return call_view(_reshape, input, array.reshape(sizes), {"shape": sizes}, _UNSQUEEZE)


def expand(input: Tensor | Array, *size: Dims, **named: Dims) -> Tensor:
    """The tensor repeated along its dimensions of size 1 (and new leading ones) without a copy.

    −1 keeps a size. Raises RuntimeError for a size other than 1 that would change.
    """
    if isinstance(input, np.ndarray):
        stretched: Tensor = _expand(input, shape=read_shape(size))
        return stretched
    wanted = read_sizes("expand", "size", size, named)
    usual = _stretched(input._array, wanted)
    if usual is not None:
        return call_view(_expand, input, usual, {"shape": wanted}, _EXPAND)
    shape = input._array.shape
    lead = len(wanted) - len(shape)
    if lead == 0 and wanted == shape:
        return call_unary(_expand, input, {"shape": shape})
    if lead < 0:
        raise RuntimeError(
            f"expand({input.type()}{{{list(shape)}}}, size={list(wanted)}): the number of sizes "
            f"provided ({len(wanted)}) must be greater or equal to the number of dimensions in "
            f"the tensor ({len(shape)})"
        )
    for d, length in reversed([*enumerate(wanted)]):
        if length == -1 and d < lead:
            raise RuntimeError(
                "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
                f"dimension {d}"
            )
        if length < -1 or (d >= lead and shape[d - lead] not in (1, length) and length != -1):
            raise RuntimeError(
                f"The expanded size of the tensor ({length}) must match the existing size "
                f"({shape[d - lead] if d >= lead else 1}) at non-singleton dimension {d}.  Target "
                f"sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
    final = [shape[d - lead] if length == -1 else length for d, length in enumerate(wanted)]
    return call_unary(_expand, input, {"shape": tuple(final)})


@operation
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand` to the shape `size`."""
    return expand(input, size)


def broadcast_shapes(*shapes: Dims) -> Size:
    """The shape to which tensors of the given shapes broadcast together.

    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    sizes = [tuple(shape) if isinstance(shape, tuple | list) else (shape,) for shape in shapes]
    for shape in sizes:
        if any(size < 0 for size in shape):
            raise RuntimeError(f"Trying to create tensor with negative dimension: {list(shape)}")
    try:
        common = np.broadcast_shapes(*sizes)
    except ValueError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: "
            + " and ".join(str(list(shape)) for shape in sizes)
        ) from None
    return Size(common)


def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The tensors, each expanded to the shape to which they broadcast together.

    >>> x, y = torch.broadcast_tensors(torch.zeros(2, 1), torch.zeros(3))
    >>> x.shape, y.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """
    nested = len(tensors) == 1 and isinstance(tensors[0], tuple | list)
    given: Any = tensors[0] if nested else tensors
    check_elements(given)
    arrays = tuple([tensor._array for tensor in given])
    try:
        shape = np.broadcast_shapes(*[array.shape for array in arrays])
    except ValueError:
        explain_shapes(arrays)
        raise
    return tuple([expand(tensor, shape) for tensor in given])


swapdims = transpose
