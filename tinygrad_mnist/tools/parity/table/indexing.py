"""Taking numbers out by their place, and putting them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation, gradient_of

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)


def _indexed(arrays: bool):  # type: ignore[no-untyped-def]
    def inputs(make: Maker) -> Sample:
        x = make.array()
        return make.sample(x, make.index(x.shape, arrays))

    return inputs


def _get(engine: Any, x: Any, index: Any) -> Any:
    return x[index]


def _gradient_of_get(arrays: bool):  # type: ignore[no-untyped-def]
    """The gradient from above, which has the shape of what is taken, then as in `_indexed`."""

    def inputs(make: Maker) -> Sample:
        x, index = _indexed(arrays)(make).arguments
        x = make.array(x.shape, dtype=make.floating())
        return make.sample(make.array(x[index].shape, dtype=make.floating()), x, index)

    return inputs


def _set(engine: Any, x: Any, index: Any, values: Any) -> Any:
    changed = x.clone()
    changed[index] = values
    return changed


def _assigned(make: Maker) -> Sample:
    x = make.array()
    index = make.index(x.shape, arrays=False)
    if make.situation == "numbers":
        return make.sample(x, index, make.number())
    shape = x[index].shape if make.flag() else ()
    return make.sample(x, index, make.array(shape))


def _gathered(make: Maker) -> Sample:
    x = make.array()
    axis = make.dim(x.ndim)
    size = x.shape[axis] if x.ndim else 1
    shape = list(x.shape)
    if shape:
        shape[axis] = make.integer(0, 4) if size else 0
    random = np.random.default_rng(make.seed())
    return make.sample(x, axis, random.integers(0, max(size, 1), tuple(shape)))


_INDEX_ERRORS = (
    sample(_matrix, 2),
    sample(_matrix, (0, 3)),
    sample(_matrix, (0, 0, 0)),
    sample(_matrix, "text"),
    sample(_matrix, 0.5),
    sample(_matrix, slice(None, None, -1)),
    sample(_matrix, np.array([True, False, True])),
    sample(_matrix, np.array([5])),
    sample(_matrix, np.array([0.5])),
)


def _gradient_of_gather(make: Maker) -> Sample:
    x, axis, index = _gathered(make).arguments
    kind = make.floating()
    return make.sample(make.array(index.shape, dtype=kind), x.astype(kind), axis, index)


def _part(make: Maker) -> Sample:
    """A dimension, where to begin in it, and how much to take."""
    x = make.array(make.shape(1))
    axis = make.dim(x.ndim)
    size = x.shape[axis] if x.ndim else 1
    start = make.integer(0, size)
    return make.sample(x, axis, start, make.integer(0, size - start))


def _place(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    axis = make.dim(x.ndim)
    size = x.shape[axis] if x.ndim else 1
    return make.sample(x, axis, make.integer(-size, max(size - 1, -size)))


OPERATIONS = [
    Operation("Tensor.__getitem__", _indexed(arrays=False), _get, primitives=("slice",),
              errors=_INDEX_ERRORS[:6]),
    Operation("gradient of Tensor.__getitem__", _gradient_of_get(arrays=False), gradient_of(_get),
              primitives=("slice_backward",), public=False),
    Operation("Tensor.__getitem__ with arrays", _indexed(arrays=True), _get, primitives=("index",),
              ulp=4, scale="terms", errors=_INDEX_ERRORS[6:]),
    Operation("gradient of Tensor.__getitem__ with arrays", _gradient_of_get(arrays=True),
              gradient_of(_get), ulp=4, scale="terms", primitives=("index_backward",),
              public=False),
    Operation("Tensor.__setitem__", _assigned, _set, primitives=("index_put",),
              errors=(sample(_matrix, 5, 1.0), sample(_matrix, 0, np.ones(2, np.float32)),
                      sample(_matrix, 0, "text"))),
    Operation("gather", _gathered, ulp=4, scale="terms",
              errors=(sample(_matrix, 0, np.array([[5]])), sample(_matrix, 0, np.array([0])),
                      sample(_matrix, 2, np.array([[0]])), sample(_matrix, 0, _matrix))),
    Operation("gradient of gather", _gradient_of_gather,
              gradient_of(lambda t, x, axis, index: t.gather(x, axis, index)), ulp=4,
              scale="terms", primitives=("gather_backward",), public=False),
    Operation("narrow", _part, primitives=("slice",),
              errors=(sample(_matrix, 0, 1, 5), sample(_matrix, 2, 0, 1))),
    Operation("select", _place, primitives=("slice",),
              errors=(sample(_matrix, 0, 2), sample(_matrix, 2, 0))),
]  # fmt: skip
