"""Turning, repeating, diagonals and triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation, gradient_of

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_three = np.ones(3, np.float32)
_scalar = np.ones((), np.float32)


def _flipped(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, make.dims(x.ndim) if x.ndim else ())


def _rolled(make: Maker) -> Sample:
    x = make.array()
    if make.flag() or not x.ndim:
        return make.sample(x, make.integer(-4, 4))
    dims = make.dims(x.ndim)
    return make.sample(x, tuple(make.integer(-4, 4) for _ in dims), dims)


def _turned(make: Maker) -> Sample:
    return make.sample(make.array(make.shape(2)), make.integer(-1, 4), make.choice((0, 1), (1, 0)))


def _repeated(make: Maker) -> Sample:
    """A tensor, and how often to repeat each dimension; perhaps more dimensions than it has."""
    x = make.array()
    return make.sample(x, tuple(make.integer(0, 2) for _ in range(x.ndim + make.integer(0, 1))))


def _interleaved(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    dim = make.choice(None, 0, -1) if x.ndim else None
    if make.flag():
        return make.sample(x, make.integer(0, 3), dim)
    size = x.size if dim is None else x.shape[dim]
    counts = np.random.default_rng(make.seed()).integers(0, 3, size)
    return make.sample(x, counts, dim)


def _of_shape(least: int, most: int):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        return make.sample(make.array(make.shape(least, most)))

    return inputs


def _with_offset(least: int, most: int):  # type: ignore[no-untyped-def]
    """A tensor of so many dimensions, and which diagonal."""

    def inputs(make: Maker) -> Sample:
        return make.sample(make.array(make.shape(least, most)), make.integer(-3, 3))

    return inputs


def _diagonal(make: Maker) -> Sample:
    """A tensor, which diagonal, and of which two dimensions."""
    x = make.array(make.shape(2))
    first = make.integer(0, max(x.ndim - 1, 0))
    second = (first + make.integer(1, max(x.ndim - 1, 1))) % max(x.ndim, 1)
    return make.sample(x, make.integer(-3, 3), first, second - x.ndim if make.flag() else second)


def _gradient_of_diagonal(make: Maker) -> Sample:
    x, *where = _diagonal(make).arguments
    kind = make.floating()
    if x.ndim < 2:
        x, where = make.array((2, 2), dtype=kind), [0, 0, 1]
    taken = np.diagonal(x, *where)
    return make.sample(make.array(taken.shape, dtype=kind), make.array(x.shape, dtype=kind), *where)


def _corners(make: Maker) -> Sample:
    return make.sample(make.integer(0, 4), make.integer(0, 4), make.integer(-3, 3))


def _sums(name: str, inputs: Any, **options: Any) -> Operation:
    """What repeats numbers has sums for gradients."""
    return Operation(name, inputs, ulp=4, scale="terms", **options)


OPERATIONS = [
    Operation("flip", _flipped, primitives=("slice",),
              errors=(sample(_matrix, (2,)), sample(_matrix, (0, 0)))),
    Operation("fliplr", _of_shape(2, 3), primitives=("slice",), errors=(sample(_three),)),
    Operation("flipud", _of_shape(1, 3), primitives=("slice",), errors=(sample(_scalar),)),
    Operation("roll", _rolled, primitives=("slice", "cat"),
              errors=(sample(_matrix, (1, 2), (0,)), sample(_matrix, 1, 2))),
    Operation("rot90", _turned, primitives=("slice", "permute"),
              errors=(sample(_three), sample(_matrix, 1, (0, 0)), sample(_matrix, 1, (0, 3)))),
    _sums("Tensor.repeat", _repeated, primitives=(), errors=(sample(_matrix, (2,)),
                                                             sample(_matrix, (2, -1)))),
    _sums("tile", _repeated, primitives=(), errors=(sample(_matrix, (2, -1)),)),
    _sums("repeat_interleave", _interleaved, primitives=("index",),
          errors=(sample(_matrix, -1), sample(_matrix, 2, 5), sample(_matrix, np.array([1]), 5))),
    Operation("ravel", _of_shape(0, 3), primitives=("reshape",)),
    Operation("tril", _with_offset(2, 3), primitives=("where",), errors=(sample(_three),)),
    Operation("triu", _with_offset(2, 3), primitives=("where",), errors=(sample(_three),)),
    Operation("diagonal", _diagonal,
              errors=(sample(_three), sample(_matrix, 0, 1, 1), sample(_matrix, 0, 0, 2))),
    Operation("gradient of diagonal", _gradient_of_diagonal,
              gradient_of(lambda t, x, *where: t.diagonal(x, *where)),
              primitives=("diagonal_backward",), public=False),
    Operation("diag", _with_offset(1, 2), primitives=("diagonal",),
              errors=(sample(np.ones((1, 1, 1), np.float32)), sample(_scalar))),
    Operation("diag_embed", _with_offset(1, 2), primitives=("diagonal_backward",),
              errors=(sample(_three, 0, 0, 0), sample(_three, 0, 0, 5))),
    Operation("diagflat", _with_offset(0, 2), primitives=("diagonal_backward",)),
    Operation("trace", _of_shape(2, 2), ulp=4, scale="terms", primitives=("diagonal", "sum"),
              errors=(sample(_three),)),
    *[Operation(name, _corners, primitives=(), errors=(sample(-1, 2), sample(2, "text")))
      for name in ("tril_indices", "triu_indices")],
]  # fmt: skip
