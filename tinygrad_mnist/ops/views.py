"""From a tensor to a view of it, several steps at once; and a tensor changed through a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.memory import in_memory, memory_of
from tinygrad_mnist.engine.node import Record, make_record, move_grad
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Step, Tensor, TensorBase
from tinygrad_mnist.engine.views import current_record, mark_view, to_be_renewed

Shape = tuple[int, ...]


def _follow(array: Array, step: Step | None) -> Array:
    """The view of `array` to which the steps lead (a copy, where its memory is arranged so)."""
    path = []
    while step is not None:
        path.append(step)
        step = step[0]
    for _, operation, attributes in reversed(path):
        array = operation.body(array, **attributes)
    return array


def positions_of_view(shape: Shape, steps: Step) -> Array:
    """Where, in an array of this shape laid flat, the elements of the view lie."""
    return _follow(np.arange(np.prod(shape, dtype=np.int64)).reshape(shape), steps)


@primitive(view=True, grad_fn="AsStridedBackward0")
def _as_strided(input: Array, *, steps: Step) -> Array:
    """the view of x to which the steps lead"""
    return _follow(input, steps)


@primitive(grad_fn="AsStridedBackwardBackward0")
def _as_strided_backward(input: Array, *, steps: Step, shape: Shape) -> Array:
    """zeros, with x added where the view lies"""
    out = np.zeros(shape, input.dtype)
    np.add.at(out.reshape(-1), positions_of_view(shape, steps), input)
    return out


@primitive(grad_fn="CopySlices")
def _copy_slices(input: Array, values: Any, *, steps: Step) -> Array:
    """x, with values where the view lies"""
    out = input.copy()
    out.reshape(-1)[positions_of_view(input.shape, steps)] = values
    return out


_as_strided.derivatives(
    input=lambda g, steps, shape: _as_strided_backward(g, steps=steps, shape=shape)
)
_as_strided_backward.derivatives(input=lambda g, steps: _as_strided(g, steps=steps))
_copy_slices.derivatives(
    input=lambda g, steps: _copy_slices(g, 0.0, steps=steps),
    values=lambda g, steps: _as_strided(g, steps=steps),
)


class _Strided:
    """A step to a view by sizes and strides; the offset is from where the array begins."""

    @staticmethod
    def body(array: Array, *, size: Shape, stride: Shape, offset: int) -> Array:
        memory, start = memory_of(array)
        try:
            return in_memory(memory, start + offset, size, stride)
        except ValueError as error:
            raise RuntimeError(f"as_strided: {error}") from None


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A view of the memory behind `input`, of any size and stride, from `storage_offset` on.

    Gradients are for tensors whose own memory is in order. Raises RuntimeError where the view
    would reach beyond the memory.

    >>> torch.as_strided(torch.arange(4), (3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    if current_record(input) is not None and not input._array.flags.c_contiguous:
        raise NotImplementedError("as_strided() has no gradient here: make it .contiguous() first")
    offset = 0 if storage_offset is None else storage_offset - memory_of(input._array)[1]
    at: Any = {"size": tuple(size), "stride": tuple(stride), "offset": offset}
    steps: Any = (None, _Strided, at)
    view: Tensor = _as_strided(input, steps=steps)
    if view._view is None:
        mark_view(view, input, _as_strided, {"steps": steps})
    return view


def rebase(target: TensorBase, record: Any) -> None:
    """Make `record` a tensor's newer one; of a view the base gets one too, which leads to it.

    Other views of the base get theirs when they are next asked for it.
    """
    if target._view is None:
        _take(target, record)
        return
    base, _, steps, _ = target._view
    to_be_renewed(target)
    newer = make_record(
        _copy_slices, (current_record(base), record), base._array, (), {"steps": steps},
        _copy_slices.record_type,
    )  # fmt: skip
    _take(base, newer)
    current_record(target)


def _take(tensor: TensorBase, record: Record) -> None:
    """Give a tensor a newer record, which takes its `.grad` over (that of a leaf at rest, too)."""
    move_grad(tensor._record or tensor.__dict__.pop("_resting_leaf", None), record)
    tensor._record = record
