"""Other shapes and orders of the same numbers: joining, cutting, turning, diagonals."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, Sample, parametrized, sample

from .families import DIM_ERRORS, MATRIX, SCALAR, THREE, TWO, ones, shaped, unary
from .operation import Operation, gradient_of, rows


def _other_shape(make: Maker) -> Sample:
    x = make.array()
    size = math.prod(x.shape)
    ways = [(size,), (-1,), (1, size), (size, 1, 1), x.shape[::-1]]
    if size and size % 2 == 0:
        ways += [(2, -1), (-1, size // 2)]
    return make.sample(x, make.choice(*ways))


def _reordered(make: Maker) -> Sample:
    x = make.array()
    order = make.order(x.ndim)
    return make.sample(x, tuple(d - x.ndim if make.flag() else d for d in order))


def _two_dims(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, make.dim(x.ndim), make.dim(x.ndim))


def _unsqueezed(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, make.dim(x.ndim + 1))


def _narrow(make: Maker) -> Sample:
    """Some sizes of 1, for squeeze and expand."""
    return make.sample(make.array(tuple(n if make.flag() else 1 for n in make.shape())))


def _squeezed(make: Maker) -> Sample:
    (x,) = _narrow(make).arguments
    way = make.choice("all", "one", "several")
    if way == "all":
        return make.sample(x)
    return make.sample(x, make.dim(x.ndim) if way == "one" else make.dims(x.ndim))


def _expanded(make: Maker) -> Sample:
    (x,) = _narrow(make).arguments
    sizes = [make.choice(-1, make.integer(0, 3)) if n == 1 else make.choice(-1, n) for n in x.shape]
    lead = [make.integer(1, 2) for _ in range(make.integer(0, 1))]
    return make.sample(x, (*lead, *sizes))


def _flattened(make: Maker) -> Sample:
    x = make.array()
    first = make.integer(0, max(x.ndim - 1, 0))
    return make.sample(x, first, make.integer(first, max(x.ndim - 1, 0)))


def _unflattened(make: Maker) -> Sample:
    shape = make.shape(1)
    if not shape:
        return make.sample(make.array(()), 0, (1,))
    axis = make.integer(0, len(shape) - 1)
    sizes = (2, shape[axis])
    x = make.array((*shape[:axis], 2 * shape[axis], *shape[axis + 1 :]))
    return make.sample(x, axis, make.choice(sizes, (2, -1)) if shape[axis] else sizes)


_SHAPES = [
    Operation("reshape", _other_shape, errors=(sample(MATRIX, (4,)), sample(MATRIX, (-1, -1)))),
    Operation("Tensor.view", _other_shape, primitives="reshape",
              errors=(sample(MATRIX, (4,)), sample(MATRIX.T, (6,)))),
    Operation("flatten", _flattened, primitives="reshape",
              errors=(sample(MATRIX, 1, 0), sample(MATRIX, 3))),
    Operation("unflatten", _unflattened, primitives="reshape",
              errors=(sample(MATRIX, 1, (2, 2)),)),
    Operation("permute", _reordered, errors=(sample(MATRIX, (0,)), sample(MATRIX, (0, 0)))),
    *rows("transpose movedim", _two_dims, primitives="permute", errors=(sample(MATRIX, 0, 2),)),
    Operation("t", shaped(0, 2), primitives="permute", errors=(sample(ones(1, 1, 1)),)),
    Operation("Tensor.mT", shaped(2), lambda t, x: x.mT, primitives="permute",
              errors=(sample(THREE),)),
    Operation("squeeze", _squeezed, primitives="reshape", errors=(sample(MATRIX, 2),)),
    Operation("unsqueeze", _unsqueezed, primitives="reshape",
              errors=(sample(MATRIX, 4), *DIM_ERRORS[3:])),
    Operation("Tensor.expand", _expanded, ulp=4, scale="terms",
              errors=(sample(MATRIX, (4, 3)), sample(MATRIX, (3,)), sample(MATRIX, (-1, 2, 3)))),
    Operation("broadcast_to", _expanded, ulp=4, scale="terms", primitives="expand",
              errors=(sample(MATRIX, (4, 3)),)),
    Operation("Tensor.contiguous", unary(), primitives="clone"),
]  # fmt: skip


# Joining tensors, and cutting them into parts


@parametrized
def _joined(make: Maker, new_dim: bool) -> Sample:
    """Tensors whose other sizes are equal, and the dimension along which to join them."""
    shape = make.shape(0 if new_dim else 1)
    axis = make.dim(len(shape) + new_dim)
    shapes = [shape] * make.integer(1, 3)
    if not new_dim and shape:
        place = axis % len(shape)
        shapes = [(*s[:place], make.integer(0, 3), *s[place + 1 :]) for s in shapes]
    return make.sample([make.array(each) for each in shapes], axis)


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


@parametrized
def _cut(make: Maker, *counts: Any) -> Sample:
    """A tensor, into how many parts or parts of what size, and along which dimension."""
    x = make.array(make.shape(1))
    return make.sample(x, make.choice(*counts), make.dim(x.ndim))


def _cut_by_sizes(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    axis, size = make.axis(x)
    first = make.integer(0, size)
    return make.sample(x, [first, size - first], axis)


@parametrized
def _cut_along(make: Maker, dims: int) -> Sample:
    """A tensor of so many dimensions at least, and where to cut it, or into how many parts."""
    return make.sample(make.array(make.shape(dims)), make.choice(1, [1], [0, 2]))


_JOIN_ERRORS = (sample([]), sample([MATRIX, THREE]), sample(MATRIX), sample([MATRIX, 1.0]),
                sample([MATRIX, MATRIX], 5))  # fmt: skip
_cutting = partial(Operation, primitives="slice")

_JOINING = [
    Operation("cat", _joined(new_dim=False), errors=(*_JOIN_ERRORS, sample([SCALAR]))),
    Operation("stack", _joined(new_dim=True), errors=_JOIN_ERRORS),
    Operation("hstack", _alike, primitives="cat",
              errors=(sample([]), sample([ones(2, 2), MATRIX.T]))),
    Operation("vstack", _alike, primitives="cat", errors=(sample([]), sample([MATRIX, TWO]))),
    *rows("dstack column_stack", _alike, primitives="cat", errors=(sample([]),)),
    *rows("atleast_1d atleast_2d atleast_3d", _stretched, primitives="reshape"),
    Operation("broadcast_tensors", _stretched, ulp=4, scale="terms", primitives="expand",
              errors=(sample(MATRIX, TWO),)),
    Operation("meshgrid", _coordinates, ulp=4, scale="terms", primitives="expand",
              errors=(sample(MATRIX, indexing="ij"), sample(THREE, indexing="text"))),
    _cutting("split", _cut(1, 2, 3),
             errors=(sample(MATRIX, 2, 2), sample(MATRIX, -1, 0), sample(SCALAR, 1, 0))),
    _cutting("split by sizes", _cut_by_sizes, lambda t, x, sizes, dim: t.split(x, sizes, dim),
             errors=(sample(MATRIX, [1, 2], 0),)),
    _cutting("split_with_sizes", _cut_by_sizes,
             errors=(sample(MATRIX, [1, 2], 0), sample(MATRIX, [-1, 3], 0))),
    _cutting("chunk", _cut(1, 2, 3, 5), errors=(sample(MATRIX, 0, 0), sample(MATRIX, 2, 2))),
    _cutting("tensor_split", _cut(1, 2, 3, [1], [0, 2], [2, 1]),
             errors=(sample(MATRIX, 0, 0), sample(SCALAR, 1, 0))),
    _cutting("hsplit", _cut_along(1), errors=(sample(MATRIX, 2), sample(SCALAR, 1))),
    _cutting("vsplit", _cut_along(2), errors=(sample(MATRIX, 4), sample(THREE, 1))),
    _cutting("dsplit", _cut_along(3), errors=(sample(MATRIX, 1),)),
    _cutting("unbind", lambda make: make.sample(*_cut(0)(make).arguments[::2]),
             errors=(sample(MATRIX, 2),)),
]  # fmt: skip


# Turning, repeating, diagonals and triangles


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
    return make.sample(
        x, make.random().integers(0, 3, x.size if dim is None else x.shape[dim]), dim
    )


@parametrized
def _with_offset(make: Maker, least: int, most: int) -> Sample:
    """A tensor of so many dimensions, and which diagonal."""
    return make.sample(make.array(make.shape(least, most)), make.integer(-3, 3))


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


def _windows(make: Maker) -> Sample:
    """A tensor, and windows along one of its dimensions."""
    x = make.array(make.shape())
    dim = make.integer(-x.ndim, x.ndim - 1) if x.ndim else 0
    return make.sample(x, dim, make.integer(0, x.shape[dim] if x.ndim else 1), make.integer(1, 3))


def _gradient_of_windows(make: Maker) -> Sample:
    x, *where = _windows(make).arguments
    kind = make.floating()
    if x.ndim == 0:
        x, where = make.array((3,), dtype=kind), [0, 2, 1]
    dim, size, step = where
    shape = [*x.shape, size]
    shape[dim % x.ndim] = (x.shape[dim] - size) // step + 1
    return make.sample(
        make.array(tuple(shape), dtype=kind), make.array(x.shape, dtype=kind), *where
    )


_repeating = partial(Operation, ulp=4, scale="terms")  # sums for gradients

REARRANGING = [
    Operation("flip", _flipped, primitives="slice",
              errors=(sample(MATRIX, (2,)), sample(MATRIX, (0, 0)))),
    Operation("fliplr", shaped(2), primitives="slice", errors=(sample(THREE),)),
    Operation("flipud", shaped(1), primitives="slice", errors=(sample(SCALAR),)),
    Operation("roll", _rolled, primitives="slice cat",
              errors=(sample(MATRIX, (1, 2), (0,)), sample(MATRIX, 1, 2))),
    Operation("rot90", _turned, primitives="slice permute",
              errors=(sample(THREE), sample(MATRIX, 1, (0, 0)), sample(MATRIX, 1, (0, 3)))),
    _repeating("Tensor.repeat", _repeated, primitives="",
               errors=(sample(MATRIX, (2,)), sample(MATRIX, (2, -1)))),
    _repeating("tile", _repeated, primitives="", errors=(sample(MATRIX, (2, -1)),)),
    _repeating("repeat_interleave", _interleaved, primitives="index",
               errors=(sample(MATRIX, -1), sample(MATRIX, 2, 5), sample(MATRIX, np.array([1]), 5))),
    Operation("ravel", shaped(), primitives="reshape"),
    *rows("tril triu", _with_offset(2, 3), primitives="where", errors=(sample(THREE),)),
    Operation("diagonal", _diagonal,
              errors=(sample(THREE), sample(MATRIX, 0, 1, 1), sample(MATRIX, 0, 0, 2))),
    Operation("gradient of diagonal", _gradient_of_diagonal,
              gradient_of(lambda t, x, *where: t.diagonal(x, *where)),
              primitives="diagonal_backward", public=False),
    _repeating("Tensor.unfold", _windows,
               errors=(sample(THREE, 0, 4, 1), sample(THREE, 1, 1, 1), sample(THREE, 0, -1, 1),
                       sample(THREE, 0, 1, 0), sample(SCALAR, 0, 2, 1))),
    _repeating("gradient of unfold", _gradient_of_windows,
               gradient_of(lambda t, x, *where: x.unfold(*where)),
               primitives="unfold_backward", public=False),
    Operation("diag", _with_offset(1, 2), primitives="diagonal",
              errors=(sample(ones(1, 1, 1)), sample(SCALAR))),
    Operation("diag_embed", _with_offset(1, 2), primitives="diagonal_backward",
              errors=(sample(THREE, 0, 0, 0), sample(THREE, 0, 0, 5))),
    Operation("diagflat", _with_offset(0, 2), primitives="diagonal_backward"),
    Operation("trace", shaped(2, 2), ulp=4, scale="terms", primitives="diagonal sum",
              errors=(sample(THREE),)),
    *rows("tril_indices triu_indices", lambda make: make.sample(
        make.integer(0, 4), make.integer(0, 4), make.integer(-3, 3)), primitives="",
        errors=(sample(-1, 2), sample(2, "text"))),
]  # fmt: skip

OPERATIONS = [*_SHAPES, *_JOINING, *REARRANGING]
