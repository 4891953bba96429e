"""The first call of a kind: made for real, and traced."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.walk import reachable
from tinygrad_mnist.random import default_generator
from tinygrad_mnist.record import RELEASED, TensorBase

from .capture import Reached, reach
from .entry import Arguments, Entry, Finder, Result, collected, leaf_record
from .live import Leaf, Live
from .program import Array, Value
from .trace import Tracer

Tensor = Any


Path = tuple[Any, ...]
"""Positions and keys that lead to something in nested arguments."""


class Keywords(dict[str, Any]):
    """The last of the arguments, where some can only be given by name."""


def called(function: Callable[..., Any], args: Arguments) -> Any:
    """What the function gives, called with these arguments."""
    if args and isinstance(args[-1], Keywords):
        return function(*args[:-1], **args[-1])
    return function(*args)


def _argument(path: Path) -> Finder:
    """Finds the tensor at `path` in nested arguments."""
    first, *rest = path
    if not rest:
        return lambda arguments: arguments[first]
    return lambda arguments: functools.reduce(lambda part, n: part[n], path, arguments)


def _setting(settings: dict[str, Any], key: str) -> Callable[[Arguments], Any]:
    return lambda arguments: settings[key]


def _constant(tensor: TensorBase) -> Finder:
    return lambda arguments: tensor


def _grad_of(find: Finder) -> Finder:
    return lambda arguments: find(arguments)._record.grad


def _parts(given: Any, name: str = "", path: Path = ()) -> Iterator[tuple[str, Any, Path]]:
    """What nested tuples, lists and dictionaries hold: each with a name and the path to it."""
    if isinstance(given, tuple | list):
        for n, part in enumerate(given):
            yield from _parts(part, f"{name}_{n}", (*path, n))
    elif isinstance(given, dict):
        for key, part in given.items():
            own = str(key) if isinstance(given, Keywords) else f"{name}_{key}"
            yield from _parts(part, own, (*path, key))
    else:
        yield name, given, path


def _tensors_in(given: Any) -> list[Any]:
    return [part for _, part, _ in _parts(given) if isinstance(part, TensorBase)]


class _Call:
    """One call while it is traced: what was given to the tracer, and what became of gradients."""

    def __init__(
        self, function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
    ) -> None:
        self.tracer = Tracer()
        self.finders: list[Finder] = []
        self.leaves: list[Any] = []
        self.leaf_finders: list[Finder] = []
        self.names: list[str] = []
        self.reached: Reached = reach(function)
        self.function = function
        self.args = args
        self.live: list[Leaf] = []
        self._copies: list[Array] = []
        self._epochs = self._schedules()
        self.moves_settings = False
        """Whether the function itself moves a number that a program would only read."""
        self._generator = default_generator.get_state()
        names = list(inspect.signature(function).parameters)
        for n, argument in enumerate(args):
            own = names[n] if n < len(names) else f"argument{n}"
            for name, part, path in _parts(argument, own, (n,)):
                if isinstance(part, TensorBase):
                    self._give(name, part, _argument(path))
                else:
                    self.reached.look(name, part)
        self.arguments, self.argument_leaves = len(self.finders), len(self.leaves)
        self.tracer.captured = {id(t._array): n for n, t in self.reached.captured.items()}
        self.shared: list[tuple[int, TensorBase]] = []
        for name, tensor in self.reached.tensors.items():
            position = self._give(name, tensor, _constant(tensor))
            if position < self.arguments:
                self.shared.append((position, tensor))
        for position, tensor in enumerate(constants):
            self._give(f"constant{position}", tensor, _constant(tensor))
        self.before = [leaf_record(leaf).grad for leaf in self.leaves]
        for name, find, grad in zip(self.names, self.leaf_finders, self.before, strict=True):
            if grad is not None:
                self._give(f"{name}_grad", grad, _grad_of(find))

    @contextlib.contextmanager
    def live_numbers(self) -> Iterator[Arguments]:
        """The arguments, their floats live; those of parameter groups are live meanwhile."""
        replaced = []
        for settings, key in self.reached.settings:
            live_one = self._follow(_setting(settings, key), settings[key])
            replaced.append((settings, key, settings[key], live_one))
            settings[key] = live_one
        live = tuple([self._with_live(given, (n,)) for n, given in enumerate(self.args)])
        try:
            yield live
        finally:
            self.moves_settings = self._schedules() != self._epochs
            for settings, key, value, live_one in replaced:
                now = settings.get(key)
                if now is live_one:
                    settings[key] = value
                elif isinstance(now, Live):
                    settings[key] = float(now)
                    self.moves_settings |= live_one.leaves[0] in now.leaves

    def _with_live(self, given: Any, path: Path) -> Any:
        if type(given) is float:
            return self._follow(_argument(path), given)
        if isinstance(given, Keywords):
            return Keywords({k: self._with_live(part, (*path, k)) for k, part in given.items()})
        return given

    def _schedules(self) -> list[int]:
        """How far each schedule has come that the function names."""
        return [schedule.last_epoch for schedule in self.reached.schedules]

    def rewind(self) -> None:
        """Put back what the call changed: arrays, gradients, the default generator."""
        for array, copy in zip(self.tracer.given, self._copies, strict=True):
            if array.flags.writeable:
                array[...] = copy
        for leaf, grad in zip(self.leaves, self.before, strict=True):
            leaf_record(leaf).grad = grad
        default_generator.set_state(self._generator)

    def _follow(self, read: Callable[[Arguments], Any], value: float) -> Live:
        leaf = Leaf(read, value)
        self.live.append(leaf)
        return Live.of(value, len(self.live) - 1, (leaf,))

    def _give(self, name: str, tensor: Any, find: Finder) -> int:
        """Declare a tensor from outside; its position."""
        position = self.tracer.give(tensor._array, name).position
        if position == len(self.finders):
            self.finders.append(find)
            self._copies.append(tensor._array.copy())
        record = tensor._record
        is_leaf = record is not None and record.primitive is None
        if is_leaf and not any(leaf is tensor for leaf in self.leaves):
            self.leaves.append(tensor)
            self.leaf_finders.append(find)
            self.names.append(name)
        return position


def trace_call(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
) -> tuple[Any, Entry | None]:
    """Call the function for real, listening; what it returned, and the entry for calls like it.

    There is none where gradients of a result may still be asked for: records are not compiled;
    nor where the function moves a learning rate, which a program would only read.
    """
    call = _Call(function, constants, args)
    with call.tracer, call.live_numbers() as live:
        returned = called(function, live)
    obstacle = _obstacle(call, returned)
    if obstacle is not None:
        _warn(obstacle)
        return returned, None
    results: list[Value] = []
    grads: list[tuple[Finder, Value | None]] = []
    for leaf, find, before in zip(call.leaves, call.leaf_finders, call.before, strict=True):
        after = leaf_record(leaf).grad
        if after is not before:
            value = None if after is None else call.tracer.value_of(after._array)
            grads.append((find, value))
            results += [] if value is None else [value]
    template = _template(returned, call, results)
    before = [grad is not None for grad in call.before[call.argument_leaves :]]
    program, scattered = call.tracer.program(results), call.tracer.scattered()
    if any(target.position in scattered for target, _ in program.writes):
        _warn(
            "the function changes a tensor that does not lie in memory one number after the "
            "other, so it runs uncompiled: give it tensor.contiguous()"
        )
        return returned, None
    entry = Entry(
        program,
        call.tracer.draws,
        call.reached,
        call.finders,
        list(zip(call.leaves[call.argument_leaves :], before, strict=True)),
        grads,
        template,
        call.live,
        call.arguments,
        scattered,
        call.shared,
    )
    return _computed_by(entry, call, returned), entry


def _computed_by(entry: Entry, call: _Call, returned: Any) -> Any:
    """What the program gives in place of what the function gave, so that all calls give alike.

    Where the function changed what is watched, as an optimiser that makes its first buffers does,
    there is no way back, and its own results stand.
    """
    if entry.built is None or not call.reached.guards.hold():
        return returned
    call.rewind()
    try:
        done, computed = entry.run(call.args)
    except Exception as error:  # whatever Numba raises that cannot compile the source
        entry.replay_because(f"Numba cannot compile the program ({_first_line(error)})")
        done = False
    if done:
        return computed
    call.rewind()
    return called(call.function, call.args)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _obstacle(call: _Call, returned: Any) -> str | None:
    """Why a function that was called is not to be compiled, and what to do about it."""
    results = _tensors_in(returned)
    if any(map(_graph_is_alive, results)):
        return (
            "the function returns a tensor whose gradients may still be asked for, so it runs "
            "uncompiled: call backward() inside it, or call it under no_grad"
        )
    if call.tracer.obstacle:
        return call.tracer.obstacle
    if any(call.tracer.value_of(tensor._array) is None for tensor in results):
        return (
            "the function returns a tensor that no operation was seen to compute, so it runs "
            "uncompiled"
        )
    if call.moves_settings:
        return (
            "the function changes a learning rate or steps a schedule, so it runs uncompiled: "
            "do that after calling it"
        )
    return None


def _warn(text: str) -> None:
    warnings.warn(f"compile: {text}", UserWarning, stacklevel=5)


def _graph_is_alive(tensor: Any) -> bool:
    """Whether a record behind the tensor still holds values for a walk backward."""
    record = tensor._record
    if record is None or record.primitive is None:
        return False
    saved = [kept for r in reachable([record]) if r.saved is not RELEASED for kept in r.saved]
    return any(kept is not None and isinstance(kept[0], np.ndarray) for kept in saved)


def _template(returned: Any, call: _Call, results: list[Value]) -> Any:
    """What was returned, with a `Result` in place of each tensor."""
    if isinstance(returned, TensorBase):
        value = call.tracer.value_of(returned._array)
        assert value is not None
        position = call.tracer.position_of(returned._array)
        if position is not None:
            return Result(value, call.finders[position])
        results.append(value)
        return Result(value, None, returned._record)
    if isinstance(returned, tuple | list):
        return collected(returned, [_template(part, call, results) for part in returned])
    if isinstance(returned, dict):
        return {key: _template(part, call, results) for key, part in returned.items()}
    return returned
