"""Operations that bring many numbers down to few: sums, variances, norms, running sums, order."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, Sample, Shape, parametrized, sample
from tinygrad_mnist.tools.parity.twins import Array, Given

from .families import DIM_ERRORS, MATRIX, SCALAR, THREE, along, ones, reduction, shaped
from .operation import Operation, rows

_EMPTY = ones(2, 0)
_WRONG_DIM = (sample(MATRIX, dim=2), sample(MATRIX, dim="text"), sample("text"))


def _one_or_all(make: Maker, x: Array, **options: Any) -> Sample:
    """Reduced along one dimension, or as a whole."""
    if make.flag():
        return make.sample(x, **options)
    return make.sample(x, dim=make.dim(x.ndim), keepdim=make.flag(), **options)


def _extreme(make: Maker) -> Sample:
    return _one_or_all(make, make.array())


def _aminmax(make: Maker) -> Sample:
    given = _extreme(make)
    return Sample(given.arguments[:1], given.options, given.seed)


_NOT_OF_NOTHING = (*DIM_ERRORS, sample(_EMPTY))

_REDUCTIONS = [
    *rows("sum mean", reduction(), ulp=4, scale="terms", errors=DIM_ERRORS),
    Operation("prod", reduction(several=False), ulp=8, scale="terms", errors=DIM_ERRORS),
    *rows("amax amin", reduction(), errors=_NOT_OF_NOTHING),
    *[Operation(name, _extreme, primitives=f"a{name} arg{name} gather",
                errors=(*_NOT_OF_NOTHING, sample(_EMPTY, dim=1))) for name in ("max", "min")],
    *rows("argmax argmin", _extreme, errors=_NOT_OF_NOTHING),
    Operation("logsumexp", reduction(whole=False), ulp=4, scale="largest", errors=DIM_ERRORS),
    Operation("nansum", reduction(), ulp=4, scale="terms", primitives="sum", errors=DIM_ERRORS),
    Operation("aminmax", _aminmax, primitives="amax amin", errors=_NOT_OF_NOTHING),
    Operation("count_nonzero", reduction("halves", keepdim=False), errors=DIM_ERRORS),
    *rows("any all", reduction(), errors=DIM_ERRORS),
]  # fmt: skip


# Variances and norms


def _reduced(make: Maker, **chosen: Any) -> Sample:
    x = make.array()
    if make.flag():
        chosen["dim"] = make.dim(x.ndim) if make.flag() else make.dims(x.ndim)
        chosen["keepdim"] = make.flag()
    return make.sample(x, **chosen)


def _corrected(make: Maker) -> Sample:
    if make.flag():
        return _reduced(make, correction=make.integer(0, 2))
    given = _reduced(make)
    if "dim" in given.options:
        given.options["unbiased"] = make.flag()
    return given


def _ordered(make: Maker) -> Sample:
    return _reduced(make, ord=make.choice(2, 1, 0, math.inf, -math.inf, 3, 0.5))


def _powers(make: Maker) -> Sample:
    return _reduced(make, p=make.choice(2, 1, math.inf, 3))


def _matrices(make: Maker) -> Sample:
    x = make.array(make.shape(2))
    return make.sample(x, make.choice("fro", 1, -1, math.inf, -math.inf), keepdim=make.flag())


def _axes(given: Sample) -> tuple[int, ...]:
    x, dim = given.arguments[0], given.options.get("dim")
    return tuple(range(x.ndim)) if dim is None else dim if isinstance(dim, tuple) else (dim,)


def _count(given: Sample) -> int:
    """How many numbers are brought down to one."""
    shape = given.arguments[0].shape
    return math.prod([shape[axis] for axis in _axes(given)] if shape else [])


def _enough_that_differ(given: Sample) -> bool:
    """Whether the numbers differ, and are more than the correction takes off.

    A root has no second derivative at 0, and none that rounding leaves in peace nearby; where too
    few are left PyTorch divides by 0.
    """
    x = given.arguments[0].astype(np.float64)
    if not x.size or not x.ndim or not np.all(np.ptp(x, axis=_axes(given)) > 0):
        return False
    taken = given.options.get("correction", int(given.options.get("unbiased", True)))
    return bool(_count(given) > taken)


def _ordinary(given: Sample) -> bool:
    """Where second derivatives are not 0 save for rounding, and exist.

    Several numbers, none of them 0 or so small that its square is.
    """
    with np.errstate(over="ignore"):
        return _count(given) > 1 and bool(np.all(given.arguments[0] ** 2))


_norm = partial(Operation, ulp=16, gradient_ulp=64, scale="sight", second_order=_ordinary,
                primitives="pow sum euclidean_norm")  # fmt: skip

_OF_MOMENTS: dict[str, Any] = {
    "ulp": 32, "gradient_ulp": 128, "scale": "sight", "second_order": _enough_that_differ,
    "differentiable": _enough_that_differ, "errors": _WRONG_DIM,
}  # fmt: skip

_MOMENTS = [
    # Squares of differences from a mean: their errors are of the size of the numbers' squares.
    *rows("var var_mean", _corrected, primitives="mean var", **_OF_MOMENTS),
    *rows("std std_mean", _corrected, primitives="mean var root", **_OF_MOMENTS),
    _norm("norm", _powers, errors=_WRONG_DIM[:1]),
    # To count what is not 0 has the derivative 0, which PyTorch leaves out.
    _norm("linalg.vector_norm", _ordered, errors=_WRONG_DIM,
          differentiable=lambda given: given.options.get("ord") != 0),
    _norm("linalg.norm", shaped(), errors=_WRONG_DIM[2:]),
    _norm("linalg.matrix_norm", _matrices, errors=(sample(THREE), sample(MATRIX, "text"))),
]  # fmt: skip


# Running sums, products and extremes, and differences of neighbours

_WRONG_AXIS = (sample(MATRIX, 2), sample(MATRIX, -3), sample("text", 0))


def _differences(make: Maker) -> Sample:
    x = make.array(make.shape(1))
    axis = make.dim(x.ndim)
    if make.flag() or not x.ndim:
        return make.sample(x, make.integer(0, 3), axis)
    shape = list(x.shape)
    shape[axis] = make.integer(1, 2)
    return make.sample(x, 1, axis, make.array(tuple(shape), dtype=x.dtype))


def _neighbours(engine: Any, x: Any, n: int, dim: int, prepend: Any = None) -> Any:
    """Sums instead of differences: the sum of absolute terms on absolute values."""
    if prepend is not None:
        x = engine.cat([prepend, x], dim)
    for _ in range(n if x.dim() else 0):
        size = x.shape[dim]
        if size < 1:
            break
        x = x.narrow(dim, 1, size - 1) + x.narrow(dim, 0, size - 1)
    return x


RUNNING = [
    Operation("cumsum", along, ulp=4, scale="terms", errors=_WRONG_AXIS),
    # PyTorch's gradient divides by the numbers, which makes NaN of infinities; ours does not.
    Operation("cumprod", along, ulp=8, scale="terms", errors=_WRONG_AXIS,
              differentiable=lambda given: given.finite),
    *rows("cummax cummin", along, ulp=4, scale="terms", primitives="gather running_places",
          errors=_WRONG_AXIS),
    Operation("logcumsumexp", shaped(1, 3, 0), ulp=64, scale="largest",
              differentiable=lambda given: given.finite),
    Operation("diff", _differences, ulp=4, scale=_neighbours, primitives="slice sub",
              errors=(sample(SCALAR), sample(MATRIX, -1), sample(MATRIX, 1, 2))),
]  # fmt: skip


# Order: sorting, the largest and middle numbers, what occurs and how often


def _distinct(make: Maker, shape: Shape | None = None) -> Array:
    """No number twice along any dimension: which of two equal ones is taken is nobody's promise.

    Numbers that repeat remain where the situation is about that (bools, strides of 0).
    """
    x = make.array(shape)
    if make.situation in ("halves", "integers", "mixed", "special"):
        order = make.random().permutation(x.size).reshape(x.shape)
        return order.astype(x.dtype) if x.dtype.kind != "b" else x
    return x


def _sorted(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, dim=make.dim(x.ndim), descending=make.flag(), stable=True)


def _numbered(make: Maker) -> Sample:
    """A tensor, how many or which of its numbers, and the dimension."""
    x = _distinct(make)
    axis, size = make.axis(x)
    return make.sample(x, make.integer(min(1, size), size), axis)


def _largest(make: Maker) -> Sample:
    given = _numbered(make)
    return Sample((*given.arguments, make.flag()), {}, given.seed)


def _middle(make: Maker) -> Sample:
    return _one_or_all(make, _distinct(make))


def _most(make: Maker) -> Sample:
    x = make.array(numbers="halves")
    return make.sample(x, dim=make.dim(x.ndim), keepdim=make.flag())


@parametrized
def _repeating(make: Maker, *flags: str) -> Sample:
    """A tensor with numbers that repeat, and what else to return."""
    x = make.array(numbers="halves")
    chosen: dict[str, Any] = {name: make.flag() for name in flags}
    if x.ndim and x.size and make.flag():
        chosen["dim"] = make.dim(x.ndim)
    return make.sample(x, **chosen)


def _counted(make: Maker) -> Sample:
    size = 0 if make.situation == "empty" else make.integer(1, 5)
    x = make.random().integers(0, 5, size).astype(make.choice("int64", "int32", "uint8"))
    options: dict[str, Any] = {"minlength": make.integer(0, 6)}
    if make.flag():
        options["weights"] = Given(make.array((size,), "positive", make.floating()), False)
    return make.sample(x, **options)


_TIED = ("ordinary", "float64", "scalar", "empty", "single", "broadcast", "transposed",
         "gaps", "offset", "halves", "special", "integers", "mixed")  # fmt: skip
"""Every situation but those that repeat numbers: bools, strides of 0."""

_ORDER = [
    Operation("sort", _sorted, primitives="argsort gather", errors=_WRONG_DIM),
    Operation("argsort", _sorted, errors=_WRONG_DIM),
    Operation("msort", shaped(), lambda t, x: t.msort(x), primitives="argsort gather",
              errors=(sample("text"),)),
    Operation("topk", _largest, primitives="gather", situations=_TIED,
              errors=(sample(MATRIX, 4), sample(MATRIX, -1), sample(MATRIX, 1, 2))),
    Operation("kthvalue", _numbered, primitives="gather places_of", situations=_TIED,
              errors=(sample(MATRIX, 4), sample(MATRIX, 0), sample(MATRIX, 1, 2))),
    Operation("median", _middle, primitives="gather places_of", situations=_TIED,
              errors=(*_WRONG_DIM, sample(_EMPTY, dim=1))),
    # The values alone: of equal numbers, PyTorch promises no place.
    Operation("mode", _most, lambda t, x, dim, keepdim: t.mode(x, dim, keepdim)[0],
              primitives="gather places_of",
              errors=(sample(MATRIX, 2, False), sample(_EMPTY, 1, False))),
    *[Operation(name, _repeating("return_inverse", "return_counts"), primitives=primitives,
                errors=(sample("text"), sample(MATRIX, dim=2)), differentiable=False)
      for name, primitives in (("unique", "found"), ("unique_consecutive", ""))],
    Operation("unique with a gradient", lambda make: make.sample(make.array(numbers="halves")),
              lambda t, x: t.unique(x), primitives="found"),
    Operation("bincount", _counted, ulp=4, scale="terms", primitives="",
              errors=(sample(np.array([-1])), sample(MATRIX), sample(np.array([1.5])))),
]  # fmt: skip


def _members(make: Maker) -> Sample:
    """Numbers, and those looked for among them."""
    x = make.array(numbers="halves")
    return make.sample(x, make.array((3,), "halves", x.dtype), invert=make.flag())


def _parts(make: Maker) -> Sample:
    """Numbers, and the parts of a range to count them in."""
    x = make.ordinary_in("integers", "bools", "mixed", "special").array((6,))
    return make.sample(x, make.integer(1, 5), range=(-2.0, 2.5), density=False)


_COUNTING = [
    Operation("isin", _members, primitives="", errors=(sample(1, 2),), differentiable=False),
    Operation("histogram", _parts, lambda t, *x, **o: tuple(t.histogram(*x, **o)), primitives="",
              ulp=4, differentiable=False, errors=(sample("text", 3),)),
    Operation("unravel_index", lambda make: make.sample(np.array([5, 3, 0]), (2, 3)),
              primitives="", errors=(sample(np.ones(2, np.float32), (2, 3)),)),
]  # fmt: skip
OPERATIONS = [*_COUNTING, *_REDUCTIONS, *_MOMENTS, *RUNNING, *_ORDER]
