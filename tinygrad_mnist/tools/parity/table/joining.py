"""Joining tensors, and cutting them into parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_three = np.ones(3, np.float32)
_scalar = np.ones((), np.float32)


def _joined(new_dim: bool):  # type: ignore[no-untyped-def]
    """Tensors whose other sizes are equal, and the dimension along which to join them."""

    def inputs(make: Maker) -> Sample:
        shape = make.shape(0 if new_dim else 1)
        axis = make.dim(len(shape) + new_dim)
        shapes = [shape] * make.integer(1, 3)
        if not new_dim and shape:
            place = axis % len(shape)
            shapes = [(*s[:place], make.integer(0, 3), *s[place + 1 :]) for s in shapes]
        return make.sample([make.array(each) for each in shapes], axis)

    return inputs


def _alike(make: Maker) -> Sample:
    """A list of tensors of one shape."""
    shape = make.shape()
    return make.sample([make.array(shape) for _ in range(make.integer(1, 3))])


def _stretched(make: Maker) -> Sample:
    return make.sample(*make.arrays(make.integer(1, 3)))


def _coordinates(make: Maker) -> Sample:
    """Vectors and single numbers of one dtype."""
    kind = make.dtype()
    vectors = [make.array(make.shape(0, 1), dtype=kind) for _ in range(make.integer(1, 3))]
    return make.sample(*vectors, indexing=make.choice("ij", "xy"))


def _cut(*counts: Any, least: int = 1):  # type: ignore[no-untyped-def]
    """A tensor, into how many parts or parts of what size, and along which dimension."""

    def inputs(make: Maker) -> Sample:
        x = make.array(make.shape(least))
        return make.sample(x, make.choice(*counts), make.dim(x.ndim))

    return inputs


def _cut_by_sizes(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    axis = make.dim(x.ndim)
    size = x.shape[axis] if x.ndim else 1
    first = make.integer(0, size)
    return make.sample(x, [first, size - first], axis)


def _cut_along(dims: int):  # type: ignore[no-untyped-def]
    """A tensor of so many dimensions at least, and where to cut it, or into how many parts."""

    def inputs(make: Maker) -> Sample:
        return make.sample(make.array(make.shape(dims)), make.choice(1, [1], [0, 2]))

    return inputs


_JOIN_ERRORS = (
    sample([]),
    sample([_matrix, _three]),
    sample(_matrix),
    sample([_matrix, 1.0]),
    sample([_matrix, _matrix], 5),
)
_SPLIT_ERRORS = (sample(_matrix, 2, 2), sample(_matrix, -1, 0), sample(_scalar, 1, 0))


def _rowwise(name: str, errors: tuple[Sample, ...] = (sample([]),)) -> Operation:
    return Operation(name, _alike, primitives=("cat",), errors=errors)


OPERATIONS = [
    Operation("cat", _joined(new_dim=False), errors=(*_JOIN_ERRORS, sample([_scalar]))),
    Operation("stack", _joined(new_dim=True), primitives=("cat",), errors=_JOIN_ERRORS),
    _rowwise("hstack", (sample([]), sample([np.ones((2, 2), np.float32), _matrix.T]))),
    _rowwise("vstack", (sample([]), sample([_matrix, np.ones(2, np.float32)]))),
    _rowwise("dstack"),
    _rowwise("column_stack"),
    *[Operation(name, _stretched, primitives=("reshape",), errors=(sample("text"),))
      for name in ("atleast_1d", "atleast_2d", "atleast_3d")],
    Operation("broadcast_tensors", _stretched, ulp=4, scale="terms", primitives=("expand",),
              errors=(sample(_matrix, np.ones(2, np.float32)),)),
    Operation("meshgrid", _coordinates, ulp=4, scale="terms", primitives=("expand",),
              errors=(sample(_matrix, indexing="ij"), sample(_three, indexing="text"))),
    Operation("split", _cut(1, 2, 3), primitives=("slice",), errors=_SPLIT_ERRORS),
    Operation("split by sizes", _cut_by_sizes, lambda t, x, sizes, dim: t.split(x, sizes, dim),
              primitives=("slice",), errors=(sample(_matrix, [1, 2], 0),)),
    Operation("split_with_sizes", _cut_by_sizes, primitives=("slice",),
              errors=(sample(_matrix, [1, 2], 0), sample(_matrix, [-1, 3], 0))),
    Operation("chunk", _cut(1, 2, 3, 5), primitives=("slice",),
              errors=(sample(_matrix, 0, 0), sample(_matrix, 2, 2))),
    Operation("tensor_split", _cut(1, 2, 3, [1], [0, 2], [2, 1]), primitives=("slice",),
              errors=(sample(_matrix, 0, 0), sample(_scalar, 1, 0))),
    Operation("hsplit", _cut_along(1), primitives=("slice",),
              errors=(sample(_matrix, 2), sample(_scalar, 1))),
    Operation("vsplit", _cut_along(2), primitives=("slice",),
              errors=(sample(_matrix, 4), sample(_three, 1))),
    Operation("dsplit", _cut_along(3), primitives=("slice",), errors=(sample(_matrix, 1),)),
    Operation("unbind", lambda make: make.sample(*_cut(0)(make).arguments[::2]),
              primitives=("slice",), errors=(sample(_matrix, 2),)),
]  # fmt: skip
