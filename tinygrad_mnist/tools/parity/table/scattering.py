"""Taking and putting numbers at indices that tensors hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Array, Maker, Sample, Shape, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_INDEX = np.array([[0, 1, 0], [1, 0, 1]])
_BAD_INDEX = np.array([[5]])


def _indices(make: Maker, shape: Shape, size: int) -> Array:
    """Integers below `size`, int64; some are named twice."""
    random = np.random.default_rng(make.seed())
    return np.asarray(random.integers(0, max(size, 1), shape))


def _along(make: Maker) -> tuple[Array, int, int]:
    """A tensor, one of its dimensions, and that dimension's size."""
    x = make.array()
    axis = make.dim(x.ndim)
    return x, axis, x.shape[axis] if x.ndim else 1


def _with_size(shape: Shape, axis: int, size: int) -> Shape:
    sizes = list(shape)
    if sizes:
        sizes[axis] = size
    return tuple(sizes)


def _scattered(make: Maker) -> Sample:
    """Everywhere along one dimension of the others' sizes."""
    x, axis, size = _along(make)
    shape = _with_size(x.shape, axis, make.integer(0, 4) if size else 0)
    return make.sample(x, axis, _indices(make, shape, size), make.array(shape, dtype=x.dtype))


def _scattered_from_larger(make: Maker) -> Sample:
    """A source with more numbers than are taken, which PyTorch gives no gradient."""
    x, axis, index, source = _scattered(make).arguments
    larger = make.array(tuple(n + make.integer(0, 1) for n in source.shape), dtype=x.dtype)
    return make.sample(x, axis, index, Given(larger, False))


def _scattered_once(make: Maker) -> Sample:
    """Each place named once: which of several numbers wins is nobody's promise."""
    x, axis, size = _along(make)
    random = np.random.default_rng(make.seed())
    count = make.integer(0, size)
    shape = _with_size(x.shape, axis, count)
    order = np.argsort(random.random(x.shape), axis=axis) if x.ndim else np.zeros((), np.int64)
    index = np.take(order, range(count), axis=axis) if x.ndim else order
    return make.sample(x, axis, index, make.array(shape, dtype=x.dtype))


def _one_number(make: Maker) -> Sample:
    x, axis, size = _along(make)
    shape = _with_size(x.shape, axis, make.integer(0, 4) if size else 0)
    return make.sample(x, axis, _indices(make, shape, size), make.choice(2, 0.5, True))


def _selected(make: Maker) -> Sample:
    x, axis, size = _along(make)
    return make.sample(x, axis, _indices(make, (make.integer(0, 4) if size else 0,), size))


def _added(make: Maker) -> Sample:
    x, axis, index = _selected(make).arguments
    source = make.array(_with_size(x.shape, axis, index.size), dtype=x.dtype)
    return make.sample(x, axis, index, source)


def _copied(make: Maker) -> Sample:
    x, axis, size = _along(make)
    random = np.random.default_rng(make.seed())
    index = random.permutation(size)[: make.integer(0, size)]
    source = make.array(_with_size(x.shape, axis, index.size), dtype=x.dtype)
    return make.sample(x, axis, index, source)


def _filled(make: Maker) -> Sample:
    x, axis, index = _selected(make).arguments
    index = index if x.ndim else np.zeros(1, np.int64)  # PyTorch fails to go back from no place
    return make.sample(x, axis, index, make.choice(2, 0.5, True, np.asarray(1.5, np.float32)))


def _masked(make: Maker) -> Sample:
    shape, other = make.shapes(2)
    return make.sample(make.array(shape), make.array(other, dtype="bool"))


def _masked_source(make: Maker) -> Sample:
    x, mask = _masked(make).arguments
    size = int(np.prod(np.broadcast_shapes(x.shape, mask.shape)))
    return make.sample(x, mask, make.array((size + make.integer(0, 2),), dtype=x.dtype))


def _taken(make: Maker) -> Sample:
    x = make.array()
    shape = make.shape() if x.size else (0,)
    index = _indices(make, shape, x.size)
    return make.sample(x, index - x.size if make.flag() and x.size else index)


def _taken_along(make: Maker) -> Sample:
    x, axis, size = _along(make)
    shape = _with_size(x.shape, axis, make.integer(0, 4) if size else 0)
    return make.sample(x, _indices(make, shape, size), axis)


_ERRORS = (
    sample(_matrix, 0, _BAD_INDEX, _matrix),
    sample(_matrix, 2, _INDEX, _matrix),
    sample(_matrix, 0, np.array([0]), _matrix),
    sample(_matrix, 0, _matrix, _matrix),
)
_VECTOR_ERRORS = (
    sample(_matrix, 0, np.array([5])),
    sample(_matrix, 2, np.array([0])),
    sample(_matrix, 0, np.array([0.5])),
    sample(_matrix, 0, _INDEX),
)


def _with_source(errors: tuple[Sample, ...], *more: Any) -> tuple[Sample, ...]:
    return tuple(sample(*each.arguments, *more) for each in errors)


OPERATIONS = [
    Operation("scatter", _scattered_once, primitives=(), errors=_ERRORS),
    Operation("scatter of a number", _one_number, lambda t, *arguments: t.scatter(*arguments),
              primitives=()),
    Operation("scatter_add", _scattered, ulp=4, scale="terms", errors=_ERRORS),
    Operation("scatter_add from a larger source", _scattered_from_larger,
              lambda t, *arguments: t.scatter_add(*arguments), ulp=4, scale="terms",
              primitives=("scatter_add",)),
    Operation("index_select", _selected, ulp=4, scale="terms", primitives=("index",),
              errors=_VECTOR_ERRORS),
    Operation("index_add", _added, ulp=4, scale="terms", primitives=(),
              errors=_with_source(_VECTOR_ERRORS, _matrix)),
    Operation("index_copy", _copied, primitives=(), errors=_with_source(_VECTOR_ERRORS, _matrix)),
    Operation("index_fill", _filled, gradient_ulp=4, scale="terms", primitives=(),
              errors=_with_source(_VECTOR_ERRORS, 1.0)),
    Operation("masked_select", _masked, ulp=4, scale="terms", primitives=("index",),
              errors=(sample(_matrix, _matrix), sample(_matrix, np.array([True, False])))),
    Operation("masked_scatter", _masked_source, primitives=(),
              errors=(sample(_matrix, _matrix, _matrix),
                      sample(_matrix, _matrix > 0, np.ones(2, np.float32)))),
    Operation("take", _taken, ulp=4, scale="terms", primitives=("index",),
              errors=(sample(_matrix, np.array([9])), sample(_matrix, _matrix))),
    Operation("take_along_dim", _taken_along, ulp=4, scale="terms", primitives=("gather",),
              errors=(sample(_matrix, np.array([0]), 0), sample(_matrix, _matrix, 0))),
    Operation("nonzero", lambda make: make.sample(make.array(numbers="halves")), primitives=(),
              errors=(sample("text"),)),
    Operation("argwhere", lambda make: make.sample(make.array(numbers="halves")), primitives=()),
]  # fmt: skip
