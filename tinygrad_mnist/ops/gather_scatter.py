"""Taking numbers out of a tensor, and putting them in, by tensors of indices or masks."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_binary, call_unary, explain_shapes
from tinygrad_mnist.engine.node import must_not_change, named_as
from tinygrad_mnist.engine.observer import note_constant, note_untraceable
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.kernels import rows

from .arguments import check_fill_value, check_number_fits, operation, read_dim
from .arithmetic import mul, remainder
from .casting import cast_to, copied
from .indexing import ALL, WHOLE, Key, _index, _slice_backward, index_put
from .shapes import broadcast_tensors, expand, reshape

Shape = tuple[int, ...]


_FEW = 64
"""NumPy reads no more numbers than these sooner than a loop does."""


@primitive
def _gather(input: Array, *, dim: int, index: Array) -> Any:
    """x at index along dim"""
    by_rows = dim == input.ndim - 1 and index.size > _FEW
    found = rows.gather(input, index) if by_rows else None
    return input[_grid(index, dim)] if found is None else found


def _grid(index: Array, dim: int) -> tuple[Any, ...]:
    """The key of the elements (i, j, …) with `index` in place of dimension `dim`."""
    grid = _open_grid(index.shape)
    return (*grid[:dim], index, *grid[dim + 1 :])


@functools.lru_cache(256)
def _open_grid(shape: Shape) -> tuple[Array, ...]:
    """For each dimension its places, as they broadcast together."""
    return tuple(np.ogrid[tuple([slice(size) for size in shape])])


@primitive(grad_fn="ScatterAddBackward0")
def _scatter_add(input: Array, src: Array, *, dim: int, index: Array) -> Any:
    """x, with src added at index along dim"""
    out = input.copy()
    part = src
    if src.shape != index.shape:
        part = src[tuple([slice(size) for size in index.shape])]
    if dim == out.ndim - 1 and rows.scatter_add(out, index, part):
        return out
    if out.dtype == bool:
        np.logical_or.at(out, _grid(index, dim), part)
    else:
        np.add.at(out, _grid(index, dim), part)
    return out


@primitive(grad_fn="ScatterAddBackward0")
def _gather_backward(grad: Array, *, dim: int, index: Array, shape: Shape) -> Any:
    """0, with g added at index along dim"""
    out = np.zeros(shape, grad.dtype)
    if dim != len(shape) - 1 or not rows.scatter_add(out, index, grad):
        np.add.at(out, _grid(index, dim), grad)
    return out


def _extended(g: Any, shape: Shape) -> Any:
    """g with zeros behind it, as far as `shape` goes."""
    if g.shape == shape:
        return g
    return _slice_backward(g, key=tuple([slice(size) for size in g.shape]), shape=shape)


_gather.derivatives(
    input=lambda g, dim, index, shape: _gather_backward(g, dim=dim, index=index, shape=shape)
)
_gather_backward.derivatives(grad=lambda g, dim, index: _gather(g, dim=dim, index=index))
_scatter_add.derivatives(
    input=lambda g: g,
    src=lambda g, dim, index, shape: _extended(_gather(g, dim=dim, index=index), shape),
)


def with_dimension(tensor: Tensor) -> Tensor:
    """A 0-d tensor as one of length 1, as PyTorch treats it where it indexes."""
    return tensor if tensor._array.ndim else reshape(tensor, 1)


_LONG = np.dtype(np.int64)
_INTEGERS = (_LONG, np.dtype(np.int32))


def _read_index(name: str, dim: int, index: Tensor, input: Tensor) -> Array:
    """A copy of the index's array, if it is within bounds; PyTorch's errors otherwise."""
    array: Array = copied(index._array)
    if array.dtype not in _INTEGERS:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    if array.ndim != input._array.ndim:
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as "
            f"{'input' if name == 'gather' else 'self'} tensor"
        )
    size = input._array.shape[dim]
    if largest_unsigned(array) >= size:
        bad = array[(array < 0) | (array >= size)]
        raise RuntimeError(
            f"index {bad.flat[0]} is out of bounds for dimension {dim} with size {size}"
        )
    return array


def largest_unsigned(array: Array) -> int:
    """The largest of some indices, where a negative one counts as huge; −1 if there are none.

    (`argmax` is a third of the price of `max`.)
    """
    if not array.size:
        return -1
    numbers = array.view(np.uint64 if array.itemsize == 8 else np.uint32)
    return int(numbers.item(numbers.argmax()))


@operation
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """The numbers at `index` along `dim`: out[i][j] = input[index[i][j]][j] for dim 0.

    `index` is int64 with as many dimensions as `input`; raises RuntimeError out of bounds.

    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    axis = read_dim(dim, input._array.ndim)
    if index._array.size == 0:
        nothing = _index(reshape(input, -1), key=(index._array.astype(np.int64),))
        return named_as(nothing, "GatherBackward0")
    x = with_dimension(input)
    array = _read_index("gather", axis, with_dimension(index), x)
    for d, size in enumerate(array.shape):
        if d != axis and size > x._array.shape[d]:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(array.shape)} to be "
                f"no larger than self {list(x._array.shape)} apart from dimension {axis}"
            )
    out = must_not_change(call_unary(_gather, x, {"dim": axis, "index": array}), index)
    return out if index._array.ndim else named_as(reshape(out, ()), "GatherBackward0")


def taken_along(input: Tensor, axis: int, indices: Tensor) -> Tensor:
    """`gather` at indices that are known to be right."""
    if not input._array.ndim:
        return gather(input, axis, indices)
    found = {"dim": axis, "index": copied(indices._array)}
    return must_not_change(call_unary(_gather, input, found), indices)


def _read_scattered(input: Tensor, dim: int, index: Tensor, src: Any) -> Any:
    """Input, index and source with a dimension at least, checked against each other."""
    axis = read_dim(dim, input._array.ndim)
    x, indices = with_dimension(input), with_dimension(index)
    with_tensor = isinstance(src, Tensor)
    source = with_dimension(src) if with_tensor else src
    ndim = source._array.ndim if with_tensor else x._array.ndim
    if index._array.size and ndim != indices._array.ndim == x._array.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    if index._array.size == 0:
        array = np.zeros((0,) * x._array.ndim, np.int64)
        if ndim != x._array.ndim:
            source = reshape(reshape(source, -1)[:0], array.shape)
    else:
        array = _read_index("scatter", axis, indices, x)
    if with_tensor and source._array.dtype != x._array.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    shape, limit = x._array.shape, source._array.shape if with_tensor else array.shape
    for d, size in enumerate(array.shape):
        if size > limit[d] or (size > shape[d] and d != axis):
            raise RuntimeError(
                f"Expected index {list(array.shape)} to be no larger than self {list(shape)} "
                f"apart from dimension {axis}"
                + f" and to be no larger size than src {list(limit)}"
                * with_tensor
            )
    return x, axis, array, source


@operation
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Tensor | float | None = None, *,
    value: float | None = None, reduce: str | None = None,
) -> Tensor:  # fmt: skip
    """`input` with `src` (a tensor or a number) written at `index` along `dim`.

    out[index[i][j]][j] = src[i][j] for dim 0; which number stays where an element is named twice
    is not defined. Raises RuntimeError out of bounds.

    >>> torch.scatter(torch.zeros(3), 0, torch.tensor([0, 2]), 5.0)
    tensor([5., 0., 5.])
    """
    source = value if src is None else src
    if source is None:
        raise TypeError('scatter() missing 1 required positional arguments: "src"')
    if reduce == "add":
        if not isinstance(source, Tensor):
            source = wrap(np.full(index._array.shape, source).astype(input._array.dtype))
        return scatter_add(input, dim, index, source)
    if reduce not in (None, "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if reduce is not None:
        raise NotImplementedError(
            f"scatter(reduce={reduce!r}) is not supported: use scatter_reduce(reduce='prod')"
        )
    x, axis, array, numbers = _read_scattered(input, dim, index, source)
    with_tensor = isinstance(numbers, Tensor)
    if with_tensor:
        part = tuple([slice(size) for size in array.shape])
        numbers = numbers if part == (ALL,) else numbers[part]
    else:
        numbers = dtypes.cast(numbers, input.dtype)
    arrays = tuple([part if part is array else note_constant(part) for part in _grid(array, axis)])
    out = index_put(x, numbers, region=WHOLE, arrays=arrays)
    return named_as(reshape(out, input._array.shape), f"ScatterBackward{int(not with_tensor)}")


@operation
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`input` with `src` added at `index` along `dim`, as often as an element is named.

    >>> torch.scatter_add(torch.zeros(2), 0, torch.tensor([1, 1]), torch.tensor([2.0, 3.0]))
    tensor([0., 5.])
    """
    x, axis, array, numbers = _read_scattered(input, dim, index, src)
    out = call_binary(_scatter_add, x, numbers, {"dim": axis, "index": array})
    must_not_change(out, index)
    return out if input._array.ndim else named_as(reshape(out, ()), "ScatterAddBackward0")


@operation
def take(input: Tensor, index: Tensor) -> Tensor:
    """The numbers at `index` of the flattened tensor, in the shape of `index`."""
    array, size = copied(index._array), input._array.size
    if array.dtype != np.int64:
        raise RuntimeError(
            f"take(): Expected a long tensor for index, but got {index.dtype.legacy_name}"
        )
    bad = array[(array < -size) | (array >= size)]
    if bad.size:
        raise IndexError(
            f"out of range: tried to access index {bad.flat[0]} on a tensor of {size} elements."
        )
    out = _index(reshape(input, -1), key=(array,))
    return named_as(must_not_change(out, index), "TakeBackward0")


@operation
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` whose two tensors broadcast; of the flattened ones unless `dim` is given."""
    if indices._array.dtype != np.int64:
        raise RuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            + indices.dtype.legacy_name
        )
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    axis = read_dim(dim, input._array.ndim)
    if input._array.ndim != indices._array.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input._array.ndim} dimensions for input, and {indices._array.ndim} "
            "dimensions for indices"
        )
    if input._array.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    shapes = [list(tensor._array.shape) for tensor in (input, indices)]
    for shape in shapes:
        shape[axis] = 1
    explain_shapes(tuple([np.empty(shape) for shape in shapes]))
    common = np.broadcast_shapes(*map(tuple, shapes))
    sizes = [tensor._array.shape[axis] for tensor in (input, indices)]
    whole, wanted = (
        tensor.expand(*common[:axis], size, *common[axis + 1 :])
        for tensor, size in zip((input, indices), sizes, strict=True)
    )
    return gather(whole, axis, remainder(wanted, max(sizes[0], 1)))


@operation
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The numbers where `mask` (bool) holds, as a vector; the two broadcast.

    >>> x = torch.tensor([1.0, -2.0, 3.0])
    >>> torch.masked_select(x, x > 0)
    tensor([1., 3.])
    """
    if mask._array.dtype != bool:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    x, chosen = broadcast_tensors(input, mask)
    out = _index(x, key=(copied(chosen._array),))
    return named_as(reshape(out, -1), "MaskedSelectBackward0")


@operation
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the first numbers of `source` where `mask` (bool) holds."""
    if mask._array.dtype != bool:
        raise RuntimeError(
            "masked_scatter_ only supports boolean masks, but got mask with dtype "
            + mask.dtype.legacy_name
        )
    x, chosen = broadcast_tensors(input, mask)
    note_untraceable()
    indices = np.flatnonzero(chosen._array)
    if len(indices) > source._array.size:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    values = reshape(source, -1)[: len(indices)]
    out = index_put(reshape(x, -1), values, region=WHOLE, arrays=(indices,))
    return named_as(reshape(out, x._array.shape), "MaskedScatterBackward0")


@operation
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Where the numbers are not zero: (found, dimensions), int64; or one tensor a dimension.

    >>> torch.nonzero(torch.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    note_untraceable()
    if as_tuple:
        return tuple([wrap(axis) for axis in np.nonzero(np.atleast_1d(input._array))])
    return argwhere(input)


@operation
def argwhere(input: Tensor) -> Tensor:
    """Where the numbers are not zero: `nonzero`."""
    note_untraceable()
    indices = np.transpose(np.nonzero(np.atleast_1d(input._array)))
    return wrap(np.ascontiguousarray(indices[:, : input._array.ndim]))


# Whole slices, named by a vector of indices


def _read_vector(name: str, input: Tensor, dim: int, index: Tensor) -> tuple[int, Array]:
    """The dimension, and a vector of indices of what is along it."""
    axis = read_dim(dim, input._array.ndim)
    array: Array = index._array
    if array.ndim > 1:
        error = RuntimeError if name == "index_fill_" else IndexError
        raise error(f"{name}(): Index is supposed to be a vector, not {array.ndim}-dimensional")
    wanted = (_LONG,) if name in ("index_fill_", "index_copy_") else _INTEGERS
    if array.dtype not in wanted:
        error = IndexError if name == "index_fill_" else RuntimeError
        raise error(
            f"{name}(): Expected dtype {'/'.join(kind.name for kind in wanted)} for "
            f"index, but got {index.dtype.legacy_name}"
        )
    return axis, array if array.ndim else array.reshape(1)


class OutOfBounds(IndexError, RuntimeError):
    """An index out of bounds: PyTorch raises one class or the other, by the loop that it takes."""


def _check_bounds(
    name: str, input: Tensor, axis: int, array: Array, negative: bool = False
) -> Array:
    """The indices, counted from the front; PyTorch's class of error for one out of bounds."""
    size, array = input._array.shape[axis] if input._array.ndim else 1, copied(array)
    if largest_unsigned(array) < size:
        return array
    bad = array[(array >= size) | (array < -size * negative)]
    if bad.size:
        raise OutOfBounds(
            f"{name}(): index {bad[0]} is out of bounds for dimension {axis} with size {size}"
        )
    return array % max(size, 1) if negative else array


@operation
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices number `index` (a vector) along `dim`.

    >>> torch.index_select(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([1, 1]))
    tensor([[2, 2],
            [4, 4]])
    """
    axis, array = _read_vector("index_select", input, dim, index)
    if input._array.ndim == 0 and array.size != 1:
        raise RuntimeError(
            f"index_select(): Index to scalar can have only 1 value, got {array.size} value(s)"
        )
    if array.size and input._array.size == 0:
        size = input._array.shape[axis]
        if size == 0:
            raise RuntimeError("index_select(): self indexing axis dim should be positive")
        for bad in array[(array < 0) | (array >= size)]:
            raise RuntimeError(f"INDICES element is out of DATA bounds, id={bad} axis_dim={size}")
    array = _check_bounds("index_select", input, axis, array)
    key: Key = (
        ((ALL,) * axis + (array,))
        if input._array.ndim
        else (note_constant(np.zeros((), np.int64)),)
    )
    out = must_not_change(call_unary(_index, with_dimension(input), {"key": key}), index)
    return named_as(out, "IndexSelectBackward0")


@operation
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
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
    alpha = alpha if input._array.dtype.kind in dtypes.FLOATS else int(alpha)
    added = with_dimension(source if alpha == 1 else mul(source, alpha))
    along = reshape(wrap(array), [-1 if d == axis else 1 for d in range(added._array.ndim)])
    indices = expand(along, added._array.shape)._array
    out = _scatter_add(with_dimension(input), added, dim=axis, index=indices)
    return named_as(reshape(out, input._array.shape), "IndexAddBackward0")


@operation
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with the slices of `source` in place of those number `index` along `dim`."""
    axis, array = _read_vector("index_copy_", input, dim, index)
    _check_copied(input, source, axis, array.size)
    array = _check_bounds("index_copy_", input, axis, array)
    key = (ALL,) * axis + (array,)
    out = index_put(with_dimension(input), with_dimension(source), region=WHOLE, arrays=key)
    return named_as(reshape(out, input._array.shape), "IndexCopyBackward0")


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


@operation
def index_fill(input: Tensor, dim: int, index: Tensor, value: float | Tensor) -> Tensor:
    """`input` with `value` (a number or a 0-d tensor) in the slices number `index` along `dim`."""
    axis, array = _read_vector("index_fill_", input, dim, index)
    check_fill_value("index_fill", 4, value)
    filling: Any = value
    with_tensor = isinstance(value, Tensor)
    if with_tensor and filling.requires_grad and input._array.dtype.kind not in dtypes.FLOATS:
        raise RuntimeError(f"Autograd not support dtype: {input.dtype.name}")
    check_number_fits(value, input.dtype)
    array = _check_bounds("index_fill_", input, axis, array, negative=True)
    key = (ALL,) * axis + (np.unique(array),)
    filling = (cast_to if with_tensor else dtypes.cast)(filling, input.dtype)
    out = index_put(with_dimension(input), filling, region=WHOLE, arrays=key)
    return named_as(reshape(out, input._array.shape), f"IndexFillBackward{int(with_tensor)}")
