"""Choices that rounding makes the other way: a maximum, the side of a kink.

Two engines' numbers that differ by a rounding may lie on both sides of a place where a derivative
jumps, and gradients differ then by much more than a rounding. To tell this from a mistake, a step
is computed once more with PyTorch's result in the place of each of ours that is equal to it within
the bounds. Gradients that agree then differed by rounding alone. An operation whose derivative for
our numbers differs from that for PyTorch's is where the two parted.
"""

from __future__ import annotations

import operator
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.gradients import grad
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.modes import enable_grad
from tinygrad_mnist.engine.observer import detached
from tinygrad_mnist.engine.tensor import TensorBase, wrap
from tinygrad_mnist.nn import Module
from tinygrad_mnist.tools.scripts.tracebacks import user_frames

from .differences import Array, Bounds, difference, largest_number

__all__ = ["Choices", "Fork"]

_ERRORS = (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError)
"""What an operation raises that cannot be called once more by itself."""


_DRAWS = {"fill"}
"""The attribute of operations that draw random numbers, which are drawn once only."""
_BACKWARD = r"Backward\d*$"
_MOST_ELEMENTS = 3


@dataclass(frozen=True)
class Fork:
    """An operation that took another way for our numbers than for PyTorch's."""

    step: int
    operation: str
    layer: str
    """The module's name in the network, "" outside of one."""
    place: str
    """The file and the line, a null byte between them."""
    count: int
    """How many elements of its input the derivative jumps at."""
    elements: list[tuple[list[int], float, float]]
    """The first of them: where it is, PyTorch's number and ours."""
    ulp: float
    """How far apart they are at most, in neighbouring numbers at the input's largest."""


class Choices:
    """An observer of our operations in one step, which puts PyTorch's results in their place."""

    def __init__(self, step: int, theirs: Iterable[Array], bounds: Bounds) -> None:
        self.step, self.bounds = step, bounds
        self.forks: list[Fork] = []
        self._theirs: dict[tuple[int, ...], list[Array]] = defaultdict(list)
        for array in theirs:
            self._theirs[array.shape].append(array)
        self._ours: dict[int, tuple[Array, Array]] = {}
        """By an array's identity, the array, which now holds PyTorch's numbers, and our own."""
        self._busy = False

    def __call__(
        self, op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any], output: Any
    ) -> None:
        """Take note of a call, and change its result into PyTorch's."""
        computed = isinstance(output, TensorBase) and op is not detached
        if self._busy or not computed or not state.grad_enabled:
            return
        self._busy = True
        try:
            self._follow(op, inputs, attributes, output)
        finally:
            self._busy = False

    def _follow(
        self, op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any], output: TensorBase
    ) -> None:
        array = output._array
        before = [self._before(value) for value in inputs]
        if any(output is value for value in inputs):  # in place: what was computed lies there now
            own = getattr(before[-1], "_array", array)
            own = own if before[-1] is not inputs[-1] and own.shape == array.shape else array
        elif not _DRAWS & attributes.keys() and any(map(operator.is_not, before, inputs)):
            own = self._again(op, inputs, before, attributes, output)
        else:
            own = array
        if inputs and not getattr(op, "view", False) and array.flags.writeable:
            theirs = self._equal(array)
            if theirs is not None and not np.array_equal(theirs, array):
                own = array.copy() if own is array else own
                array[...] = theirs
        self._ours.pop(id(array), None)
        if own is not array:
            self._ours[id(array)] = array, own

    def _before(self, value: Any) -> Any:
        """Our own numbers of an operation's input, or itself if they are its numbers."""
        array = value._array if isinstance(value, TensorBase) else None
        known = self._ours.get(id(array))
        return value if known is None or known[0] is not array else wrap(known[1])

    def _equal(self, array: Array) -> Array | None:
        """PyTorch's result that is nearest to ours, if it is equal within the bounds."""
        if array.dtype.kind != "f":
            return None
        found = [(difference(t, array).ulp, t) for t in self._theirs[array.shape]]
        ulp, nearest = min(found, key=lambda each: each[0], default=(np.inf, None))
        return nearest if ulp <= self.bounds.ulp else None

    def _again(
        self, op: Any, inputs: Any, before: Any, attributes: dict[str, Any], output: Any
    ) -> Array:
        """The result on our own numbers; on PyTorch's where the operation went another way."""
        array: Array = output._array
        try:
            own, slopes = _slopes(op, before, attributes)
            _, their_slopes = _slopes(op, inputs, attributes)
        except _ERRORS:
            return array
        name = op.name if output._record is None else re.sub(_BACKWARD, "", output._record.name())
        for value, was, *both in zip(inputs, before, slopes, their_slopes, strict=True):
            if was is not value and value._array.dtype.kind == "f":
                jumps = self._jumps(value._array.shape, own, array, attributes)
                if both[0] is not None and both[1] is not None:
                    jumps |= _apart(both[0], both[1], self.bounds)
                if jumps.any():
                    self._note(name, value._array, was._array, jumps)
                    return array
        return own

    def _jumps(
        self, shape: tuple[int, ...], own: Array, theirs: Array, attributes: dict[str, Any]
    ) -> Array:
        """Which elements of an input of that shape a result was chosen from, or stands for."""
        jumps = np.zeros(shape, np.bool_)
        if own.shape == shape and own.dtype.kind != "i":
            return _apart(own, theirs, self.bounds)
        if own.dtype.kind == "i" and own.shape == theirs.shape and "dim" in attributes:
            dim, differ = attributes["dim"], own != theirs
            for chosen in (own, theirs):
                if dim is None:
                    jumps.flat[chosen[differ]] = True
                elif chosen.ndim == len(shape):
                    np.put_along_axis(jumps, chosen, differ, dim)
                else:
                    places = np.expand_dims(chosen, dim), np.expand_dims(differ, dim)
                    np.put_along_axis(jumps, places[0], places[1], dim)
        return jumps

    def _note(self, name: str, theirs: Array, ours: Array, jumps: Array) -> None:
        frame = next(user_frames(2), None)
        place = f"{frame.f_code.co_filename}\0{frame.f_lineno}" if frame else ""
        apart = difference(theirs[jumps], ours[jumps], largest_number(theirs)).ulp
        told = [
            (index.tolist(), float(theirs[tuple(index)]), float(ours[tuple(index)]))
            for index in np.argwhere(jumps)[:_MOST_ELEMENTS]
        ]
        fork = Fork(self.step, name, _layer(), place, int(jumps.sum()), told, apart)
        self.forks.append(fork)


def _slopes(op: Any, inputs: Any, attributes: dict[str, Any]) -> tuple[Array, list[Array | None]]:
    """An operation's result, and for each input a vector-Jacobian product, if it has one.

    The gradient from above is another number for each element, so that a change of order shows.
    """
    with enable_grad():
        leaves = [
            wrap(value._array).requires_grad_()
            if isinstance(value, TensorBase) and value._array.dtype.kind == "f"
            else value
            for value in inputs
        ]
        output = op(*leaves, **attributes)
    needs = [getattr(leaf, "requires_grad", False) for leaf in leaves]
    wanted = [leaf for leaf, need in zip(leaves, needs, strict=True) if need]
    if not output.requires_grad:
        return output._array, [None] * len(leaves)
    above = np.linspace(1, 2, output._array.size, dtype=output._array.dtype)
    found = iter(grad(output, wanted, wrap(above.reshape(output.shape)), allow_unused=True))
    slopes = [next(found) if need else None for need in needs]
    return output._array, [None if slope is None else slope._array for slope in slopes]


def _apart(one: Array, other: Array, bounds: Bounds) -> Array:
    """Where two arrays differ by more than the bounds."""
    if one.dtype.kind != "f":
        return np.not_equal(one, other)
    largest = max(largest_number(one), largest_number(other), float(np.finfo(one.dtype).tiny))
    unit = float(np.spacing(one.dtype.type(largest)))
    with np.errstate(all="ignore"):
        apart: Array = np.abs(one - other) > bounds.ulp * unit
    return apart


def _layer() -> str:
    """The name of the module whose code runs, as the network of which it is a part calls it."""
    modules = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        this = frame.f_locals.get("self")
        modules += [this] if isinstance(this, Module) else []
        frame = frame.f_back
    names = modules[-1].named_modules() if modules else iter(())
    return next((name for name, each in names if each is modules[0]), "")
