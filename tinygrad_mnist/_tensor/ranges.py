"""Tensors of evenly spaced numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.record import Array, TensorBase, state
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import not_implemented

from .creation import finish, refuse_out
from .nested_data import converted
from .scalars import read_number
from .type_arguments import read_dtype

_NAMES = ("start", "end", "step")


def _bounds(given: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """start, end and step of arange(end), arange(start, end), arange(start, end, step)."""
    names = ("end",) if len(given) == 1 and named["end"] is None else _NAMES
    if len(given) > 3:
        raise TypeError(
            f"arange() takes from 1 to 3 positional arguments but {len(given)} were given"
        )
    found = {"start": 0, "step": 1}
    found.update({name: value for name, value in named.items() if value is not None})
    for name, value in zip(names, given, strict=False):
        if named[name] is not None:
            raise TypeError(f"arange() got multiple values for argument '{name}'")
        found[name] = value
    if "end" not in found:
        raise TypeError("arange(): give the end, or start and end, as in arange(0, 10)")
    place = {name: i for i, name in enumerate(names, 1)}
    return [read_number("arange", name, place.get(name, 1), found[name]) for name in _NAMES]


def arange(*bounds: Any, start: Any = None, end: Any = None, step: Any = None, out: None = None,
           dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The numbers from `start` (0) up to and without `end`, `step` (1) apart.

    Given are the end alone, start and end, or all three. The result is int64 if all are integers,
    else of the default type, unless `dtype` is given. Raises RuntimeError when `step` is 0 or leads
    away from `end`.

    >>> import tinygrad_mnist as torch
    >>> torch.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    refuse_out("arange", out)
    check_device(device)
    first, last, gap = _bounds(bounds, {"start": start, "end": end, "step": step})
    integers = all(isinstance(bound, int) for bound in (first, last, gap))
    kind = read_dtype("arange", dtype)
    if kind is dtypes.bool:
        raise not_implemented("arange_cpu", kind.numpy)
    if kind is None:
        kind = dtypes.int64 if integers else dtypes.get_default_dtype()
    elif kind is dtypes.int64 and math.isfinite(first) and math.isfinite(last):
        first, last, gap = int(first), int(last), int(gap)
    count = _count(first, last, gap)
    if kind.is_floating_point:
        return finish(state.quietly(_counted, first, gap, count, kind), requires_grad)
    steps = np.arange(count, dtype=np.int64)
    return finish(converted(int(first) + steps * int(gap), kind), requires_grad)


def _count(first: Any, last: Any, gap: Any) -> int:
    """How many numbers there are from `first` up to `last`; RuntimeError where PyTorch has one."""
    if gap == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(first) and math.isfinite(last)):
        raise RuntimeError(f"unsupported range: {first} -> {last}")
    if (last - first) * gap < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    integers = all(isinstance(bound, int) for bound in (first, last, gap))
    if integers and max(abs(first), abs(last)) >= 2**63:
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    count = int(-((first - last) // gap)) if integers else math.ceil((last - first) / gap)
    if count * 8 >= 2**63:
        raise RuntimeError("invalid size, possible overflow?")
    return count


def _counted(first: float, gap: float, count: int, kind: dtypes.dtype) -> Any:
    """`count` numbers from `first`, `gap` apart, rounded as PyTorch's loop over vectors does.

    It takes two vectors of 32 bytes at a time, counts from the (rounded) first number of each, and
    what is left over one by one.
    """
    number = kind.numpy.type
    wider: Any = np.float64 if number is np.float32 else np.longdouble
    places = np.arange(count)
    lanes = 32 // kind.itemsize
    vectors = count - count % (2 * lanes)
    starts = places[:vectors] // lanes * lanes
    bases: Array = np.full(count, first, wider)
    bases[:vectors] = (wider(first) + wider(gap) * starts).astype(number)
    places[:vectors] -= starts
    return (bases + wider(gap) * places).astype(number)


def linspace(start: Any, end: Any, steps: int, *, out: None = None, dtype: Any = None,
             layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers evenly spaced from `start` to `end`, both included.

    Raises RuntimeError when `steps` is negative.

    >>> import tinygrad_mnist as torch
    >>> torch.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    refuse_out("linspace", out)
    check_device(device)
    count = _step_count("linspace", steps)
    kind = read_dtype("linspace", dtype) or dtypes.get_default_dtype()
    if kind is dtypes.bool:
        raise not_implemented("linspace_cpu", kind.numpy)
    first, last = _read_ends("linspace", start, end)
    return finish(converted(state.quietly(_spaced, first, last, count, kind), kind), requires_grad)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, out: None = None,
             dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`base` to the powers that `linspace` gives.

    >>> import tinygrad_mnist as torch
    >>> torch.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    refuse_out("logspace", out)
    check_device(device)
    count = _step_count("logspace", steps)
    kind = read_dtype("logspace", dtype) or dtypes.get_default_dtype()
    first, last = _read_ends("logspace", start, end)
    exponents = state.quietly(_spaced, first, last, count, kind)
    numbers = state.quietly(np.power, exponents.dtype.type(base), exponents)
    return finish(converted(numbers, kind), requires_grad)


def _read_ends(name: str, start: Any, end: Any) -> tuple[Any, Any]:
    """The two ends as numbers; RuntimeError for a tensor that has dimensions."""
    if any(isinstance(bound, TensorBase) and bound._array.ndim for bound in (start, end)):
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got one with dimensions"
        )
    return read_number(name, "start", 1, start), read_number(name, "end", 2, end)


def _step_count(name: str, steps: Any) -> int:
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        raise TypeError(
            f"{name}(): argument 'steps' (position 3) must be int, not {type(steps).__name__}"
        )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return int(steps)


def _spaced(first: float, last: float, count: int, kind: dtypes.dtype) -> Any:
    """`count` numbers from `first` to `last`, each counted from the nearer end and rounded once.

    PyTorch does so by fused multiplication and addition; here, the next wider type serves.
    """
    number = kind.numpy.type if kind.is_floating_point else np.float64
    wider = np.float64 if number is np.float32 else np.longdouble
    start, end = [number(kind.numpy.type(bound)) for bound in (first, last)]
    if count == 1:
        return np.array([start])
    gap = wider((end - start) / number(count - 1))
    places = np.arange(count)
    rising = wider(start) + gap * places
    falling = wider(end) - gap * (count - 1 - places)
    return np.where(places < count // 2, rising, falling).astype(number)
