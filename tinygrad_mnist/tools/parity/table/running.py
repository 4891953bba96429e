"""Running sums, products and extremes, and differences of neighbours."""

from __future__ import annotations

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_ERRORS = (sample(_matrix, 2), sample(_matrix, -3), sample("text", 0))


def _along(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, make.dim(x.ndim))


def _finite(given: Sample) -> bool:
    return given.finite


def _differences(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    axis = make.dim(x.ndim)
    if make.flag() or not x.ndim:
        return make.sample(x, make.integer(0, 3), axis)
    shape = list(x.shape)
    shape[axis] = make.integer(1, 2)
    return make.sample(x, 1, axis, make.array(tuple(shape), dtype=x.dtype))


def _neighbours(engine, x, n, dim, prepend=None):  # type: ignore[no-untyped-def]
    """Sums instead of differences: the sum of absolute terms on absolute values."""
    if prepend is not None:
        x = engine.cat([prepend, x], dim)
    for _ in range(n if x.dim() else 0):
        size = x.shape[dim]
        if size < 1:
            break
        x = x.narrow(dim, 1, size - 1) + x.narrow(dim, 0, size - 1)
    return x


OPERATIONS = [
    Operation("cumsum", _along, ulp=4, scale="terms", errors=_ERRORS),
    # PyTorch's gradient divides by the numbers, which makes NaN of infinities; ours does not.
    Operation("cumprod", _along, ulp=8, scale="terms", differentiable=_finite, errors=_ERRORS),
    *[Operation(name, _along, ulp=4, scale="terms", primitives=("gather",), errors=_ERRORS)
      for name in ("cummax", "cummin")],
    Operation("diff", _differences, ulp=4, scale=_neighbours, primitives=("slice", "sub"),
              errors=(sample(np.ones((), np.float32)), sample(_matrix, -1), sample(_matrix, 1, 2))),
]  # fmt: skip
