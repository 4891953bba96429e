"""Order: sorting, the largest and middle numbers, what occurs and how often."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.twins import Given

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_EMPTY = np.zeros((2, 0), np.float32)
_DIM_ERRORS = (sample(_matrix, dim=2), sample(_matrix, dim="text"), sample("text"))


def _distinct(make: Maker, shape: Any = None) -> Any:
    """No number twice along any dimension: which of two equal ones is taken is nobody's promise.

    Numbers that repeat remain where the situation is about that (bools, strides of 0).
    """
    x = make.array(shape)
    if make.situation in ("halves", "integers", "mixed", "special"):
        random = np.random.default_rng(make.seed())
        order = np.asarray(random.permutation(x.size)).reshape(x.shape)
        return order.astype(x.dtype) if x.dtype.kind != "b" else x
    return x


def _sorted(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, dim=make.dim(x.ndim), descending=make.flag(), stable=True)


def _placed(make: Maker) -> Sample:
    return _sorted(make)


def _numbered(make: Maker) -> Sample:
    """A tensor, how many or which of its numbers, and the dimension."""
    x = _distinct(make)
    axis = make.dim(x.ndim)
    size = x.shape[axis] if x.ndim else 1
    return make.sample(x, make.integer(min(1, size), size), axis)


def _largest(make: Maker) -> Sample:
    given = _numbered(make)
    return Sample((*given.arguments, make.flag()), {}, given.seed)


def _values(result: Any) -> Any:
    """The values alone: of equal numbers, PyTorch promises no place."""
    return result[0]


def _middle(make: Maker) -> Sample:
    x = _distinct(make)
    if make.flag():
        return make.sample(x)
    return make.sample(x, dim=make.dim(x.ndim), keepdim=make.flag())


def _most(make: Maker) -> Sample:
    x = make.array(numbers="halves")
    return make.sample(x, dim=make.dim(x.ndim), keepdim=make.flag())


def _repeating(flags: tuple[str, ...], dims: bool = True):  # type: ignore[no-untyped-def]
    """A tensor with numbers that repeat, and what else to return."""

    def inputs(make: Maker) -> Sample:
        x = make.array(numbers="halves")
        chosen: dict[str, Any] = {name: make.flag() for name in flags}
        if dims and x.ndim and x.size and make.flag():
            chosen["dim"] = make.dim(x.ndim)
        return make.sample(x, **chosen)

    return inputs


def _counted(make: Maker) -> Sample:
    size = 0 if make.situation == "empty" else make.integer(1, 5)
    random = np.random.default_rng(make.seed())
    x = random.integers(0, 5, size).astype(make.choice("int64", "int32", "uint8"))
    options: dict[str, Any] = {"minlength": make.integer(0, 6)}
    if make.flag():
        options["weights"] = Given(make.array((size,), "positive", make.floating()), False)
    return make.sample(x, **options)


_TIED = ("ordinary", "float64", "scalar", "empty", "single", "broadcast", "transposed",
         "gaps", "offset", "halves", "special", "integers", "mixed")  # fmt: skip
"""Every situation but those that repeat numbers: bools, strides of 0."""

OPERATIONS = [
    Operation("sort", _sorted, primitives=("argsort", "gather"), errors=_DIM_ERRORS),
    Operation("argsort", _placed, errors=_DIM_ERRORS),
    Operation("msort", lambda make: make.sample(make.array()), lambda t, x: t.msort(x),
              primitives=("argsort", "gather"), errors=(sample("text"),)),
    Operation("topk", _largest, primitives=("gather",), situations=_TIED,
              errors=(sample(_matrix, 4), sample(_matrix, -1), sample(_matrix, 1, 2))),
    Operation("kthvalue", _numbered, primitives=("gather",), situations=_TIED,
              errors=(sample(_matrix, 4), sample(_matrix, 0), sample(_matrix, 1, 2))),
    Operation("median", _middle, primitives=("gather",), situations=_TIED,
              errors=(*_DIM_ERRORS, sample(_EMPTY, dim=1))),
    Operation("mode", _most, lambda t, x, dim, keepdim: _values(t.mode(x, dim, keepdim)),
              primitives=("gather",), errors=(sample(_matrix, 2, False), sample(_EMPTY, 1, False))),
    Operation("unique", _repeating(("return_inverse", "return_counts")), primitives=("found",),
              errors=(sample("text"), sample(_matrix, dim=2)), differentiable=False),
    Operation("unique with a gradient", lambda make: make.sample(make.array(numbers="halves")),
              lambda t, x: t.unique(x), primitives=("found",)),
    Operation("unique_consecutive", _repeating(("return_inverse", "return_counts")), primitives=(),
              errors=(sample("text"), sample(_matrix, dim=2)), differentiable=False),
    Operation("bincount", _counted, ulp=4, scale="terms", primitives=(),
              errors=(sample(np.array([-1])), sample(_matrix), sample(np.array([1.5])))),
]  # fmt: skip
