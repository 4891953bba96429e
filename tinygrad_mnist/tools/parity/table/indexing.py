"""Taking numbers out by their place, and putting them back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, Sample, Shape, parametrized, sample
from tinygrad_mnist.tools.parity.twins import Array, Given

from .families import MATRIX, TWO, unary
from .operation import Operation, gradient_of, rows


@parametrized
def _indexed(make: Maker, arrays: bool) -> Sample:
    x = make.array()
    return make.sample(x, make.index(x.shape, arrays))


def _get(engine: Any, x: Any, index: Any) -> Any:
    return x[index]


@parametrized
def _gradient_of_get(make: Maker, arrays: bool) -> Sample:
    """The gradient from above, which has the shape of what is taken, then as in `_indexed`."""
    x, index = _indexed(arrays)(make).arguments
    x = make.array(x.shape, dtype=make.floating())
    return make.sample(make.array(x[index].shape, dtype=make.floating()), x, index)


def _set(engine: Any, x: Any, index: Any, values: Any) -> Any:
    changed = x.clone()
    changed[index] = values
    return changed


def _assigned(make: Maker) -> Sample:
    x = make.array()
    index = make.index(x.shape, arrays=False)
    if make.situation == "numbers":
        return make.sample(x, index, make.number())
    return make.sample(x, index, make.array(x[index].shape if make.flag() else ()))


def _with_size(shape: Shape, axis: int, size: int) -> Shape:
    """The shape with another size along one dimension, if it has any."""
    sizes = list(shape)
    if sizes:
        sizes[axis] = size
    return tuple(sizes)


def _indices(make: Maker, shape: Shape, size: int) -> Array:
    """Integers below `size`, int64; some are named twice."""
    return np.asarray(make.random().integers(0, max(size, 1), shape))


def _gathered(make: Maker) -> Sample:
    """A tensor, one of its dimensions, and indices along it."""
    x = make.array()
    axis, size = make.axis(x)
    count = make.integer(0, 4) if size and x.ndim else 0
    return make.sample(x, axis, _indices(make, _with_size(x.shape, axis, count), size))


def _gradient_of_gather(make: Maker) -> Sample:
    x, axis, index = _gathered(make).arguments
    kind = make.floating()
    return make.sample(make.array(index.shape, dtype=kind), x.astype(kind), axis, index)


def _part(make: Maker) -> Sample:
    """A dimension, where to begin in it, and how much to take."""
    x = make.array(make.shape(1))
    axis, size = make.axis(x)
    start = make.integer(0, size)
    return make.sample(x, axis, start, make.integer(0, size - start))


def _place(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    axis, size = make.axis(x)
    return make.sample(x, axis, make.integer(-size, max(size - 1, -size)))


_INDEX_ERRORS = tuple(
    sample(MATRIX, index)
    for index in (2, (0, 3), (0, 0, 0), "text", 0.5, slice(None, None, -1),
                  np.array([True, False, True]), np.array([5]), np.array([0.5]))
)  # fmt: skip
_sums = partial(Operation, ulp=4, scale="terms")

_INDEXING = [
    Operation("Tensor.__getitem__", _indexed(arrays=False), _get, primitives="slice",
              errors=_INDEX_ERRORS[:6]),
    Operation("gradient of Tensor.__getitem__", _gradient_of_get(arrays=False), gradient_of(_get),
              primitives="slice_backward", public=False),
    _sums("Tensor.__getitem__ with arrays", _indexed(arrays=True), _get, primitives="index",
          errors=_INDEX_ERRORS[6:]),
    _sums("gradient of Tensor.__getitem__ with arrays", _gradient_of_get(arrays=True),
          gradient_of(_get), primitives="index_backward", public=False),
    Operation("Tensor.__setitem__", _assigned, _set, primitives="index_put",
              errors=(sample(MATRIX, 5, 1.0), sample(MATRIX, 0, TWO), sample(MATRIX, 0, "text"))),
    _sums("gather", _gathered,
          errors=(sample(MATRIX, 0, np.array([[5]])), sample(MATRIX, 0, np.array([0])),
                  sample(MATRIX, 2, np.array([[0]])), sample(MATRIX, 0, MATRIX))),
    _sums("gradient of gather", _gradient_of_gather,
          gradient_of(lambda t, x, axis, index: t.gather(x, axis, index)),
          primitives="gather_backward", public=False),
    Operation("narrow", _part, primitives="slice",
              errors=(sample(MATRIX, 0, 1, 5), sample(MATRIX, 2, 0, 1))),
    Operation("select", _place, primitives="slice",
              errors=(sample(MATRIX, 0, 2), sample(MATRIX, 2, 0))),
]  # fmt: skip


# Taking and putting numbers at indices that tensors hold


def _along(make: Maker) -> tuple[Array, int, int]:
    """A tensor, one of its dimensions, and that dimension's size."""
    x = make.array()
    return x, *make.axis(x)


def _located(make: Maker) -> tuple[Array, int, Array]:
    """A tensor, one of its dimensions, and indices along it in the shape of the others."""
    x, axis, size = _along(make)
    shape = _with_size(x.shape, axis, make.integer(0, 4) if size else 0)
    return x, axis, _indices(make, shape, size)


def _scattered(make: Maker) -> Sample:
    """Everywhere along one dimension of the others' sizes."""
    x, axis, index = _located(make)
    return make.sample(x, axis, index, make.array(index.shape, dtype=x.dtype))


def _scattered_from_larger(make: Maker) -> Sample:
    """A source with more numbers than are taken, which PyTorch gives no gradient."""
    x, axis, index, source = _scattered(make).arguments
    larger = make.array(tuple(n + make.integer(0, 1) for n in source.shape), dtype=x.dtype)
    return make.sample(x, axis, index, Given(larger, False))


def _scattered_once(make: Maker) -> Sample:
    """Each place named once: which of several numbers wins is nobody's promise."""
    x, axis, size = _along(make)
    random = make.random()
    count = make.integer(0, size)
    order = np.argsort(random.random(x.shape), axis=axis) if x.ndim else np.zeros((), np.int64)
    index = np.take(order, range(count), axis=axis) if x.ndim else order
    source = make.array(_with_size(x.shape, axis, count), dtype=x.dtype)
    return make.sample(x, axis, index, source)


def _taken_along(make: Maker) -> Sample:
    x, axis, index = _located(make)
    return make.sample(x, index, axis)


def _selected(make: Maker) -> Sample:
    x, axis, size = _along(make)
    return make.sample(x, axis, _indices(make, (make.integer(0, 4) if size else 0,), size))


def _with_source(make: Maker, x: Array, axis: int, index: Array) -> Sample:
    source = make.array(_with_size(x.shape, axis, index.size), dtype=x.dtype)
    return make.sample(x, axis, index, source)


def _added(make: Maker) -> Sample:
    return _with_source(make, *_selected(make).arguments)


def _folded(make: Maker) -> Sample:
    reduce = make.choice("sum", "prod", "mean", "amax", "amin")
    return make.sample(*_scattered(make).arguments, reduce, include_self=make.flag())


def _folded_slices(make: Maker) -> Sample:
    reduce = make.choice("prod", "mean", "amax", "amin")
    return make.sample(*_added(make).arguments, reduce, include_self=make.flag())


def _copied(make: Maker) -> Sample:
    x, axis, size = _along(make)
    return _with_source(make, x, axis, make.random().permutation(size)[: make.integer(0, size)])


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


_INDEX = np.array([[0, 1, 0], [1, 0, 1]])
_SCATTER_ERRORS = (
    sample(MATRIX, 0, np.array([[5]]), MATRIX),
    sample(MATRIX, 2, _INDEX, MATRIX),
    sample(MATRIX, 0, np.array([0]), MATRIX),
    sample(MATRIX, 0, MATRIX, MATRIX),
)


def _vector_errors(*more: Any) -> tuple[Sample, ...]:
    wrong = ((0, np.array([5])), (2, np.array([0])), (0, np.array([0.5])), (0, _INDEX))
    return tuple(sample(MATRIX, axis, index, *more) for axis, index in wrong)


def _folds(name: str, make: Callable[[Maker], Sample], **more: Any) -> Operation:
    """A row for what multiplies too: a product's gradients beside inf, NaN or 0 are its own."""
    return Operation(
        name, make, ulp=4, gradient_ulp=32, scale="terms", primitives="scatter_reduce",
        differentiable=lambda sample: sample.finite or str(sample.arguments[-1]) != "prod",
        **more,
    )  # fmt: skip


_SCATTERING = [
    Operation("scatter", _scattered_once, primitives="", errors=_SCATTER_ERRORS),
    Operation("scatter of a number",
              lambda make: make.sample(*_located(make), make.choice(2, 0.5, True)),
              lambda t, *arguments: t.scatter(*arguments), primitives=""),
    _sums("scatter_add", _scattered, errors=_SCATTER_ERRORS),
    _sums("scatter_add from a larger source", _scattered_from_larger,
          lambda t, *arguments: t.scatter_add(*arguments), primitives="scatter_add"),
    _folds("scatter_reduce", _folded, errors=_SCATTER_ERRORS),
    _folds("index_reduce", _folded_slices, errors=_vector_errors(MATRIX, "prod")),
    _sums("index_select", _selected, primitives="index", errors=_vector_errors()),
    _sums("index_add", _added, primitives="", errors=_vector_errors(MATRIX)),
    Operation("index_copy", _copied, primitives="", errors=_vector_errors(MATRIX)),
    Operation("index_fill", _filled, gradient_ulp=4, scale="terms", primitives="",
              errors=_vector_errors(1.0)),
    _sums("masked_select", _masked, primitives="index",
          errors=(sample(MATRIX, MATRIX), sample(MATRIX, np.array([True, False])))),
    Operation("masked_scatter", _masked_source, primitives="",
              errors=(sample(MATRIX, MATRIX, MATRIX), sample(MATRIX, MATRIX > 0, TWO))),
    _sums("take", _taken, primitives="index",
          errors=(sample(MATRIX, np.array([9])), sample(MATRIX, MATRIX))),
    _sums("take_along_dim", _taken_along, primitives="gather",
          errors=(sample(MATRIX, np.array([0]), 0), sample(MATRIX, MATRIX, 0))),
    *rows("nonzero argwhere", unary("halves"), primitives=""),
]  # fmt: skip

OPERATIONS = [*_INDEXING, *_SCATTERING]
