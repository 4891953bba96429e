"""What a function returned: each call's tensors take the places of the traced ones.

A tensor from outside is returned itself. One that shares memory with another, as views and what
`detach()` gives do, is made anew of that other at each call. The rest is computed.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.primitive import Primitive
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.node import Record, edge, named_as
from tinygrad_mnist.engine.tensor import Step, TensorBase, wrap
from tinygrad_mnist.engine.views import OUTDATED, UNDER_INFERENCE, UNDER_NO_GRAD

from .inputs import Arguments, Finder, containers_in, tensors_in
from .program import Value
from .symbolic import Numbers, SymFloat, evaluate
from .trace import Tracer


class Unrepeatable(Exception):
    """A function did what no program could do at the next call; the message says what."""


class Overlap(Unrepeatable):
    """It would be done with other tensors, which do not overlap in memory."""


@dataclass(frozen=True, eq=False)
class Given:
    """Stands for what came from outside."""

    find: Finder


@dataclass(frozen=True, eq=False)
class Result:
    """Stands for a tensor that is computed."""

    value: Value
    record: Record | None = None
    """The record of the traced tensor, its saved values released: every call's result shows it."""


@dataclass(frozen=True, eq=False)
class Shared:
    """Stands for a tensor that shares the memory of another."""

    of: Part
    share: Callable[[Any], Any]
    """Makes it of the other."""


Part = Given | Result | Shared


@dataclass(frozen=True)
class _View:
    """Leads from a tensor to a view of it, as eager mode did."""

    steps: Sequence[tuple[Primitive, dict[str, Any]]]
    reason: str | None = None
    """Why the view must not be changed in place, if it must not."""
    name: str = ""
    outdated: bool = False
    """Whether its memory was changed after it was taken."""

    def __call__(self, base: Any) -> Any:
        view = base
        with GradMode(self.reason not in (UNDER_NO_GRAD, UNDER_INFERENCE)):
            for operation, attributes in self.steps:
                view = operation(view, **attributes)
        if self.name:
            named_as(view, self.name)
        base, version, steps, reason = view._view
        view._view = base, OUTDATED if self.outdated else version, steps, self.reason or reason
        return view


def _view_of(tensor: TensorBase) -> _View:
    assert tensor._view is not None
    _, version, last, reason = tensor._view
    outdated = version != tensor._counter[0]
    steps, step = [], cast("Step | None", last)
    while step is not None:
        step, operation, attributes = step
        steps.append((operation, attributes))
    if not all(getattr(operation, "view", False) for operation, _ in steps):
        raise Unrepeatable("the function returns a view that a Function made")
    record: Any = edge(tensor._record)[0]
    name = "" if record is None else type(record).__name__
    return _View(steps[::-1], reason, name, outdated)


def _detached(tensor: TensorBase) -> TensorBase:
    return wrap(tensor._array, tensor._counter)


def _data(tensor: TensorBase) -> TensorBase:
    return wrap(tensor._array)


_LASTING = (
    bool, int, float, complex, str, bytes, type(None), type(...), np.generic, np.dtype, slice,
    range, enum.Enum, dtypes.dtype, device, type, types.BuiltinFunctionType, types.ModuleType,
)  # fmt: skip
"""Objects of these types stay what they are."""


def _lasts(returned: Any) -> bool:
    """Whether an object stays what it is; a function does that holds nothing of its call."""
    if isinstance(returned, types.FunctionType):
        return not (returned.__closure__ or returned.__defaults__ or returned.__kwdefaults__)
    return isinstance(returned, _LASTING)


class Template:
    """What a function returned, with a `Part` in place of each tensor.

    `given` finds tensors from outside by identity; `tensors` and `finders` are those by position;
    `outside` holds other objects that were there before the call, by identity.
    """

    def __init__(
        self, returned: Any, args: Arguments, tracer: Tracer, given: dict[int, Finder],
        tensors: Sequence[TensorBase], finders: Sequence[Finder], outside: dict[int, Any],
    ) -> None:  # fmt: skip
        self.computed: list[tuple[Value, TensorBase]] = []
        """What is computed, with the tensors that it was computed into."""
        self.orders: dict[Value, tuple[int, ...]] = {}
        """How dimensions lie in memory, where that is not one row after the other."""
        self._tracer, self._given, self._from_outside = tracer, given, (tensors, finders)
        self._outside, self._containers = outside, containers_in(args)
        self._parts: dict[int, tuple[Part, TensorBase]] = {}
        self._owners: dict[int, TensorBase] = {}
        found = tensors_in(returned)
        for tensor in (*found, *[each._view[0] for each in found if each._view is not None]):
            known = self._owners.setdefault(id(tensor._array), tensor)
            if known._record is None and tensor._record is not None:
                self._owners[id(tensor._array)] = tensor
        self.returned = self._of(returned)

    def _of(self, returned: Any) -> Any:
        if isinstance(returned, TensorBase):
            return self._tensor(returned)
        if id(returned) in self._containers:
            return Given(self._containers[id(returned)])
        if isinstance(returned, tuple) or type(returned) is list:
            return collected(returned, [self._of(part) for part in returned])
        if type(returned) is dict:
            return {key: self._of(part) for key, part in returned.items()}
        if _lasts(returned) or id(returned) in self._outside:
            return returned
        kind = type(returned).__name__
        raise Unrepeatable(f"the function returns an object that it made, of type {kind}")

    def _tensor(self, tensor: TensorBase) -> Part:
        if id(tensor) not in self._parts:
            self._parts[id(tensor)] = self._part(tensor), tensor
        return self._parts[id(tensor)][0]

    def _part(self, tensor: TensorBase) -> Part:
        array = tensor._array
        value = self._tracer.value_of(array)  # which is given now, if the function never read it
        if id(tensor) in self._given:
            return Given(self._given[id(tensor)])
        position = self._tracer.position_of(array)
        if position is not None:
            tensors, finders = self._from_outside
            return _sharing(tensor, Given(finders[position]), tensors[position])
        if tensor._view is not None:
            return Shared(self._tensor(tensor._view[0]), _view_of(tensor))
        owner = self._owners.get(id(array), tensor)
        if owner is not tensor:
            return _sharing(tensor, self._tensor(owner), owner)
        viewed = self._tracer.view_of(array)
        if viewed is not None and viewed[0] is not tensor:  # as one is that was turned in place
            base, operation, attributes = viewed
            view = Shared(self._tensor(base), _View([(operation, attributes)]))
            return _sharing(tensor, view, base)
        if value is None:
            why = "the function returns a tensor that no operation was seen to compute"
            raise Unrepeatable(why)
        return self._result(tensor, value)

    def _result(self, tensor: TensorBase, value: Value) -> Result:
        array, record = tensor._array, tensor._record
        if record is not None and record.primitive is None:
            raise Unrepeatable("the function returns a leaf that it made")
        if record is not None and not state.grad_enabled:
            raise Unrepeatable("the function records for gradients, which are off around the call")
        if any(np.may_share_memory(array, other) for other in self._tracer.given):
            raise Unrepeatable("the function returns a tensor in memory from outside")
        self.computed.append((value, tensor))
        if not array.flags.c_contiguous:
            order = np.argsort([-stride for stride in array.strides], kind="stable")
            self.orders[value] = tuple(order.tolist())
        traced: Any = record
        return Result(value, traced)


def _sharing(tensor: TensorBase, part: Part, other: TensorBase) -> Shared:
    """Stands for a tensor with the memory of another, which `part` stands for."""
    if tensor._record is not None:
        raise Unrepeatable("two tensors with one memory have gradients of their own")
    return Shared(part, _detached if tensor._counter is other._counter else _data)


def fill(
    part: Any,
    found: dict[Value, Any],
    arguments: Arguments,
    numbers: Numbers,
    made: dict[Any, Any],
) -> Any:
    """What the function returned, with this call's tensors and numbers in it."""
    kind = part.__class__
    if kind is Result:
        if part in made:
            return made[part]
        result = found[part.value]
        if not isinstance(result, TensorBase):
            result = wrap(result)
            result._record = part.record
        made[part] = result
        return result
    if kind is Given:
        return part.find(arguments)
    if kind is Shared:
        if part not in made:
            made[part] = part.share(fill(part.of, found, arguments, numbers, made))
        return made[part]
    if kind is SymFloat:
        return float(evaluate(part.expression, numbers.read(arguments)))
    if isinstance(part, tuple | list):
        return collected(part, [fill(each, found, arguments, numbers, made) for each in part])
    if kind is dict:
        return {key: fill(each, found, arguments, numbers, made) for key, each in part.items()}
    return part


def in_order(array: Any, order: tuple[int, ...]) -> Any:
    """The same numbers, their dimensions in another order in memory."""
    turned = np.ascontiguousarray(array.transpose(order))
    return turned.transpose(np.argsort(order))


def plain_numbers(returned: Any) -> Any:
    """What was returned, its symbolic floats as plain ones."""
    if isinstance(returned, SymFloat):
        return float(returned)
    if type(returned) is tuple:
        return tuple([plain_numbers(part) for part in returned])
    return returned


def collected(like: Any, parts: list[Any]) -> Any:
    """These parts in a tuple, a list or a named tuple, as `like` is."""
    kind = type(like)
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
