"""The activation functions of networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .families import NOT_A_TENSOR, unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)


def _channels(make: Maker) -> Sample:
    """A tensor and a slope for each of its channels, or one for all."""
    x = make.array()
    channels = x.shape[1] if x.ndim > 1 else 1
    return make.sample(x, make.array((channels if make.flag() else 1,), dtype=x.dtype))


def _no_kink(given: Sample) -> bool:
    """No number where the slope jumps, and there is no second derivative."""
    x, options = given.arguments[0], given.options
    place = options["threshold"] / options["beta"] if "beta" in options else 0
    return not np.any(x == place)


def _halved(make: Maker) -> Sample:
    """One dimension of even size."""
    shape = make.shape(1)
    if not shape:
        return make.sample(make.array(()))
    axis = make.integer(0, len(shape) - 1)
    return make.sample(make.array((*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])), axis)


def _along(make: Maker) -> Sample:
    x = make.array()
    return make.sample(x, dim=make.dim(x.ndim))


# PyTorch takes the gradients of these from the results, where terms cancel.
_IN_PLACE: dict[str, dict[str, Any]] = {
    "relu": {},
    "elu": {"alpha": (1.0, 0.5)},
    "celu": {"alpha": (1.0, 0.5)},
    "selu": {},
    "leaky_relu": {"negative_slope": (0.01, 0.5)},
    "hardtanh": {"min_val": (-1.0, -0.5), "max_val": (1.0, 2.0)},
    "threshold": {"threshold": (0.0, 0.5), "value": (-1.0, 2.0)},
    "rrelu": {"lower": (0.125,), "upper": (0.5,)},
}


def _named(name: str, inputs, **options):  # type: ignore[no-untyped-def]
    return Operation(f"nn.functional.{name}", inputs, **options)


OPERATIONS = [
    _named("hardtanh", unary(min_val=(-1.0, -0.5), max_val=(1.0, 2.0)),
           primitives=("hardtanh", "constant_in"), errors=(sample(_matrix, 1.0, -1.0),)),
    _named("relu6", unary(), primitives=("hardtanh",)),
    _named("hardsigmoid", unary(), ulp=2, second_order=False),
    _named("hardswish", unary(), ulp=4, scale="largest"),
    _named("elu", unary(alpha=(1.0, 0.5)), ulp=4),
    _named("celu", unary(alpha=(1.0, 0.5)), ulp=4, primitives=("elu",),
           errors=(sample(_matrix, 0.0),)),
    _named("selu", unary(), ulp=4, primitives=("elu",)),
    _named("leaky_relu", unary(negative_slope=(0.01, 0.5))),
    _named("prelu", _channels, ulp=4, scale="terms", second_order=_no_kink,
           errors=(sample(_matrix, np.ones(2, np.float32)),)),
    _named("threshold", unary(threshold=(0.0, 0.5), value=(-1.0, 2.0))),
    _named("silu", unary(), ulp=8, scale="largest", errors=NOT_A_TENSOR),
    _named("gelu", unary(approximate=("none", "tanh")), ulp=16, scale="sight",
           primitives=("erf",), errors=(sample(_matrix, approximate="most"),)),
    _named("mish", unary(), ulp=8, scale="largest", primitives=()),
    _named("softplus", unary(beta=(1.0, 2.0), threshold=(20.0, 1.0)), ulp=4,
           second_order=_no_kink),
    _named("logsigmoid", unary(), ulp=4, primitives=("log_sigmoid",)),
    _named("softsign", unary(), ulp=2, scale="largest", primitives=()),
    _named("tanhshrink", unary(), ulp=4, scale=lambda t, x: x + x.tanh(), primitives=()),
    _named("glu", _halved, ulp=8, scale="largest", primitives=(), errors=(sample(_matrix, 1),)),
    _named("hardshrink", unary(lambd=(0.5, 1.0))),
    _named("softshrink", unary(lambd=(0.5, 1.0)), ulp=1, errors=(sample(_matrix, -1.0),)),
    _named("rrelu", unary(lower=(0.125,), upper=(0.5, 0.25)), ulp=1, primitives=("leaky_relu",),
           errors=(sample(_matrix, 1.0, 0.5),)),
    *[_named(f"{name}_", unary(**options), ulp=4, scale="sight", primitives=())
      for name, options in _IN_PLACE.items()],
    _named("softmin", _along, ulp=4, scale="sight", primitives=("softmax",)),
]  # fmt: skip
