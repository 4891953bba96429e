"""Tensors made larger at their borders."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors
from .casting import clone, made
from .dependence import read
from .index_keys import ALL
from .indexing import _index, getitem, index_put

__all__: list[str] = []

Pair = tuple[int, int]

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_TITLES = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """`input` with borders: `pad` is (left, right, top, bottom, …), the last dimension first.

    "constant" fills them with `value` (0 unless given), "reflect" mirrors, "replicate" repeats
    the edge, "circular" goes on at the other end. Negative sizes cut off. Raises ValueError or
    RuntimeError for sizes that do not fit.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.pad(torch.tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
    """
    check_tensors("pad", input=input)
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
    return _padded_from_inside(input, borders, len(sizes) // 2, mode)


def _padded_with(input: Tensor, borders: list[Pair], value: float) -> Tensor:
    shape = input._array.shape
    sizes = [n + before + after for n, (before, after) in zip(shape, borders, strict=True)]
    for d, size in enumerate(sizes):
        if size < 0:
            raise RuntimeError(
                f"The input size {shape[d]}, plus negative padding {borders[d][0]} and "
                f"{borders[d][1]}, resulted in a negative output size, which is invalid. Check "
                f"dimension {d} of your input."
            )
    inner = tuple(
        [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(shape, borders, strict=True)]
    )
    place = tuple(
        [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(sizes, borders, strict=True)]
    )
    kept = getitem(input, inner) if inner else input
    if all(before <= 0 and after <= 0 for before, after in borders):
        return label(clone(kept), "ConstantPadNdBackward0")
    filled = made(np.full(sizes, dtypes.cast(value, input.dtype)))
    return label(
        index_put(filled, kept, region=(*place, Ellipsis), arrays=None), "ConstantPadNdBackward0"
    )


def _padded_from_inside(input: Tensor, borders: list[Pair], count: int, mode: str) -> Tensor:
    """Borders of the last `count` dimensions, made of the tensor's own numbers."""
    out = read(input) if mode in _TITLES else input
    for d in range(len(borders) - count, len(borders)):
        (before, after), size = borders[d], input._array.shape[d]
        limit = size - 1 if mode == "reflect" else size
        if mode != "replicate" and max(before, after) > limit:
            raise RuntimeError(_too_wide(mode, d, borders[d], list(input._array.shape)))
        if size + before + after < 1 or size == 0:
            raise RuntimeError(
                f"input (size: {size}) is too small for the padding {borders[d]} at dimension {d}"
            )
        places = np.arange(size)
        if mode == "circular":
            places = places[max(-before, 0) : size - max(-after, 0)]
            before, after = max(before, 0), max(after, 0)
        places = np.pad(places, (max(before, 0), max(after, 0)), _NUMPY_MODES[mode])  # type: ignore[call-overload]
        places = places[max(-before, 0) : len(places) - max(-after, 0)]
        out = _index(out, key=(ALL,) * d + (made(places),))
    name = f"{_TITLES[mode]}{count}DBackward0" if mode in _TITLES else "CopySlices"
    return label(out, name)


def _too_wide(mode: str, d: int, border: tuple[int, int], shape: list[int]) -> str:
    if mode == "circular":
        return "Padding value causes wrapping around more than once."
    return (
        f"Argument #4: Padding size should be less than the corresponding input dimension, but "
        f"got: padding {border} at dimension {d} of input {shape}"
    )
