"""How far apart two engines' numbers are, and when that is too far."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "NONE",
    "Bounds",
    "Difference",
    "FirstDifference",
    "Operation",
    "OperationsCompared",
    "Series",
    "Texts",
    "compare_texts",
    "difference",
]

Array = np.ndarray[Any, Any]


class Difference(NamedTuple):
    """The largest difference between two tensors' elements.

    `ulp` counts it in steps between neighbouring numbers of their type at the largest number.
    """

    absolute: float
    ulp: float


NONE = Difference(0.0, 0.0)


def difference(a: Array, b: Array, scale: float = 0.0) -> Difference:
    """The largest difference between two arrays' elements; infinite where shapes differ.

    `scale` is the largest number to count ulp of, if the arrays hold none that is larger. Two NaN
    and two infinities of one sign are equal.

    >>> one = np.ones(3, np.float32)
    >>> difference(one, np.nextafter(one, np.float32(2))).ulp
    1.0
    """
    if a.shape != b.shape:
        return Difference(math.inf, math.inf)
    if a.dtype.kind != "f" or b.dtype.kind != "f":
        return NONE if np.array_equal(a, b) else Difference(math.inf, math.inf)
    with np.errstate(all="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        same = (a == b) | (np.isnan(a) & np.isnan(b))
    absolute = float(np.where(same, 0.0, apart).max(initial=0.0))
    if absolute == 0:
        return NONE
    if not math.isfinite(absolute):
        return Difference(math.inf, math.inf)
    numbers = np.concatenate([a.reshape(-1), b.reshape(-1)])
    largest = max(scale, largest_number(numbers))
    coarser = min(a.dtype, b.dtype, key=lambda dtype: dtype.itemsize).type
    unit = float(np.spacing(np.maximum(coarser(largest), np.finfo(coarser).tiny)))
    return Difference(absolute, absolute / unit)


def largest_number(array: Array) -> float:
    """The largest finite absolute value; 0 if there is none."""
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max(initial=0.0))


@dataclass(frozen=True)
class Bounds:
    """How far apart is equal enough: within either of the two."""

    ulp: float = 1000.0
    absolute: float = 1e-6

    def hold(self, apart: Difference) -> bool:
        """Whether a difference is within the bounds."""
        return apart.absolute <= self.absolute or apart.ulp <= self.ulp


class Series:
    """What became of one quantity, step by step: how far apart it was."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.differences: list[tuple[int, Difference]] = []
        self._scale = 0.0

    def add(self, step: int, theirs: Array, ours: Array) -> Difference:
        """Compare a step's arrays; ulp are of the largest number that the quantity ever had."""
        for array in (theirs, ours):
            if array.dtype.kind == "f":
                self._scale = max(self._scale, largest_number(array))
        apart = difference(theirs, ours, self._scale)
        self.differences.append((step, apart))
        return apart

    @property
    def worst(self) -> tuple[int, Difference]:
        """The largest difference and its step."""
        return max(self.differences, key=lambda each: each[1].ulp, default=(0, NONE))

    @property
    def first_beyond(self) -> tuple[int, Difference] | None:
        """The first step at which the bounds do not hold, and the difference there."""
        return next((each for each in self.differences if not self.bounds.hold(each[1])), None)

    @property
    def forked(self) -> bool:
        """Whether what began as a difference beyond the bounds grew to twice that and more."""
        first = self.first_beyond
        return first is not None and self.worst[1].ulp >= 2 * first[1].ulp


# Operations: the first whose result differs

_SAME = {"linear": "addmm", "matmul": "mm", "transpose": "t", "nll": "nllloss"}


class Operation(NamedTuple):
    """A call of an operation: its name, its result's shape, where, and some of its numbers."""

    name: str
    shape: tuple[int, ...]
    place: str
    sample: Array
    number: int = 0
    """Its place among the calls of its step."""

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """What a call of the other engine must share to be the same."""
        name = re.sub(r"Backward\d*$|_forward$|_", "", self.name).lower()
        return _SAME.get(name, name), self.shape


@dataclass(frozen=True)
class FirstDifference:
    """The first operation that differs beyond the bounds."""

    name: str
    shape: tuple[int, ...]
    place: str
    step: int
    difference: Difference


class OperationsCompared:
    """The operations of one step after another, compared."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.first: FirstDifference | None = None
        self._first_number = 0
        self.compared = 0
        self.steps = 0
        self.worst = Difference(0.0, 0.0)

    def add(self, step: int, theirs: list[Operation], ours: list[Operation]) -> None:
        """Compare what both did on the way to a step."""
        self.steps = step
        grouped = _by_key(ours)
        for key, calls in _by_key(theirs).items():
            alike = grouped.get(key, [])
            for number, one in enumerate(calls if alike else ()):
                apart = self._nearest(one, alike, number)
                if len(alike) == len(calls) or self.bounds.hold(apart):
                    self._note(step, one, apart)

    def _nearest(self, one: Operation, alike: list[Operation], number: int) -> Difference:
        """How far a call is from the other engine's of that number.

        If that is too far: from the nearest that computes the same, if there is one.
        """
        apart = difference(one.sample, alike[min(number, len(alike) - 1)].sample)
        if self.bounds.hold(apart):
            return apart
        for each in sorted(range(len(alike)), key=lambda each: abs(each - number)):
            other = difference(one.sample, alike[each].sample)
            if self.bounds.hold(other):
                return other
        return apart

    def _note(self, step: int, one: Operation, apart: Difference) -> None:
        self.compared += 1
        self.worst = max(self.worst, apart, key=lambda each: each.ulp)
        if not self.bounds.hold(apart) and (self.first is None or one.number < self._first_number):
            self.first = FirstDifference(one.name, one.shape, one.place, step, apart)
            self._first_number = one.number


def _by_key(operations: list[Operation]) -> dict[Any, list[Operation]]:
    grouped: dict[Any, list[Operation]] = {}
    for each in operations:
        grouped.setdefault(each.key, []).append(each)
    return grouped


# Printed text, line by line

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_DEVICE = re.compile(r",\s+device='cuda:\d+'")
_SUFFIX = re.compile(r",\n +(?=(?:dtype|grad_fn|layout|requires_grad|size)=)")
_GPU = re.compile(r"\bcuda(?::\d+\b|(')(?:, index=\d+)|\b)")
_CLASS = re.compile(r"<class '(?:torch|tinygrad_mnist)(?:\.\w+)*\.(\w+)'>")
_DECIMAL = r"[-+]?\d+\.?\d*(?:e[-+]\d+)?"
_MEASURED = re.compile(
    rf"""\b(?:time|elapsed|took|duration|mfu)\b\W{{0,3}}{_DECIMAL}%?
    | [mun]?s/\w+\W{{1,3}}{_DECIMAL}
    | \d\d?:\d\d(?::\d\d(?:\.\d+)?)? | \d{{4}}-\d\d-\d\d | \d+\.\d+\.\d+\+\w+
    | {_DECIMAL}\s*(?:\w+\s?(?:/|\ per\ )\s?s(?:ec(?:ond)?)? | m(?=\s*\d+\s*s\b) | [munµ]?s
      | sec(?:ond)?s? | min(?:ute)?s? | h(?:ou)?rs? | [kMGT]i?B)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""Times, dates, rates, sizes of memory, versions that name their build: never the same twice."""


@dataclass(frozen=True)
class Texts:
    """Two texts compared."""

    lines: tuple[int, int]
    """How many lines PyTorch printed, and how many tinygrad_mnist."""
    rounded: tuple[int, ...]
    """Numbers of the lines that differ by rounding: of what is shown, or within the bounds."""
    measured: tuple[int, ...]
    """Numbers of the lines that differ beside that only in times, rates, memory or versions."""
    different: tuple[int, ...]
    """Numbers of the lines that differ in more than that."""
    first: tuple[int, str, str] | None
    """The first line that is rounded or different, on both engines."""

    @property
    def equal(self) -> bool:
        """Whether the texts are the same, but for rounding and what was measured."""
        return not self.different


def compare_texts(
    theirs: str,
    ours: str,
    bounds: Bounds | None = None,
    *,
    gpu: bool = False,
    losses: Sequence[tuple[float, float]] = (),
) -> Texts:
    r"""Compare what was printed. Addresses of objects, and the files of classes, do not count.

    Numbers with decimals may differ by one in the last digit that they show, or as much as the
    `bounds` let float32 differ, or be one of the `losses` of both engines, which were found equal.
    Where PyTorch had a `gpu`, neither does its name count, nor where it moved the end of a tensor
    to.

    >>> compare_texts("loss 0.3120\n", "loss 0.3121\n").rounded
    (1,)
    >>> compare_texts("loss 0.3120, 12 ms\n", "loss 0.3120, 13 ms\n").measured
    (1,)
    >>> compare_texts("tensor([1.], device='cuda:0')", "tensor([1.])", gpu=True).equal
    True
    """
    if gpu:
        theirs, ours = _on_the_cpu(theirs), _on_the_cpu(ours)
    a, b = theirs.splitlines(), ours.splitlines()
    rounded: list[int] = []
    measured: list[int] = []
    different: list[int] = []
    first: tuple[int, str, str] | None = None
    alike = partial(_same_but_rounding, bounds=bounds or Bounds(), losses=losses)
    for number in range(1, max(len(a), len(b)) + 1):
        pair = [lines[number - 1] if number <= len(lines) else "(nothing)" for lines in (a, b)]
        one, other = (_CLASS.sub(r"<class \1>", _ADDRESS.sub("0x", line)) for line in pair)
        if one == other and number <= min(len(a), len(b)):
            continue
        if not alike(one, other) and alike(_MEASURED.sub("…", one), _MEASURED.sub("…", other)):
            measured.append(number)
            continue
        (rounded if alike(one, other) else different).append(number)
        first = first or (number, pair[0], pair[1])
    return Texts((len(a), len(b)), tuple(rounded), tuple(measured), tuple(different), first)


def _on_the_cpu(text: str) -> str:
    """The text with tensors on one line where only what follows their numbers made it two."""
    return _GPU.sub(r"cpu\1", _SUFFIX.sub(", ", _DEVICE.sub("", text)))


def _same_but_rounding(
    one: str, other: str, bounds: Bounds, losses: Sequence[tuple[float, float]]
) -> bool:
    if _NUMBER.sub("#", one).split() != _NUMBER.sub("#", other).split():
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(a == b or _close(a, b, bounds) or _is_loss(a, b, losses) for a, b in pairs)


def _is_loss(a: str, b: str, losses: Sequence[tuple[float, float]]) -> bool:
    """Whether two numbers show the two engines' losses of a step."""
    units = _last_place(a), _last_place(b)
    return any(
        abs(float(a) - theirs) <= units[0] and abs(float(b) - ours) <= units[1]
        for theirs, ours in losses
    )


def _close(a: str, b: str, bounds: Bounds) -> bool:
    """Whether two numbers with decimals differ by their last place shown, or within the bounds."""
    if not any(mark in a + b for mark in ".eE"):
        return False
    unit = max(_last_place(a), _last_place(b))
    apart = abs(float(a) - float(b))
    largest = max(abs(float(a)), abs(float(b)), 1e-38)
    return apart <= 1.001 * unit or bounds.hold(Difference(apart, apart / largest * 2**23))


def _last_place(number: str) -> float:
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(10.0 ** (int(exponent or 0) - decimals))
