"""Operations that arrange the same numbers in another shape."""

from __future__ import annotations

import math

import numpy as np

from .families import DIM_ERRORS, unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_three = np.ones(3, np.float32)


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


def _narrow(make: Maker) -> Sample:
    """Some sizes of 1, for squeeze and expand."""
    shape = tuple(n if make.flag() else 1 for n in make.shape())
    x = make.array(shape)
    return make.sample(x)


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


OPERATIONS = [
    Operation("reshape", _other_shape, errors=(sample(_matrix, (4,)), sample(_matrix, (-1, -1)))),
    Operation("Tensor.view", _other_shape, primitives=("reshape",),
              errors=(sample(_matrix, (4,)), sample(_matrix.T, (6,)))),
    Operation("flatten", _flattened, primitives=("reshape",),
              errors=(sample(_matrix, 1, 0), sample(_matrix, 3))),
    Operation("unflatten", _unflattened, primitives=("reshape",),
              errors=(sample(_matrix, 1, (2, 2)),)),
    Operation("permute", _reordered, errors=(sample(_matrix, (0,)), sample(_matrix, (0, 0)))),
    Operation("transpose", _two_dims, primitives=("permute",), errors=(sample(_matrix, 0, 2),)),
    Operation("movedim", _two_dims, primitives=("permute",), errors=(sample(_matrix, 0, 2),)),
    Operation("t", lambda make: make.sample(make.array(make.shape(0, 2))), primitives=("permute",),
              errors=(sample(np.ones((1, 1, 1), np.float32)),)),
    Operation("Tensor.mT", lambda make: make.sample(make.array(make.shape(2))),
              lambda t, x: x.mT, primitives=("permute",), errors=(sample(_three),)),
    Operation("squeeze", _squeezed, primitives=("reshape",), errors=(sample(_matrix, 2),)),
    Operation("unsqueeze", lambda make: _unsqueezed(make), primitives=("reshape",),
              errors=(sample(_matrix, 4), *DIM_ERRORS[3:])),
    Operation("Tensor.expand", _expanded, ulp=4, scale="terms",
              errors=(sample(_matrix, (4, 3)), sample(_matrix, (3,)), sample(_matrix, (-1, 2, 3)))),
    Operation("broadcast_to", _expanded, ulp=4, scale="terms", primitives=("expand",),
              errors=(sample(_matrix, (4, 3)),)),
    Operation("Tensor.contiguous", unary(), primitives=("clone",)),
]  # fmt: skip


def _unsqueezed(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, make.dim(x.ndim + 1))
