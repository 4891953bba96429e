"""Turning and repeating tensors; diagonals, copies with a part replaced, and borders."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.calls import call_ternary, call_unary, call_view
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import OBSERVERS, note_constant
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Device, Dims, DType
from tinygrad_mnist.engine.views import mark_view

from .arguments import (
    check_elements,
    check_number_fits,
    not_implemented,
    not_negative,
    operation,
    read_dim,
    read_dims,
    read_sizes,
)
from .casting import _clone, cast_to, clone
from .conditional import _where, fitting, masked_fill, where
from .gather_scatter import index_select
from .indexing import (
    ALL,
    WHOLE,
    Key,
    _index,
    _index_backward,
    _slice,
    _slice_backward,
    check_selected,
    getitem,
    put_dtypes_differ,
    read_index,
)
from .indexing import index_put as _put
from .joining import SEQUENCES, _cat, joined
from .reductions import _sum
from .second_derivatives import through
from .shapes import expand, reshape, transpose

Shape = tuple[int, ...]

# Turning, shifting, repeating


@operation
def flip(input: Tensor, *dims: Dims, **named: Dims) -> Tensor:
    """The numbers along `dims` in reverse order, a copy.

    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    ndim = input._array.ndim
    given = read_sizes("flip", "dims", dims, named)
    axes = read_dims(given, ndim) if given else ()
    if ndim == 0:
        return named_as(clone(input), "FlipBackward0")
    key = tuple([_BACKWARDS if d in axes else ALL for d in range(ndim)])
    turned = call_view(_slice, input, input._array[key], {"key": key}, _slice.record_type)
    return named_as(call_unary(_clone, turned), "FlipBackward0")


_BACKWARDS = slice(None, None, -1)


@operation
def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order."""
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


@operation
def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order."""
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


@operation
def roll(input: Tensor, shifts: Dims, dims: Dims | None = None) -> Tensor:
    """The numbers moved on by `shifts` along `dims`; what leaves comes in at the other end.

    Without `dims` the flattened tensor is rolled.

    >>> torch.roll(torch.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    steps = tuple(shifts) if isinstance(shifts, SEQUENCES) else (shifts,)
    axes = () if dims is None else tuple(dims) if isinstance(dims, SEQUENCES) else (dims,)
    if not steps:
        raise RuntimeError("`shifts` required")
    if not axes and len(steps) == 1:
        flat = roll(reshape(input, -1), steps, 0)
        return named_as(reshape(flat, input._array.shape), "RollBackward0")
    if len(steps) != len(axes):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}"
        )
    if input._array.ndim == 0:
        raise IndexError(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    out = input
    for step, dim in zip(steps, axes, strict=True):
        out = _rolled(out, step, read_dim(dim, input._array.ndim))
    return named_as(clone(out) if out is input else out, "RollBackward0")


def _rolled(x: Tensor, step: int, axis: int) -> Tensor:
    size = x._array.shape[axis]
    first = -step % size if size else 0
    if not first:
        return x
    parts = []
    for part in (slice(first, None), slice(first)):
        region = (*(ALL,) * axis, part, Ellipsis)
        array, key = x._array[region], {"key": region}
        parts.append(call_view(_slice, x, array, key, _slice.record_type))
    return joined(_cat, parts, {"dim": axis, "starts": (0, size - first, size)})


@operation
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
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
    axes = ((), (second,), (first, second), (first,))[k % 4]
    turned = flip(input, axes) if axes else input
    if k % 2:
        turned = transpose(turned, first, second)
    return named_as(_clone(turned, in_order=True), "Rot90Backward0")


def repeat(input: Tensor, *repeats: Dims, **named: Dims) -> Tensor:
    """The tensor repeated so often along each dimension, a copy (a method of Tensor only).

    More numbers than dimensions make new leading dimensions.

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
    return named_as(_stretched(input, apart, stretched, final), "RepeatBackward0")


def _stretched(x: Tensor, apart: list[int], stretched: list[int], final: list[int]) -> Tensor:
    """A copy of `x` in the shape `final`, its sizes of 1 in the shape `apart` repeated."""
    return reshape(clone(expand(reshape(x, apart), stretched)), final)


@operation
def tile(input: Tensor, *dims: Dims, **named: Dims) -> Tensor:
    """The tensor repeated so often along its last dimensions.

    >>> torch.tile(torch.tensor([[1, 2]]), (2,))
    tensor([[1, 2, 1, 2]])
    """
    counts = read_sizes("tile", "dims", dims, named)
    return repeat(input, (1,) * (input._array.ndim - len(counts)) + counts)


@operation
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *,
    output_size: int | None = None,
) -> Tensor:  # fmt: skip
    """Each number (or with `dim`, each slice along it) repeated.

    `repeats` is one number, or a tensor of one for each. Given alone, it yields the indices.

    >>> torch.repeat_interleave(torch.tensor([7, 8]), 2)
    tensor([7, 7, 8, 8])
    """
    if repeats is None:
        if input._array.ndim != 1:
            raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
        if input._array.dtype.name not in ("int32", "int64"):
            raise not_implemented("repeat_interleave_cpu", input._array.dtype)
        if (input._array < 0).any():
            raise RuntimeError("repeats can not be negative")
        return wrap(np.repeat(np.arange(input._array.size), input._array.copy()))
    x = reshape(input, -1) if dim is None or not input._array.ndim else input
    axis = 0 if dim is None else read_dim(dim, input._array.ndim)
    *before, size = x._array.shape[: axis + 1]
    after = x._array.shape[axis + 1 :]
    if isinstance(repeats, int) and repeats >= 0:
        stretched = [*before, size, repeats, *after]
        final = [*before, size * repeats, *after]
        return _stretched(x, [*before, size, 1, *after], stretched, final)
    counts = np.array(repeats._array if isinstance(repeats, Tensor) else repeats)
    if counts.dtype.kind in dtypes.FLOATS:
        raise not_implemented("repeat_interleave_cpu", counts.dtype)
    if np.any(counts < 0):
        raise RuntimeError("repeats can not be negative")
    if counts.size not in (1, size):
        raise RuntimeError("repeats must have the same size as input along dim")
    if output_size not in (None, np.broadcast_to(counts, size).sum()):
        raise RuntimeError("allocated size does not match required size")
    return index_select(x, axis, wrap(np.repeat(np.arange(size), counts)))


@operation
def ravel(input: Tensor) -> Tensor:
    """The numbers as a vector."""
    return reshape(input, -1)


def meshgrid(
    *tensors: Tensor | Sequence[Tensor], indexing: str | None = None
) -> tuple[Tensor, ...]:
    """For vectors of coordinates, a tensor each of the coordinates at all points of their grid.

    `indexing` "ij" puts the first vector along the first dimension, "xy" along the second.

    >>> x, y = torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4]), indexing="ij")
    >>> y
    tensor([[3, 4],
            [3, 4]])
    """
    one = len(tensors) == 1 and not isinstance(tensors[0], Tensor)
    given: Any = tensors[0] if one else tensors
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
    for tensor in given:
        if tensor._array.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {tensor!r}"
            )
    if len({tensor._array.dtype for tensor in given}) > 1:
        raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    axes = list(range(len(given)))
    if indexing == "xy":
        axes[:2] = axes[1::-1]
    shape = tuple([given[axis]._array.size for axis in axes])
    alone = [[-1 if d == axis else 1 for d in range(len(shape))] for axis in axes]
    return tuple([expand(reshape(x, size), shape) for x, size in zip(given, alone, strict=True)])


# Diagonals and triangles


@primitive(view=True)
def _diagonal(input: Array, *, offset: int, dim1: int, dim2: int) -> Any:
    """x where the index along dim2 is that along dim1 + offset: a view"""
    view = np.diagonal(input, offset, dim1, dim2)
    if input.flags.writeable:
        view.flags.writeable = True
    return view


@primitive
def _diagonal_backward(input: Array, *, sizes: Shape, offset: int, dim1: int, dim2: int) -> Any:
    """zeros, with x on the diagonal"""
    out = np.zeros(sizes, input.dtype)
    view = np.diagonal(out, offset, dim1, dim2)
    view.flags.writeable = True
    view[...] = input
    return out


_diagonal.derivatives(
    input=lambda g, offset, dim1, dim2, shape: _diagonal_backward(
        g, sizes=shape, offset=offset, dim1=dim1, dim2=dim2
    )
)
_diagonal_backward.derivatives(
    input=lambda g, offset, dim1, dim2: _diagonal(g, offset=offset, dim1=dim1, dim2=dim2)
)


def _two_dims(ndim: int, dim1: int, dim2: int) -> tuple[int, int]:
    first, second = read_dim(dim1, ndim), read_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


@operation
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of each matrix that `dim1` and `dim2` span, as last dimension: a view.

    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    first, second = _two_dims(input._array.ndim, dim1, dim2)
    return _diagonal(input, offset=offset, dim1=first, dim2=second)


@operation
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in the dimensions `dim1` and `dim2`, with the last dimension as their diagonal.

    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    shape = input._array.shape
    first, second = _two_dims(len(shape) + 1, dim1, dim2)
    side = shape[-1] + abs(offset)
    rest = iter(shape[:-1])
    sizes = [side if d in (first, second) else next(rest) for d in range(len(shape) + 1)]
    out = _diagonal_backward(input, sizes=tuple(sizes), offset=offset, dim1=first, dim2=second)
    return named_as(out, "DiagEmbedBackward0")


@operation
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or for a vector the matrix whose diagonal it is.

    >>> torch.diag(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    ndim = input._array.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    if ndim == 1:
        return diag_embed(input, diagonal)
    view = _diagonal(input, offset=diagonal, dim1=0, dim2=1)
    return named_as(clone(view), "DiagonalBackward0_copy")


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix whose diagonal is the flattened tensor."""
    return diag_embed(reshape(input, -1), offset)


@in_float32
@operation
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal.

    >>> torch.trace(torch.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    if input._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    if input._array.dtype == bool:
        raise not_implemented("trace", input._array.dtype)
    view = _diagonal(input, offset=0, dim1=0, dim2=1)
    if view._array.dtype.kind not in dtypes.FLOATS:
        view = cast_to(view, dtypes.int64)
    return named_as(_sum(view, dim=(0,), keepdim=False), "TraceBackward0")


@primitive(view=True)
def _unfold(input: Array, *, dim: int, size: int, step: int) -> Any:
    """x under windows along dim, the numbers of each as last dimension: a view"""
    owner = input.base if isinstance(input.base, np.ndarray) else input
    shape, strides = [*input.shape, size], [*input.strides, input.strides[dim]]
    shape[dim], strides[dim] = (shape[dim] - size) // step + 1, strides[dim] * step
    if not owner.flags.forc:
        return np.lib.stride_tricks.as_strided(input, shape, strides)
    start = input.ctypes.data - owner.ctypes.data
    out: Array = np.ndarray(shape, input.dtype, owner.ravel(order="K"), start, strides)
    out.flags.writeable = input.flags.writeable
    return out


@primitive
def _unfold_backward(input: Array, *, sizes: Shape, dim: int, size: int, step: int) -> Any:
    """zeros, with x added to the number that each was"""
    out = np.zeros(sizes, input.dtype)
    windows = _unfold.body(out, dim=dim, size=size, step=step)
    for place in range(size):
        windows[..., place] += input[..., place]
    return out


_unfold.derivatives(
    input=lambda g, dim, size, step, shape: _unfold_backward(
        g, sizes=shape, dim=dim, size=size, step=step
    )
)
_unfold_backward.derivatives(
    input=lambda g, dim, size, step: _unfold(g, dim=dim, size=size, step=step)
)


@operation
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """The windows of `size` numbers, `step` apart, along a dimension, as a last one: a view.

    >>> torch.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    shape = input._array.shape or (1,)
    dim = read_dim(dimension, input._array.ndim)
    if size > shape[dim]:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {shape[dim]} but size is {size}"
        )
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    x, windowed = reshape(input, shape), {"dim": dim, "size": size, "step": step}
    windows = _unfold(x, **windowed)
    if windows._view is None:
        mark_view(windows, x, _unfold, windowed)
    if step < size:
        windows._array.flags.writeable = False
    return windows if input._array.ndim else named_as(windows[0], "UnfoldBackward0")


@functools.lru_cache(16)
def _outside(name: str, rows: int, columns: int, diagonal: int) -> Tensor:
    """Where a triangle is not, a tensor that nobody changes."""
    below = np.tri(rows, columns, diagonal - (name == "triu"), dtype=np.bool_)
    outside: Array = below if name == "triu" else ~below
    return wrap(outside, [0])


def _triangle(name: str, input: Tensor, diagonal: int) -> Tensor:
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    rows, columns = shape[-2:]
    outside = _outside(name, rows, columns, diagonal)
    if OBSERVERS:
        outside = wrap(note_constant(outside._array.copy()))
    number = fitting(0, input._array.dtype)
    if number is None:
        out = masked_fill(input, outside, 0)
    else:
        out = call_ternary(_where, outside, number, input)
    return named_as(out, "TrilBackward0" if name == "tril" else "TriuBackward0")


@operation
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Each matrix with zeros above its diagonal number `diagonal` (those above count upwards).

    >>> torch.tril(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return _triangle("tril", input, diagonal)


@operation
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Each matrix with zeros below its diagonal number `diagonal` (those above count upwards).

    >>> torch.triu(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """
    return _triangle("triu", input, diagonal)


def _triangle_indices(
    find: Any, row: int, col: int, offset: int, dtype: DType, place: Device
) -> Tensor:
    check_device(place)
    for name, value in (("row", row), ("col", col)):
        if value < 0:
            raise RuntimeError(f"{name} must be non-negative, got {value}")
    kind = dtypes.int64 if dtype is None else dtype
    return wrap(np.stack(find(row, offset, col)).astype(kind.numpy))


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = None, device: Device = None
) -> Tensor:
    """The indices (2, found) of a matrix's lower triangle, its rows one after the other."""
    return _triangle_indices(np.tril_indices, row, col, offset, dtype, device)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = None, device: Device = None
) -> Tensor:
    """The indices (2, found) of a matrix's upper triangle, its rows one after the other."""
    return _triangle_indices(np.triu_indices, row, col, offset, dtype, device)


# Copies with a part replaced


def _replaced(
    name: str, input: Tensor, src: Tensor, part: Array, region: Key, arrays: Key | None = None
) -> Tensor:
    """A copy of `input` with `src` at an index, where `part` is now."""
    shape = part.shape
    if src._array.shape != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src._array.shape)}, slice size = {list(shape)}"
        )
    title = "".join(part.capitalize() for part in name.split("_"))
    if part.size or arrays is None:
        out = _put(input, cast_to(src, input.dtype), region=region, arrays=arrays)
    else:
        out = clone(input)
    return named_as(out, f"{title}Backward0")


@operation
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` whose slice number `index` along `dim` is `src`.

    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    axis = read_dim(dim, input._array.ndim)
    check_selected(input._array.shape, axis, index)
    key: tuple[Any, ...] = (*(ALL,) * axis, index, Ellipsis)
    return _replaced("select_scatter", input, src, input._array[key], key)


@operation
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
    step: int = 1,
) -> Tensor:  # fmt: skip
    """A copy of `input` whose slices `start` to `end` along `dim` are `src`.

    >>> torch.slice_scatter(torch.zeros(4), torch.ones(2), 0, 1, 3)
    tensor([0., 1., 1., 0.])
    """
    axis = read_dim(dim, input._array.ndim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    key = (*(ALL,) * axis, slice(start, end, step))
    return _replaced("slice_scatter", input, src, input._array[key], key)


@operation
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of `input` whose diagonal (over `dim1` and `dim2`) is `src`.

    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    first, second = _two_dims(input._array.ndim, dim1, dim2)
    shape = input._array.shape
    flat = np.diagonal(np.arange(input._array.size).reshape(shape), offset, first, second)
    indices = tuple(np.unravel_index(flat, shape)) if flat.size else ()
    return _replaced("diagonal_scatter", input, src, flat, WHOLE, indices)


@operation
def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`narrow` as a copy."""
    ndim = input._array.ndim
    if dim >= max(ndim, 1):
        raise RuntimeError(f"narrow_copy(): dimension {dim} is out of range for {ndim} dimensions")
    return named_as(clone(input.narrow(dim, start, length)), "NarrowCopyBackward0")


@operation
def fill(input: Tensor, value: float | Tensor) -> Tensor:
    """A tensor like `input`, full of `value` (a number or a 0-d tensor)."""
    with_tensor = isinstance(value, Tensor)
    if isinstance(value, Tensor) and value._array.ndim:
        raise RuntimeError(
            "fill only supports 0-dimension value tensor but got tensor with "
            f"{value._array.ndim} dimensions."
        )
    check_number_fits(value, input.dtype)
    given = value if isinstance(value, Tensor) else wrap(note_constant(np.asarray(value)))
    number = cast_to(given, input.dtype)
    everywhere = wrap(note_constant(np.ones(input._array.shape, bool)))
    return named_as(where(everywhere, number, input), f"FillBackward{int(with_tensor)}")


@operation
def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy of `input` with `values` at `indices`, as `input[indices] = values` writes them.

    With `accumulate` they are added, as often as an element is named.

    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 2]),), torch.tensor(1.0))
    tensor([1., 0., 1.])
    """
    region, arrays = read_index(tuple(indices), input._array.shape)
    if values._array.dtype != input._array.dtype:
        raise put_dtypes_differ(input, values)
    if arrays is None and values._array.ndim > input._array.ndim:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values._array.shape)} cannot be "
            f"broadcast to indexing result of shape {list(input._array.shape)}"
        )
    if not accumulate or arrays is None:
        out = _put(input, values, region=region, arrays=arrays)
        return named_as(out, "IndexPutBackward0")
    taken = _index(input.detach(), key=arrays)
    spread = expand(values, taken._array.shape)
    added = _index_backward(spread, key=arrays, shape=input._array.shape)
    return named_as(input + added, "IndexPutBackward0")


# Borders

Pair = tuple[int, int]

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_TITLES = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}


@operation
def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` with borders: `pad` is (left, right, top, bottom, …), the last dimension first.

    "constant" fills them with `value` (0 unless given), "reflect" mirrors, "replicate" repeats
    the edge, "circular" goes on at the other end. Negative sizes cut off. Raises ValueError or
    RuntimeError for sizes that do not fit.

    >>> torch.nn.functional.pad(torch.tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
    """
    sizes = [int(size) for size in pad]
    ndim = input._array.ndim
    if len(sizes) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(sizes) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(sizes)} and input of dimension {ndim}"
        )
    borders = [(0, 0)] * (ndim - len(sizes) // 2)
    borders += list(zip(sizes[::2], sizes[1::2], strict=True))[::-1]
    if mode == "constant":
        return _padded_with(input, borders, 0 if value is None else value)
    if value:
        raise ValueError(f"Padding mode '{mode}' doesn't take in value argument")
    if mode not in _NUMPY_MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if len(sizes) // 2 not in (ndim - 1, ndim - 2):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    return in_float32(_padded_from_inside)(input, borders, len(sizes) // 2, mode)


def _padded_with(input: Tensor, borders: list[Pair], value: float) -> Tensor:
    check_number_fits(value, input.dtype)
    shape = input._array.shape
    sizes = [n + before + after for n, (before, after) in zip(shape, borders, strict=True)]
    for d, size in enumerate(sizes):
        if size < 0:
            raise RuntimeError(
                f"The input size {shape[d]}, plus negative padding {borders[d][0]} and "
                f"{borders[d][1]}, resulted in a negative output size, which is invalid. Check "
                f"dimension {d} of your input."
            )
    edges = [size for border in borders for size in border]
    if str(value) in ("0", "0.0") and min(edges, default=0) >= 0 < max(edges, default=0):
        region = [slice(a, size - b) for size, (a, b) in zip(sizes, borders, strict=True)]
        whole = {"key": tuple(region), "shape": not_negative(sizes)}
        return named_as(call_unary(_slice_backward, input, whole), "ConstantPadNdBackward0")
    cut = zip(shape, borders, strict=True)
    inner = tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in cut])
    added = zip(sizes, borders, strict=True)
    region = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in added]
    kept = getitem(input, inner) if inner else input
    if all(before <= 0 and after <= 0 for before, after in borders):
        return named_as(clone(kept), "ConstantPadNdBackward0")
    filled = note_constant(np.full(not_negative(sizes), dtypes.cast(value, input.dtype)))
    out = _put(filled, kept, region=(*region, Ellipsis), arrays=None)
    return named_as(out, "ConstantPadNdBackward0")


def _padded_from_inside(input: Tensor, borders: list[Pair], count: int, mode: str) -> Tensor:
    """Borders of the last `count` dimensions, made of the tensor's own numbers."""
    out = through(input) if mode in _TITLES else input
    shape, batched = input._array.shape, len(borders) - count == 2
    if mode in _TITLES and 0 in shape[batched:]:
        raise RuntimeError(
            f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch size "
            f"and other non-zero dimensions for input, but got: {list(shape)}"
        )
    sized = zip(input._array.shape, borders, strict=True)
    longest = max([size + sum(border) for size, border in sized][-count:])
    least = 0 if mode == "circular" or (count > 1 and longest > 0) else 1
    for d in range(len(borders) - count, len(borders)):
        (before, after), size = borders[d], input._array.shape[d]
        limit = size - 1 if mode == "reflect" else size
        if mode != "replicate" and max(before, after) > limit:
            raise RuntimeError(_too_wide(mode, d, borders[d], list(input._array.shape)))
        if size + before + after < least or size == 0:
            raise RuntimeError(
                f"input (size: {size}) is too small for the padding {borders[d]} at dimension {d}"
            )
        indices = np.arange(size)
        if mode == "circular":
            indices = indices[max(-before, 0) : max(size + min(after, 0), 0)]
            before, after = max(before, 0), max(after, 0)
            if max(before, after) > len(indices) == 0:
                raise RuntimeError(_too_wide("circular", d, borders[d], list(input._array.shape)))
        indices = np.pad(indices, (max(before, 0), max(after, 0)), _NUMPY_MODES[mode])  # type: ignore[call-overload]
        indices = indices[max(-before, 0) : max(len(indices) + min(after, 0), 0)]
        out = _index(out, key=(ALL,) * d + (note_constant(indices),))
    name = f"{_TITLES[mode]}{count}DBackward0" if mode in _TITLES else "CopySlices"
    return named_as(out, name)


def _too_wide(mode: str, d: int, border: tuple[int, int], shape: list[int]) -> str:
    if mode == "circular":
        return "Padding value causes wrapping around more than once."
    return (
        f"Argument #4: Padding size should be less than the corresponding input dimension, but "
        f"got: padding {border} at dimension {d} of input {shape}"
    )
