"""Variances and norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)
_three = np.ones(3, np.float32)
_ERRORS = (sample(_matrix, dim=2), sample(_matrix, dim="text"), sample("text"))


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


def _spread(given: Sample) -> bool:
    """Whether the numbers that are brought down to one differ.

    A root has no second derivative at 0, and none that rounding leaves in peace nearby.
    """
    x = given.arguments[0].astype(np.float64)
    return x.size > 0 and x.ndim > 0 and bool(np.all(np.ptp(x, axis=_axes(given)) > 0))


def _free(given: Sample) -> bool:
    """Whether there are more numbers than the correction takes off: else PyTorch divides by 0."""
    if not _spread(given):
        return False
    count = math.prod([given.arguments[0].shape[d] for d in _axes(given)])
    taken = given.options.get("correction", int(given.options.get("unbiased", True)))
    return bool(count > taken)


def _ordinary(given: Sample) -> bool:
    """Where second derivatives are not 0 save for rounding, and exist.

    Several numbers, none of them 0 or so small that its square is.
    """
    x = given.arguments[0]
    several = math.prod([x.shape[d] for d in _axes(given)] if x.ndim else []) > 1
    return several and bool(np.all(x**2))


def _with_derivative(given: Sample) -> bool:
    """To count what is not 0 has the derivative 0, which PyTorch leaves out."""
    return given.options.get("ord") != 0


def _moments(name: str) -> Operation:
    """Squares of differences from a mean: their errors are of the size of the numbers' squares."""
    return Operation(name, _corrected, ulp=32, gradient_ulp=128, scale="sight", second_order=_free,
                     differentiable=_free, primitives=("mean",), errors=_ERRORS)  # fmt: skip


def _length(name: str, inputs: Any, **options: Any) -> Operation:
    return Operation(name, inputs, ulp=16, gradient_ulp=64, scale="sight",
                     second_order=_ordinary, primitives=("pow", "sum"), **options)  # fmt: skip


OPERATIONS = [
    *[_moments(name) for name in ("var", "std", "var_mean", "std_mean")],
    _length("norm", _powers, errors=_ERRORS[:1]),
    _length("linalg.vector_norm", _ordered, errors=_ERRORS, differentiable=_with_derivative),
    _length("linalg.norm", lambda make: make.sample(make.array()), errors=_ERRORS[2:]),
    _length("linalg.matrix_norm", _matrices, errors=(sample(_three), sample(_matrix, "text"))),
]  # fmt: skip
