"""Copies of a tensor in which a part is another tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import TensorBase, label, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_number_fits, check_tensors, read_dim
from .casting import cast_to, clone, made
from .choosing import where
from .diagonals import _two_dims
from .index_keys import ALL, Key, read_index
from .indexing import _index, _index_backward
from .indexing import index_put as _put
from .shapes import expand

__all__ = [
    "diagonal_scatter",
    "fill",
    "index_put",
    "narrow_copy",
    "select_scatter",
    "slice_scatter",
]


def _replaced(name: str, input: Tensor, key: Key, src: Tensor) -> Tensor:
    """A copy of `input` with `src` at a key of slices and integers."""
    check_tensors(name, input=input, src=src)
    shape = input._array[key].shape
    if src._array.shape != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src._array.shape)}, slice size = {list(shape)}"
        )
    title = "".join(part.capitalize() for part in name.split("_"))
    out = _put(input, cast_to(src, input.dtype), region=key, arrays=None)
    return label(out, f"{title}Backward0")


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` whose slice number `index` along `dim` is `src`.

    >>> import tinygrad_mnist as torch
    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    check_tensors("select_scatter", input=input, src=src)
    shape = input._array.shape
    axis = read_dim(dim, len(shape))
    if not shape or not -shape[axis] <= index < shape[axis]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension "
            f"{axis}"
        )
    return _replaced("select_scatter", input, (*(ALL,) * axis, index, Ellipsis), src)


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
    step: int = 1,
) -> Tensor:  # fmt: skip
    """A copy of `input` whose slices `start` to `end` along `dim` are `src`.

    >>> import tinygrad_mnist as torch
    >>> torch.slice_scatter(torch.zeros(4), torch.ones(2), 0, 1, 3)
    tensor([0., 1., 1., 0.])
    """
    check_tensors("slice_scatter", input=input, src=src)
    axis = read_dim(dim, input._array.ndim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    key = (*(ALL,) * axis, slice(start, end, step))
    return _replaced("slice_scatter", input, key, src)


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of `input` whose diagonal (over `dim1` and `dim2`) is `src`.

    >>> import tinygrad_mnist as torch
    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_tensors("diagonal_scatter", input=input, src=src)
    first, second = _two_dims(input._array.ndim, dim1, dim2)
    shape = np.diagonal(input._array, offset, first, second).shape
    if src._array.shape != shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src._array.shape)}, slice size = {list(shape)}"
        )
    places = np.arange(input._array.size).reshape(input._array.shape)
    taken = np.diagonal(places, offset, first, second)
    key = np.unravel_index(taken, input._array.shape) if taken.size else None
    if key is None:
        return label(clone(input), "DiagonalScatterBackward0")
    out = _put(input, cast_to(src, input.dtype), region=(Ellipsis,), arrays=tuple(key))
    return label(out, "DiagonalScatterBackward0")


def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`narrow` as a copy."""
    check_tensors("narrow_copy", input=input)
    ndim = input._array.ndim
    if dim >= max(ndim, 1):
        raise RuntimeError(f"narrow_copy(): dimension {dim} is out of range for {ndim} dimensions")
    return label(clone(input.narrow(dim, start, length)), "NarrowCopyBackward0")


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input`, full of `value` (a number or a 0-d tensor)."""
    check_tensors("fill", input=input)
    with_tensor = isinstance(value, TensorBase)
    if with_tensor and value._array.ndim:
        raise RuntimeError(
            "fill only supports 0-dimension value tensor but got tensor with "
            f"{value._array.ndim} dimensions."
        )
    check_number_fits(value, input.dtype)
    number = cast_to(value if with_tensor else wrap(made(np.asarray(value))), input.dtype)
    everywhere = wrap(made(np.ones(input._array.shape, bool)))
    return label(where(everywhere, number, input), f"FillBackward{int(with_tensor)}")


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `values` at `indices`, as `input[indices] = values` writes them.

    With `accumulate` they are added, as often as a place is named.

    >>> import tinygrad_mnist as torch
    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 2]),), torch.tensor(1.0))
    tensor([1., 0., 1.])
    """
    check_tensors("index_put", input=input)
    region, arrays = read_index(tuple(indices), input._array.shape)
    if values._array.dtype != input._array.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{input.dtype.legacy_name} for the destination and {values.dtype.legacy_name} for "
            "the source."
        )
    if not accumulate or arrays is None:
        out = _put(input, values, region=region, arrays=arrays)
        return label(out, "IndexPutBackward0")
    taken = _index(input.detach(), key=arrays)
    spread = expand(values, taken._array.shape)
    added = _index_backward(spread, key=arrays, shape=input._array.shape)
    return label(input + added, "IndexPutBackward0")
