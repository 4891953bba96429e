"""Random operations as primitives, so that they can be recorded, observed and repeated.

`fill` is what fills an array, with its parameters and its generator. A primitive fills a new array
by it; here an array is filled first, and then the call is noted as if the primitive had done it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.engine.calls import record_call
from tinygrad_mnist.engine.primitive import Primitive, primitive
from tinygrad_mnist.engine.record import OBSERVERS, report, wrap
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.ops.views import rebase

Array = np.ndarray[Any, Any]
Fill = Callable[[Array], None]

_GRAD_FNS = {
    "uniform": "UniformBackward0",
    "normal": "NormalBackward0",
    "log_normal": "LogNormalBackward0",
    "exponential": "ExponentialBackward0",
    "cauchy": "CauchyBackward0",
    "geometric": "GeometricBackward0",
    "bernoulli_each": "BernoulliBackward1",
    "bernoulli": "BernoulliBackward2",
    "random_from_to": "RandomBackward0",
    "random_to": "RandomBackward1",
    "random": "RandomBackward2",
    "randperm": None,
}


def _drawing(name: str, grad_fn: str | None) -> Primitive:
    def draw(*before: Array, shape: tuple[int, ...], dtype: np.dtype[Any], fill: Fill) -> Array:
        """numbers drawn at random, whatever was there before"""
        numbers = np.empty(shape, dtype)
        fill(numbers)
        return numbers

    draw.__name__ = name
    operation: Primitive = primitive(draw, grad_fn=grad_fn)
    operation.derivatives(before=lambda g: 0 * g)
    return operation


_DRAWINGS = {name: _drawing(name, grad_fn) for name, grad_fn in _GRAD_FNS.items()}


def new(name: str, array: Array, fill: Fill) -> Any:
    """A new tensor that holds `array`, filled."""
    fill(array)
    tensor = wrap(array)
    if OBSERVERS:
        report(_DRAWINGS[name], (), _attributes(array, fill), tensor)
    return tensor


def refill(name: str, target: Any, fill: Fill, recorded: bool) -> None:
    """Fill a tensor's array; where the change is `recorded`, no gradient passes it."""
    array, operation = target._array, _DRAWINGS[name]
    before, after = wrap(array), wrap(array)
    before._record = current_record(target)
    fill(array)
    target._counter[0] += 1
    attributes = _attributes(array, fill)
    if recorded:
        record_call(operation, (before,), (array,), after, attributes)
        if after._record is not None:
            rebase(target, after._record)
    if OBSERVERS:
        report(operation, (target,), attributes, target)


def _attributes(array: Array, fill: Fill) -> dict[str, Any]:
    return {"shape": array.shape, "dtype": array.dtype, "fill": fill}
