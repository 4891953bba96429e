"""Graph capture: the first call of a kind is made for real, and traced."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.autograd import gradients as differentiate
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.node import FREED, AccumulateGrad, hooks_of
from tinygrad_mnist.engine.tensor import Tensor, TensorBase, wrap
from tinygrad_mnist.random import default_generator

from .cache_entry import CacheEntry, Result, collected, leaf_record
from .differentiable import Differentiable, Halves, cut
from .guards import Reached, reach
from .inputs import (
    Arguments,
    Finder,
    Inputs,
    Keywords,
    Path,
    at,
    called,
    grad_of,
    parts_of,
    tensors_in,
)
from .program import Array, Input, Program, Value
from .symbolic import Symbol, SymFloat
from .trace import TraceError, Tracer


@dataclass(frozen=True)
class Graph:
    """What the backward pass from a function's results gave."""

    outputs: list[Tensor]
    given: list[Input]
    """The gradients it began with."""
    found: dict[int, Tensor | None]
    """What arrived at the tensors from outside, by position."""


class Call:
    """One call while it is traced: what was given to the tracer, and what became of gradients."""

    def __init__(
        self, function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
    ) -> None:
        self.tracer = Tracer()
        self.finders: list[Finder] = []
        self.leaves: list[Any] = []
        self.leaf_finders: list[Finder] = []
        self.names: list[str] = []
        self.sources: dict[int, Any] = {}
        """The tensors from outside that require gradients, by position."""
        self.stand_ins: dict[int, Any] = {}
        """Leaves that the function is called with, in place of arguments with a past."""
        self.obstacle = ""
        """Why the results cannot be differentiated by a program."""
        self.reached: Reached = reach(function)
        self.function = function
        self.args = args
        self.symbols: list[Symbol] = []
        self._copies: list[Array] = []
        self._epochs = self._schedules()
        self.moves_settings = False
        """Whether the function itself moves a number that a program would only read."""
        self._generator = default_generator.get_state()
        self._give_arguments()
        self.arguments, self.argument_leaves = len(self.finders), len(self.leaves)
        self.tracer.captured = {id(t._array): n for n, t in self.reached.captured.items()}
        self.shared: list[tuple[int, TensorBase]] = []
        for name, tensor in self.reached.tensors.items():
            position = self._give(name, tensor, _always(tensor))
            if position < self.arguments:
                self.shared.append((position, tensor))
        for position, tensor in enumerate(constants):
            self._give(f"constant{position}", tensor, _always(tensor))
        self.before = [leaf_record(leaf).grad for leaf in self.leaves]
        for name, find, grad in zip(self.names, self.leaf_finders, self.before, strict=True):
            if grad is not None:
                self._give(f"{name}_grad", grad, grad_of(find))

    def _give_arguments(self) -> None:
        names = list(inspect.signature(self.function).parameters)
        for n, argument in enumerate(self.args):
            own = names[n] if n < len(names) else f"argument{n}"
            for name, part, path in parts_of(argument, own, (n,)):
                if not isinstance(part, Tensor):
                    self.reached.look(name, part)
                    continue
                if part._record is not None and part._record.primitive is not None:
                    self._stand_in(part, nested=len(path) > 1 + isinstance(argument, Keywords))
                self._give(name, part, at(path))

    @contextlib.contextmanager
    def symbolic_numbers(self) -> Iterator[Arguments]:
        """The arguments, their floats symbolic; so are those of parameter groups meanwhile."""
        replaced = []
        for settings, key in self.reached.settings:
            symbolic = self._follow(_setting(settings, key), settings[key])
            replaced.append((settings, key, settings[key], symbolic))
            settings[key] = symbolic
        replacing = tuple([self._with_symbols(given, (n,)) for n, given in enumerate(self.args)])
        try:
            yield replacing
        finally:
            self.moves_settings = self._schedules() != self._epochs
            for settings, key, value, symbolic in replaced:
                now = settings.get(key)
                if now is symbolic:
                    settings[key] = value
                elif isinstance(now, SymFloat):
                    settings[key] = float(now)
                    self.moves_settings |= symbolic.symbols[0] in now.symbols

    def _with_symbols(self, given: Any, path: Path) -> Any:
        if type(given) is float:
            return self._follow(at(path), given)
        if isinstance(given, Tensor):
            return self.stand_ins.get(id(given), given)
        if isinstance(given, Keywords):
            return Keywords({k: self._with_symbols(part, (*path, k)) for k, part in given.items()})
        return given

    def _schedules(self) -> list[int]:
        """How far each schedule has come that the function names."""
        return [schedule.last_epoch for schedule in self.reached.schedules]

    def rewind(self) -> None:
        """Put back what the call changed: arrays, gradients, the default generator."""
        for array, copy in zip(self.tracer.given, self._copies, strict=False):
            if array.flags.writeable:
                array[...] = copy
        for leaf, grad in zip(self.leaves, self.before, strict=True):
            leaf_record(leaf).grad = grad
        default_generator.set_state(self._generator)

    def _follow(self, read: Callable[[Arguments], Any], value: float) -> SymFloat:
        symbol = Symbol(read, value)
        self.symbols.append(symbol)
        return SymFloat.of(value, len(self.symbols) - 1, (symbol,))

    def _stand_in(self, tensor: Any, nested: bool) -> None:
        """A leaf with the same array: the backward pass from the results ends there."""
        if nested:
            self.obstacle = (
                "a tensor inside a container was computed and requires gradients, so the function "
                "runs uncompiled: pass it as an argument of its own"
            )
            return
        leaf = wrap(tensor._array, tensor._counter)
        leaf._record = AccumulateGrad(leaf)
        self.stand_ins[id(tensor)] = leaf

    def trace_backward(self, returned: Any) -> Graph | None:
        """Trace a backward pass from the results that may be differentiated after the call."""
        alive = [t for t in tensors_in(returned) if _graph_is_alive(t)]
        once = {id(t): t for t in alive}.values()
        outputs = [t for t in once if self.tracer.position_of(t._array) is None]
        if not outputs or self.obstacle or self.tracer.obstacle:
            return None
        if any(hooks_of(source._record).tensor_hooks for source in self.sources.values()):
            self.obstacle = (
                "a tensor that requires gradients has a hook, so the function runs uncompiled"
            )
            return None
        ones = [wrap(np.ones_like(each._array)) for each in outputs]
        given = [self.tracer.give(each._array, f"grad{n}") for n, each in enumerate(ones, 1)]
        sources = list(self.sources.values())
        found = differentiate.grad(outputs, sources, ones, retain_graph=True, allow_unused=True)
        return Graph(outputs, given, dict(zip(self.sources, found, strict=True)))

    def _give(self, name: str, tensor: Any, find: Finder) -> int:
        """Declare a tensor from outside; its position."""
        position = self.tracer.give(tensor._array, name).position
        if position == len(self.finders):
            self.finders.append(find)
            self._copies.append(tensor._array.copy())
        record = tensor._record
        if record is not None:
            self.sources.setdefault(position, self.stand_ins.get(id(tensor), tensor))
        is_leaf = record is not None and record.primitive is None
        if is_leaf and not any(leaf is tensor for leaf in self.leaves):
            self.leaves.append(tensor)
            self.leaf_finders.append(find)
            self.names.append(name)
        return position


def _graph_is_alive(tensor: Any) -> bool:
    """Whether a backward pass from the tensor is possible: nothing behind it was freed."""
    record = tensor._record
    if record is None or record.primitive is None:
        return False
    return all(each.saved is not FREED for each in topological_order([record]))


def trace_call(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
) -> tuple[Any, CacheEntry | None]:
    """Call the function for real, listening; what it returned, and the entry for calls like it.

    There is none for what no program can do; a warning says why.
    """
    call = Call(function, constants, args)
    try:
        with call.tracer, call.symbolic_numbers() as symbolic:
            returned = called(function, symbolic)
            graph = call.trace_backward(returned)
    except TraceError:
        raise
    except Exception:
        if not call.stand_ins:
            raise
        call.rewind()
        return called(function, args), None
    entry, obstacle = None, _obstacle(call, returned)
    if not obstacle:
        entry, obstacle = _entry(call, returned, graph)
    if entry is not None:
        return _computed_by(entry, call, returned), entry
    _warn(obstacle)
    if call.stand_ins:
        call.rewind()
        return called(function, args), None
    return returned, None


def _entry(call: Call, returned: Any, graph: Graph | None) -> tuple[CacheEntry | None, str]:
    """The entry for calls like this one; or why there is none."""
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
    program = call.tracer.program(results)
    scattered = [n for n in call.tracer.scattered() if n < len(call.finders)]
    written = {target for target, _ in program.writes}
    if any(target.position in scattered for target in written):
        return None, (
            "the function changes a tensor that does not lie in memory one number after the "
            "other, so it runs uncompiled: give it tensor.contiguous()"
        )
    halves = None if graph is None else _halves(call, program, graph)
    if halves is not None and not written.isdisjoint(halves.saved):
        return None, (
            "the function changes a tensor that its gradients are computed from, so it runs "
            "uncompiled"
        )
    forward = program if halves is None else halves.forward
    inputs = Inputs(
        forward.inputs,
        call.finders,
        call.arguments,
        sorted({target.position for target, _ in forward.writes}),
        list(zip(call.leaves[call.argument_leaves :], before, strict=True)),
        scattered,
        call.shared,
    )
    parts = forward, inputs, template, call.symbols, call.reached, call.tracer.draws, grads
    if halves is None or graph is None:
        return CacheEntry(*parts), ""
    outputs = [_value(call, each) for each in graph.outputs]
    sources = [position for position, found in graph.found.items() if found is not None]
    back = _back(call, halves)
    return Differentiable(*parts, back, None, outputs, halves.saved, sources), ""


def _value(call: Call, tensor: Tensor) -> Value:
    value = call.tracer.value_of(tensor._array)
    assert value is not None
    return value


def _halves(call: Call, program: Program, graph: Graph) -> Halves:
    wanted = [_value(call, each) for each in graph.found.values() if each is not None]
    return cut(program, program.results, graph.given, wanted)


def _back(call: Call, halves: Halves) -> CacheEntry:
    """The program backward, called with what was saved, gradients, and numbers from outside."""
    program, count = halves.backward, len(halves.backward.inputs)
    finders = [at((n,)) for n in range(count)]
    symbols = [symbol.read_at(at((count + n,))) for n, symbol in enumerate(call.symbols)]
    returned = [Result(value, None) for value in program.results]
    return CacheEntry(program, Inputs(program.inputs, finders, count, []), returned, symbols)


def _computed_by(entry: CacheEntry, call: Call, returned: Any) -> Any:
    """What the program gives in place of what the function gave, so that all calls give alike.

    Where the function changed what is guarded, as an optimiser that makes its first buffers does,
    there is no way back, and its own results stand.
    """
    if not call.stand_ins and (entry.built is None or not call.reached.guards.hold()):
        return returned
    call.rewind()
    try:
        done, computed = entry.run(call.args)
    except Exception as error:  # whatever Numba raises that cannot compile the source
        entry.interpret_because(f"Numba cannot compile the program ({_first_line(error)})")
        done = False
    if done:
        return computed
    call.rewind()
    return called(call.function, call.args)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _obstacle(call: Call, returned: Any) -> str:
    """Why a function that was called is not to be compiled, and what to do about it."""
    results = tensors_in(returned)
    if call.tracer.obstacle or call.obstacle:
        return call.tracer.obstacle or call.obstacle
    if any(leaf._record.grad is not None for leaf in call.stand_ins.values()):
        return (
            "the function backpropagates through an argument to what that was computed from, so it "
            "runs uncompiled: call backward() outside"
        )
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
    return ""


def _warn(text: str) -> None:
    warnings.warn(f"compile: {text}", UserWarning, stacklevel=5)


def _setting(settings: dict[str, Any], key: str) -> Finder:
    """Reads a setting, whatever the arguments are."""
    return lambda arguments: settings[key]


def _always(tensor: TensorBase) -> Finder:
    """Finds the same tensor each time."""
    return lambda arguments: tensor


def _detached(find: Finder) -> Finder:
    """Finds what shares a tensor's memory, and needs no gradient."""

    def found(arguments: Arguments) -> Tensor:
        tensor: TensorBase = find(arguments)
        return wrap(tensor._array, tensor._counter)

    return found


def _template(returned: Any, call: Call, results: list[Value]) -> Any:
    """What was returned, with a `Result` in place of each tensor."""
    if isinstance(returned, Tensor):
        value = call.tracer.value_of(returned._array)
        assert value is not None
        position = call.tracer.position_of(returned._array)
        if position is not None:
            find = call.finders[position]
            own = (find(call.args), *call.stand_ins.values())
            same = any(returned is each for each in own)
            return Result(value, find if same else _detached(find))
        results.append(value)
        record: Any = returned._record
        return Result(value, None, record)
    if isinstance(returned, tuple | list):
        return collected(returned, [_template(part, call, results) for part in returned])
    if isinstance(returned, dict):
        return {key: _template(part, call, results) for key, part in returned.items()}
    return returned
