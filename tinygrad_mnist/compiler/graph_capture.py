"""Graph capture: the first call of a kind is made for real, and traced."""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import threadpoolctl  # noqa: F401  (sets a variable of the environment: before that is guarded)

from tinygrad_mnist.autograd import gradients as differentiate
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.node import FREED, hooks_of
from tinygrad_mnist.engine.tensor import Tensor, TensorBase, wrap
from tinygrad_mnist.kernels.dispatch import by_numpy
from tinygrad_mnist.random import default_generator

from .any_size import Refused, Unsure
from .cache_entry import CacheEntry, Declined, first_line, leaf_record
from .differentiable import Differentiable, Halves, cut
from .inputs import (
    Arguments,
    Finder,
    Inputs,
    Keywords,
    Path,
    at,
    called,
    grad_of,
    named_parts,
    overlapping,
    parts_of,
)
from .outside_world import OutsideWorld
from .program import Array, Input, Program, Value
from .reached import Reached, reach
from .results import Overlap, Result, Template, Unrepeatable, plain_numbers
from .symbolic import Symbol, SymFloat
from .trace import TraceError, Tracer, is_ours, user_line


@dataclass(frozen=True)
class Graph:
    """What the backward pass from a function's results gave."""

    outputs: list[Value]
    given: list[Input]
    """The gradients it began with."""
    found: dict[int, Tensor | None]
    """What arrived at the tensors from outside, by position."""


@dataclass(frozen=True)
class _State:
    """What a call may change, as it was at some moment."""

    arrays: list[Array]
    versions: list[int]
    grads: list[Any]
    generator: Any
    unread: list[tuple[Any, Array, int]]
    """Of tensors that are given when they are read: each, its numbers, its version."""


class Call:
    """One call while it is traced: what was given to the tracer, and what became of gradients."""

    def __init__(
        self, function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
    ) -> None:
        self.tracer = Tracer()
        self.finders: list[Finder] = []
        self.tensors: list[Any] = []
        """The tensors from outside, by position."""
        self.given: dict[int, Finder] = {}
        """What finds each of them, by identity: of those that share an array, too."""
        self.leaves: list[Any] = []
        self.leaf_finders: list[Finder] = []
        self.names: list[str] = []
        self.sources: dict[int, Any] = {}
        """The tensors from outside that require gradients, by position."""
        self.reached: Reached = reach(function)
        self.function = function
        self.args = args
        self.symbols: list[Symbol] = []
        self._epochs = self._schedules()
        self.moves_settings = False
        """Whether the function itself moves a number that a program would only read."""
        self._kept: list[Any] = []
        """Records and hooks of what is given, to be found again."""
        self._copies: dict[int, Array] = {}
        self._versions: list[int] = []
        self._unread: list[tuple[Any, Array, int]] = []
        self._parts = [id(part) for _, part, _ in parts_of(args)]
        self._generator = default_generator.get_state()
        self._give_arguments()
        self.reached.settle()
        self.arguments, self.argument_leaves = len(self.finders), len(self.leaves)
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
                self._give_when_met(f"{name}_grad", grad, grad_of(find))
        for name, tensor in self.reached.captured.items():
            self._give_when_met(name, tensor, _always(tensor))

    def _give_arguments(self) -> None:
        for name, part, path in named_parts(self.function, self.args):
            if not isinstance(part, Tensor):
                self.reached.look(name, part)
                continue
            self.reached.look_at_hooks(name, part)
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
        if isinstance(given, Keywords):
            return Keywords({k: self._with_symbols(part, (*path, k)) for k, part in given.items()})
        return given

    def _schedules(self) -> list[int]:
        """How far each schedule has come that the function names."""
        return [schedule.last_epoch for schedule in self.reached.schedules]

    def state(self) -> _State:
        """What was given, as it is now."""
        arrays = [array.copy() for array in self.tracer.given[: len(self.tensors)]]
        versions = [tensor._counter[0] for tensor in self.tensors]
        grads = [leaf_record(leaf).grad for leaf in self.leaves]
        unread = [(each, each._array.copy(), each._counter[0]) for each, _, _ in self._unread]
        return _State(arrays, versions, grads, default_generator.get_state(), unread)

    def before_call(self) -> _State:
        """What was given, as it was."""
        arrays = [self._copies[id(array)] for array in self.tracer.given[: len(self.tensors)]]
        return _State(arrays, self._versions, self.before, self._generator, self._unread)

    def restore(self, past: _State) -> None:
        """Put back what the call changed: arrays, versions, gradients, the default generator."""
        given = zip(self.tensors, self.tracer.given, past.arrays, past.versions, strict=False)
        changed = [each for each in given if each[0]._counter[0] != each[3]]
        for tensor, array, numbers, version in changed:
            array[...] = numbers
            tensor._counter[0] = version
        for tensor, numbers, version in past.unread:  # a backward pass adds to them uncounted
            if not np.array_equal(tensor._array, numbers):
                tensor._array[...] = numbers
            tensor._counter[0] = version
        for leaf, grad in zip(self.leaves, past.grads, strict=True):
            leaf_record(leaf).grad = grad
        default_generator.set_state(past.generator)

    def _follow(self, read: Callable[[Arguments], Any], value: float) -> SymFloat:
        symbol = Symbol(read, value)
        self.symbols.append(symbol)
        return SymFloat.of(value, len(self.symbols) - 1, (symbol,))

    def trace_backward(self, template: Template) -> Graph | None:
        """Trace a backward pass from the results that may be differentiated after the call."""
        alive: list[Any] = [each for each in template.computed if self._graph_is_alive(each[1])]
        if not alive or self.tracer.obstacle:
            return None
        records = topological_order([tensor._record for _, tensor in alive])
        own = [each for each in records if each.sequence > self.tracer.born]
        if any(_has_hooks(each) for each in (*own, *[t._record for t in self.sources.values()])):
            raise Unrepeatable("a tensor that requires gradients has a hook")
        outputs = [tensor for _, tensor in alive]
        ones = [wrap(np.ones_like(each._array)) for each in outputs]
        given = [self.tracer.give(each._array, f"grad{n}") for n, each in enumerate(ones, 1)]
        sources = list(self.sources.values())
        self.tracer.walks_own = True
        found = differentiate.grad(outputs, sources, ones, retain_graph=True, allow_unused=True)
        return Graph(
            [value for value, _ in alive], given, dict(zip(self.sources, found, strict=True))
        )

    def _graph_is_alive(self, tensor: Any) -> bool:
        """Whether a backward pass from the tensor is possible: nothing behind it was freed."""
        record = tensor._record
        if record is None or record.primitive is None:
            return False
        own = [r for r in topological_order([record]) if r.sequence > self.tracer.born]
        return all(each.saved is not FREED for each in own)

    def _give(self, name: str, tensor: Any, find: Finder) -> int:
        """Declare a tensor from outside; its position."""
        position = self.tracer.give(tensor._array, name).position
        self.given.setdefault(id(tensor), find)
        record = tensor._record
        if position == len(self.finders):
            self.finders.append(find)
            self.tensors.append(tensor)
            self._versions.append(tensor._counter[0])
            self._kept.append((record, _count_hooks(record)))
            if id(tensor._array) not in self._copies:
                self._copies[id(tensor._array)] = tensor._array.copy()
        elif record is not self.tensors[position]._record:
            self.tracer.stop("two tensors share one memory, and one of them requires gradients")
        if record is not None:
            self.sources.setdefault(position, tensor)
        is_leaf = record is not None and record.primitive is None
        if is_leaf and not any(leaf is tensor for leaf in self.leaves):
            self.leaves.append(tensor)
            self.leaf_finders.append(find)
            self.names.append(name)
        return position

    def _give_when_met(self, name: str, tensor: Any, find: Finder) -> None:
        """Declare a tensor from outside if it is read at all."""
        array, version = tensor._array, tensor._counter[0]
        position = self.tracer.position_of(array)
        if position is not None:
            self.shared += [(position, tensor)] if position < self.arguments else []
            return
        copy = self._copies.setdefault(id(array), array.copy())
        self._unread.append((tensor, copy, version))

        def give() -> None:
            self._versions[self._give(name, tensor, find)] = version

        self.tracer.captured[id(array)] = give

    def bumps(self) -> list[tuple[int, int]]:
        """Which versions the function raised, by the position of a tensor, and by how much."""
        counters: dict[int, tuple[int, int]] = {}
        for position, (tensor, version) in enumerate(
            zip(self.tensors, self._versions, strict=True)
        ):
            raised = tensor._counter[0] - version
            if raised:
                counters.setdefault(id(tensor._counter), (position, raised))
        return list(counters.values())

    def check_arguments(self) -> None:
        """Unrepeatable where the function did to what was given what no program does."""
        if self._parts != [id(part) for _, part, _ in parts_of(self.args)]:
            raise Unrepeatable("the function changes a container among its arguments")
        for tensor, array, kept in zip(self.tensors, self.tracer.given, self._kept, strict=False):
            if tensor._array is not array:
                raise Unrepeatable("the function gives a tensor from outside other memory")
            if kept != (tensor._record, _count_hooks(tensor._record)):
                raise Unrepeatable(
                    "the function changes a tensor that requires gradients, whether it does, or "
                    "its hooks"
                )
        if self.moves_settings:
            raise Unrepeatable(
                "the function changes a learning rate or steps a schedule: do that after calling it"
            )


def _count_hooks(record: Any) -> int:
    hooks = None if record is None else record.hooks
    if hooks is None:
        return 0
    kinds = (hooks.tensor_hooks, hooks.pre_hooks, hooks.post_hooks, hooks.node_hooks)
    return sum(map(len, kinds)) + int(hooks.retains_grad)


def _has_hooks(record: Any) -> bool:
    """Whether a record has hooks; a leaf's own are called when its gradient is accumulated."""
    if record.primitive is None:
        return bool(hooks_of(record).tensor_hooks)
    return bool(_count_hooks(record))


class Reason(enum.Enum):
    """Why there is no entry: no program can do it, for these tensors, or none may be compiled."""

    ANY = "any"
    OVERLAP = "overlap"
    REFUSED = "refused"


@dataclass(frozen=True)
class Traced:
    """What a function that was traced returned, and the entry for calls like that one."""

    returned: Any
    entry: CacheEntry | None
    """None for what no program can do."""
    obstacle: str = ""
    """Why there is none, or why its program is replayed."""
    reason: Reason = Reason.ANY
    unsure: Sequence[tuple[int, int]] = ()
    """Dimensions of inputs of which other sizes are to be traced."""


def trace_call(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments, fullgraph: bool
) -> Traced:
    """Call the function for real, listening.

    With `fullgraph`, what no program can do is a TraceError, and what the call changed is put back.
    """
    call = Call(function, constants, args)
    world = OutsideWorld(call.reached.generators)
    noticing = call.reached.noticing_reads()
    with by_numpy(), noticing, call.tracer, call.symbolic_numbers() as symbolic, world:
        returned = called(function, symbolic)
    call.tracer.obstacle = world.obstacle or call.reached.obstacle or call.tracer.obstacle
    if world.read_environment:
        call.reached.look("environment", os.environ)
    try:
        entry = _compiled(call, returned)
    except Unrepeatable as found:
        why = f"compile: the function runs uncompiled: {found}"
        why = why if " line " in why else f"{why}. {_where(function)}"
        if not fullgraph or isinstance(found, Unsure):
            unsure = found.places if isinstance(found, Unsure) else ()
            return Traced(plain_numbers(returned), None, why, _reason(found), unsure)
        call.restore(call.before_call())
        raise TraceError(why) from None
    computed = _computed_by(entry, call, returned)
    notice = entry.notice or (entry.back.notice if entry.back is not None else "")
    return Traced(computed, entry, f"{notice}. {_where(function)}" if notice else "")


def _reason(found: Unrepeatable) -> Reason:
    if isinstance(found, Refused):
        return Reason.REFUSED
    return Reason.OVERLAP if isinstance(found, Overlap) else Reason.ANY


def captured(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
) -> CacheEntry | None:
    """The entry for calls like this one, and what the call changed put back; None if there is none.

    MadeState where an optimiser makes what it keeps of parameters: later calls do not.
    """
    call = Call(function, constants, args)
    states = call.reached.states
    kept = [{key: dict(own) for key, own in state.items()} for state in states]
    try:
        with by_numpy(), call.tracer, call.symbolic_numbers() as symbolic:
            returned = called(function, symbolic)
        if _lengths(states) != _lengths(kept):
            raise MadeState
        return _compiled(call, returned)
    except Unrepeatable:
        return None
    finally:
        call.restore(call.before_call())
        for state, before in zip(states, kept, strict=True):
            for key, own in [*state.items()]:
                own.clear()
                own.update(before.get(key, {}))
                if key not in before:
                    del state[key]


class MadeState(Exception):
    """An optimiser made what it keeps of parameters: this call is like no later one."""


def _lengths(states: Sequence[dict[Any, dict[str, Any]]]) -> list[list[int]]:
    return [[len(own) for own in state.values()] for state in states]


def _where(function: Any) -> str:
    """Where a function, or a module's `forward`, is defined."""
    owner = getattr(function, "__self__", None)
    code = getattr(getattr(type(owner), "forward", function), "__code__", None)
    if code is None or is_ours(code.co_filename):
        return user_line()
    return f'File "{code.co_filename}", line {code.co_firstlineno}, in {code.co_name}'


def _compiled(call: Call, returned: Any) -> CacheEntry:
    """The entry for calls like the one that was traced; Unrepeatable if there is none."""
    try:
        _check_obstacle(call)
        call.check_arguments()
        with call.tracer:
            template = Template(
                returned, call.args, call.tracer, call.given, call.tensors, call.finders,
                call.reached._seen,
            )  # fmt: skip
            graph = call.trace_backward(template)
        _check_obstacle(call)
        return _entry(call, template, graph)
    except (Unrepeatable, Warning):
        raise
    except Exception as error:
        raise Unrepeatable(f"it cannot be compiled ({first_line(error)})") from error


def _check_obstacle(call: Call) -> None:
    if call.tracer.obstacle:
        raise Unrepeatable(call.tracer.obstacle)


def _entry(call: Call, template: Template, graph: Graph | None) -> CacheEntry:
    """The entry for calls like this one."""
    results: list[Value] = []
    grads: list[tuple[Finder, Value | None]] = []
    for leaf, find, before in zip(call.leaves, call.leaf_finders, call.before, strict=True):
        after = leaf_record(leaf).grad
        if after is not before:
            value = None if after is None else call.tracer.value_of(after._array)
            grads.append((find, value))
            results += [] if value is None else [value]
    results += [value for value, _ in template.computed]
    before = [grad is not None for grad in call.before[call.argument_leaves :]]
    program = call.tracer.program(results)
    scattered = [n for n in call.tracer.scattered() if n < len(call.finders)]
    written = {target for target, _ in program.writes}
    halves = None if graph is None else _halves(call, program, graph)
    _check_writes(call, written, scattered, halves)
    forward = program if halves is None else halves.forward
    inputs = Inputs(
        forward.inputs,
        call.finders,
        call.arguments,
        sorted({target.position for target, _ in forward.writes}),
        list(zip(call.leaves[call.argument_leaves :], before, strict=True)),
        scattered,
        call.shared,
        call.bumps(),
    )
    parts = (
        forward, inputs, template.returned, call.symbols, call.reached, call.tracer.draws, grads,
        template.orders,
    )  # fmt: skip
    if halves is None or graph is None:
        return CacheEntry(*parts)
    sources = [position for position, found in graph.found.items() if found is not None]
    back = _back(call, halves)
    return Differentiable(*parts, back, None, graph.outputs, halves.saved, sources)


def _check_writes(
    call: Call, written: set[Input], scattered: list[int], halves: Halves | None
) -> None:
    """Unrepeatable where no program may write what the function changes."""
    if any(target.position in scattered for target in written):
        raise Unrepeatable(
            "the function changes a tensor that does not lie in memory one number after the "
            "other: give it tensor.contiguous()"
        )
    if halves is not None and not written.isdisjoint(halves.saved):
        raise Unrepeatable("the function changes a tensor that its gradients are computed from")
    arrays = call.tracer.given[: len(call.finders)]
    if overlapping(arrays, [target.position for target in written]):
        raise Overlap("the function changes a tensor that shares memory with another one")


def _halves(call: Call, program: Program, graph: Graph) -> Halves:
    wanted = [
        call.tracer.value_of(each._array) for each in graph.found.values() if each is not None
    ]
    return cut(program, program.results, graph.given, [v for v in wanted if v is not None])


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
    if entry.built is None or not entry.reached.guards.hold():
        return plain_numbers(returned)
    after = call.state()
    call.restore(call.before_call())
    with contextlib.suppress(Declined):
        done, computed = entry.run(call.args)
        if done:
            return computed
    call.restore(after)
    return plain_numbers(returned)


def _setting(settings: dict[str, Any], key: str) -> Finder:
    """Reads a setting, whatever the arguments are."""
    return lambda arguments: settings[key]


def _always(tensor: TensorBase) -> Finder:
    """Finds the same tensor each time."""
    return lambda arguments: tensor
