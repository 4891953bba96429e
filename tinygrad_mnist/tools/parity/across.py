"""Two functions of any two frameworks: results, gradients, gradients of gradients.

How far rounding alone moves a number is found by moving the inputs of the second function by a
few ulp, several times, and by its own computation in double precision.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.tools import frameworks as known
from tinygrad_mnist.tools.frameworks import Framework
from tinygrad_mnist.tools.frameworks.numpy_pairs import is_pair
from tinygrad_mnist.tools.gradients.patterns import name_fault

from .comparison import Comparison, Difference, compare_each
from .rounding import scale_of

__all__ = ["compare_across", "frameworks_of"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]
_OTHERS = ("jax", "autograd", "mygrad", "tinygrad")
_USUAL = ("tinygrad_mnist", "torch")
_RUNS = 6
_NUDGE = 4
"""Ulp: numbers inside of a function may be several times as large, and round as coarsely."""


def frameworks_of(
    functions: tuple[Any, Any], asked: Sequence[str | Framework] | None, by_rounding: bool
) -> tuple[Framework, Framework] | None:
    """The frameworks of two functions; None where they are this engine and PyTorch.

    Raises:
        ValueError: not two are asked for, or one that there is not; or the bounds of other
            frameworks are not to follow rounding.
        ModuleNotFoundError: one is not installed.
    """
    if asked is not None:
        if len(asked) != 2:
            raise ValueError(f"frameworks names two, one for each function, not {len(asked)}")
        names = [each if isinstance(each, str) else each.name for each in asked]
        found: list[str | Framework] = list(asked)
    else:
        others = any(name in sys.modules for name in _OTHERS)
        if not (others or any(map(is_pair, functions))):
            return None
        told = [known.of_function(each) for each in functions]
        names = [name or usual for name, usual in zip(told, _USUAL, strict=True)]
        found = list(names)
    if tuple(names) == _USUAL or (asked is None and set(names) <= {*_USUAL}):
        return None
    if not by_rounding:
        raise ValueError("scale is for this engine beside PyTorch; between others leave it out")
    return known.find(found[0]), known.find(found[1])


@dataclass
class _Seen:
    """What one function does."""

    error: Exception | None = None
    values: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array | None] = field(default_factory=dict)
    second: dict[str, Array | None] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    above: list[Array] = field(default_factory=list)


def compare_across(
    pair: tuple[Framework, Framework], functions: tuple[Function, Function], inputs: Sequence[Any],
    limits: tuple[float, float, float], gradients: bool, second_order: bool, seed: int,
) -> Comparison:  # fmt: skip
    """What `assert_parity` compares, of two functions in any frameworks."""
    given = [_read(each) for each in inputs]
    for number, each in enumerate(inputs):
        if type(each).__module__.partition(".")[0] == "hypothesis":
            raise TypeError(
                f"input {number} is a strategy: draw from it in a test of Hypothesis's, by @given"
            )
    orders = (gradients, second_order, seed)
    ours, theirs = (
        _seen(framework, function, given, *orders)
        for framework, function in zip(pair, functions, strict=True)
    )
    found = Comparison(seed, names=(pair[0].name, pair[1].name))
    if ours.error is not None or theirs.error is not None:
        _compare_errors(found, ours.error, theirs.error)
        return found
    for name in {**theirs.facts, **ours.facts}:
        mine, other = (str(each.facts.get(name, "none")) for each in (ours, theirs))
        if mine != other:
            found.facts.append(Difference(name, "", mine, other, np.inf, 0.0))
    scales: dict[str, Any] | None = None
    for of, limit in zip(("values", "gradients", "second"), limits, strict=True):
        numbers = getattr(ours, of), getattr(theirs, of)
        rows = list(compare_each(*numbers, {}, limit))
        if any(row.too_large for row in rows):
            if scales is None:
                scales = _rounding(pair[1], functions[1], given, theirs, orders)
            again = list(compare_each(*numbers, scales, limit))
            rows = [now if row.too_large else row for row, now in zip(rows, again, strict=True)]
        setattr(found, of, rows)
    found.hint = _fault(found, ours, theirs)
    return found


def _compare_errors(found: Comparison, ours: Exception | None, theirs: Exception | None) -> None:
    """Errors agree where Python's own classes that they derive from do; a wrong name is raised."""
    for error in (theirs, ours):
        if isinstance(error, NameError | AttributeError | ImportError):
            raise error
    kinds = [
        next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        for error in (ours, theirs)
    ]
    if ours is None or theirs is None or kinds[0] is not kinds[1]:
        mine, other = (f"{type(e).__name__}: {e}"[:80] if e else "none" for e in (ours, theirs))
        found.facts.append(Difference("error", "", mine, other, np.inf, 0.0))
    else:
        found.raised = type(theirs).__name__


def _read(value: Any) -> Any:
    owner = known.of_value(value)
    return known.find(owner).array(value) if owner else value


def _seen(
    framework: Framework, function: Function, given: list[Any], gradients: bool, second_order: bool,
    seed: int,
) -> _Seen:  # fmt: skip
    seen = _Seen()
    places = [i for i, each in enumerate(given) if isinstance(each, np.ndarray)]
    arrays = [given[i] for i in places]
    called = _of_tensors(function, given, places)
    try:
        result, pull = framework.vjp(called, arrays)
        above = []
        for number, (name, value) in enumerate(known.leaves(result)):
            if not framework.owns(value):
                seen.facts[name] = value
                continue
            array = np.array(framework.array(value))
            seen.values[name] = array
            seen.facts |= {f"shape of {name}": array.shape, f"dtype of {name}": str(array.dtype)}
            if framework.is_float(value):
                random = np.random.default_rng([seed, number])
                above.append(random.standard_normal(array.shape).astype(array.dtype))
        seen.above = above
        if gradients:
            seen.gradients = _named("gradient of input", places, arrays, pull(above))
            seen.facts |= {f"shape of the {name}": None if each is None else each.shape
                           for name, each in seen.gradients.items()}  # fmt: skip
        if gradients and second_order:
            again, _ = framework.gradients(called, arrays)
            firsts, back = framework.vjp(again, [*arrays, *above])
            random = np.random.default_rng([seed, len(arrays)])
            aside = [random.standard_normal(np.shape(framework.array(each))).astype(
                framework.array(each).dtype) for each in framework.floats(firsts)]  # fmt: skip
            found = back(aside)[: len(arrays)]
            seen.second = _named("second order, input", places, arrays, found)
    except known.Unsupported:
        raise
    except Exception as error:
        seen.error = error
    return seen


def _of_tensors(function: Any, given: list[Any], places: list[int]) -> Any:
    """The function of its tensors alone; a pair as it is, where nothing else is given."""
    if len(places) == len(given):
        return function
    if is_pair(function):
        raise TypeError("a pair (forward, backward) takes arrays alone")

    def called(*tensors: Any) -> Any:
        arguments = list(given)
        for place, tensor in zip(places, tensors, strict=True):
            arguments[place] = tensor
        return function(*arguments)

    return called


def _named(
    what: str, places: list[int], arrays: list[Array], found: Sequence[Array | None]
) -> dict[str, Array | None]:
    return {
        f"{what} {place}": gradient
        for place, array, gradient in zip(places, arrays, found, strict=True)
        if array.dtype.kind == "f"
    }


def _rounding(
    framework: Framework, function: Function, given: list[Any], theirs: _Seen, orders: Any
) -> dict[str, Any]:
    """For each number, one of which an ulp is as large as what rounding moves."""
    runs = []
    for number in range(_RUNS):
        random = np.random.default_rng(number)
        nudged = [_nudged(each, random) for each in given]
        runs.append(_seen(framework, function, nudged, *orders))
    wide = [each.astype(np.float64) if _is_float(each) else each for each in given]
    runs.append(_seen(framework, function, wide, *orders))
    scales = {}
    for of in ("values", "gradients", "second"):
        for name, array in getattr(theirs, of).items():
            if array is not None and array.dtype.kind == "f" and array.size:
                moved = [getattr(run, of).get(name) for run in runs if run.error is None]
                scale = scale_of([each for each in moved if each is not None], array)
                kind = np.finfo(array.dtype)  # some flush what is smaller than normal to 0
                scales[name] = np.maximum(0 if scale is None else scale, kind.tiny / kind.eps)
    return scales


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _nudged(value: Any, random: np.random.Generator) -> Any:
    if not _is_float(value):
        return value
    moved = value * (1 + _NUDGE * np.finfo(value.dtype).eps * random.uniform(-1, 1, value.shape))
    return moved.astype(value.dtype)


def _fault(found: Comparison, ours: _Seen, theirs: _Seen) -> str:
    """The pattern of the first gradient that is wrong, where it has one."""
    for row in found.gradients:
        right = theirs.gradients.get(row.what)
        if row.too_large and right is not None:
            named = name_fault(ours.gradients.get(row.what), right, ours.above)
            return f"\n\n{row.what}: {named}" if named else ""
    return ""
