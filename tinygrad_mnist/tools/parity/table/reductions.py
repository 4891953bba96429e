"""Operations that bring many numbers down to few."""

from __future__ import annotations

import numpy as np

from .families import DIM_ERRORS, reduction
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_EMPTY = np.zeros((2, 0), np.float32)


def _extreme(make: Maker) -> Sample:
    """Along one dimension, or all."""
    x = make.array()
    if make.flag():
        return make.sample(x)
    return make.sample(x, dim=make.dim(x.ndim), keepdim=make.flag())


def _one_or_all(make: Maker) -> Sample:
    return reduction(several=False)(make)


def _aminmax(make: Maker) -> Sample:
    given = _extreme(make)
    return Sample(given.arguments[:1], given.options, given.seed)


def _always_dim(make: Maker) -> Sample:
    return reduction(whole=False)(make)


OPERATIONS = [
    Operation("sum", reduction(), ulp=4, scale="terms", errors=DIM_ERRORS),
    Operation("mean", reduction(), ulp=4, scale="terms", errors=DIM_ERRORS),
    Operation("prod", _one_or_all, ulp=8, scale="terms", errors=DIM_ERRORS),
    Operation("amax", reduction(), errors=(*DIM_ERRORS, sample(_EMPTY))),
    Operation("amin", reduction(), errors=(*DIM_ERRORS, sample(_EMPTY))),
    Operation("max", _extreme, primitives=("amax", "argmax", "gather"),
              errors=(*DIM_ERRORS, sample(_EMPTY), sample(_EMPTY, dim=1))),
    Operation("min", _extreme, primitives=("amin", "argmin", "gather"),
              errors=(*DIM_ERRORS, sample(_EMPTY), sample(_EMPTY, dim=1))),
    Operation("argmax", _extreme, errors=(*DIM_ERRORS, sample(_EMPTY))),
    Operation("argmin", _extreme, errors=(*DIM_ERRORS, sample(_EMPTY))),
    Operation("logsumexp", _always_dim, ulp=4, scale="largest", errors=DIM_ERRORS),
    Operation("nansum", reduction(), ulp=4, scale="terms", primitives=("sum",), errors=DIM_ERRORS),
    Operation("aminmax", _aminmax, primitives=("amax", "amin"),
              errors=(*DIM_ERRORS, sample(_EMPTY))),
    Operation("count_nonzero", reduction("halves", keepdim=False), errors=DIM_ERRORS),
    Operation("any", reduction(), errors=DIM_ERRORS),
    Operation("all", reduction(), errors=DIM_ERRORS),
]  # fmt: skip
