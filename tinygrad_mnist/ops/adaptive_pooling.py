"""Pooling to a size: images cut into so many parts, of each the mean or the largest number."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, label
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, not_implemented
from .casting import clone
from .dependence import read
from .joining import stack
from .pooling import check_sequences, only, pick
from .reductions import mean
from .shapes import squeeze, unsqueeze

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
]


def _bounds(size: int, parts: int) -> list[tuple[int, int]]:
    """Part i of n goes from ⌊i · size / n⌋ to ⌈(i + 1) · size / n⌉."""
    return [(i * size // parts, -(-(i + 1) * size // parts)) for i in range(parts)]


def _read_sizes(name: str, input: Tensor, output_size: Any) -> list[int]:
    """The sizes of the result; PyTorch's errors."""
    check_tensors(name, input=input)
    shape = list(input._array.shape)
    given = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if given is output_size and len(shape) <= len(given):
        raise ValueError(f"Input dimension should be at least {len(given) + 1}")
    if len(shape) not in (3, 4):
        comma = ", but got" if "avg" in name else ", but got:"
        raise RuntimeError(f"{name}(): Expected 3D or 4D tensor{comma} {shape}")
    if len(given) != 2:
        raise RuntimeError(f"{name}: output_size must be 2")
    for d in range(len(shape) - 3 + (len(shape) == 3), len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {shape} with dimension {d} being empty"
            )
    sizes = [n if size is None else size for n, size in zip(shape[-2:], given, strict=True)]
    if min(sizes) < 0 and "max" in name:
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(sizes)}: {[*shape[:-2], *sizes]}"
        )
    if min(sizes) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{sizes[0]}, {sizes[1]}}}"
        )
    return sizes


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows that cut images into `output_size` parts, whatever their size.

    Part i of n goes from ⌊i · size / n⌋ to ⌈(i + 1) · size / n⌉. None keeps a size.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.adaptive_avg_pool2d(torch.arange(6.0).reshape(1, 2, 3), 1)
    tensor([[[2.5000]]])
    """
    check_tensors("adaptive_avg_pool2d", input=input)
    if output_size == 1 or (output_size in ((1, 1), [1, 1]) and input._array.ndim > 2):
        return mean(input, (-1, -2), True)
    sizes = _read_sizes("adaptive_avg_pool2d", input, output_size)
    if sizes == [1, 1]:
        return mean(input, (-1, -2), True)
    if input._array.dtype.kind != "f":
        raise not_implemented("adaptive_avg_pool2d", input._array.dtype)
    x = read(input)
    out = _means_of_parts(_means_of_parts(x, -2, sizes[0]), -1, sizes[1])
    return label(clone(out) if out is x else out, "AdaptiveAvgPool2DBackward0")


def _means_of_parts(x: Tensor, dim: int, parts: int) -> Tensor:
    size = x._array.shape[dim]
    if size == parts:
        return x
    if parts == 0:
        return x.narrow(dim, 0, 0)
    return stack([mean(x.narrow(dim, a, b - a), dim) for a, b in _bounds(size, parts)], dim)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """`adaptive_avg_pool2d` for sequences (batch, channels, length)."""
    check_sequences("adaptive_avg_pool1d", input)
    size = only("adaptive_avg_pool1d", "output_size", output_size)
    return squeeze(adaptive_avg_pool2d(unsqueeze(input, -2), (1, size)), -2)


@primitive
def _place_of_part_max(input: Array, *, sizes: tuple[int, int]) -> Any:
    """where in each image the largest x of each part is, counted row by row"""
    height, width = input.shape[-2:]
    out = np.empty((*input.shape[:-2], *sizes), np.int64)
    for i, (top, bottom) in enumerate(_bounds(height, sizes[0])):
        for j, (left, right) in enumerate(_bounds(width, sizes[1])):
            part = input[..., top:bottom, left:right]
            part = part.reshape(*input.shape[:-2], (bottom - top) * (right - left))
            best = part.argmax(-1)
            rows, columns = np.divmod(best, right - left)
            out[..., i, j] = (top + rows) * width + left + columns
    return out


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest number of each of the parts that `adaptive_avg_pool2d` cuts images into.

    `return_indices` adds where in the image each number is, counted row by row.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.adaptive_max_pool2d(torch.arange(6.0).reshape(1, 2, 3), (1, 2))
    tensor([[[4., 5.]]])
    """
    down, across = _read_sizes("adaptive_max_pool2d", input, output_size)
    if input._array.dtype.kind != "f":
        raise not_implemented("adaptive_max_pool2d", input._array.dtype)
    indices = _place_of_part_max(input.detach(), sizes=(down, across))
    out = label(pick(input, indices), "AdaptiveMaxPool2DBackward0")
    return (out, indices) if return_indices else out


def adaptive_max_pool1d(input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """The largest number of each part of sequences (batch, channels, length), and where it is."""
    check_sequences("adaptive_max_pool1d", input)
    size = only("adaptive_max_pool1d", "output_size", output_size)
    values, indices = adaptive_max_pool2d(unsqueeze(input, -2), (1, size), True)
    return squeeze(values, -2), squeeze(indices, -2)
