"""The first call of a kind: made for real, and traced."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mnist.engine.record import TensorBase, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import at, called, tensors_in
from .capture import Reached
from .differentiable import Differentiable, Halves, cut
from .entry import Arguments, Entry, Finder, Result, collected, leaf_record
from .program import Program, Value
from .trace import TraceError
from .traced_call import Call, Graph


def trace_call(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments
) -> tuple[Any, Entry | None]:
    """Call the function for real, listening; what it returned, and the entry for calls like it.

    There is none for what no program can do; a warning says why.
    """
    call = Call(function, constants, args)
    try:
        with call.tracer, call.live_numbers() as live:
            returned = called(function, live)
            graph = call.walk_back(returned)
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


def _entry(call: Call, returned: Any, graph: Graph | None) -> tuple[Entry | None, str]:
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
    parts = (
        program if halves is None else halves.forward,
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
    if halves is None or graph is None:
        return Entry(*parts), ""
    outputs = [_value(call, each) for each in graph.outputs]
    back = _back(call, halves, graph)
    sources = [position for position, found in graph.found.items() if found is not None]
    return Differentiable(*parts, back, None, outputs, halves.saved, sources), ""


def _value(call: Call, tensor: Tensor) -> Value:
    value = call.tracer.value_of(tensor._array)
    assert value is not None
    return value


def _halves(call: Call, program: Program, graph: Graph) -> Halves:
    wanted = [_value(call, each) for each in graph.found.values() if each is not None]
    return cut(program, program.results, graph.given, wanted)


def _back(call: Call, halves: Halves, graph: Graph) -> Entry:
    """The program backward, called with what was saved, gradients, and numbers from outside."""
    count = len(halves.backward.inputs)
    finders = [at((n,)) for n in range(count)]
    leaves = [leaf.read_at(at((count + n,))) for n, leaf in enumerate(call.live)]
    returned = [Result(value, None) for value in halves.backward.results]
    program, nothing = halves.backward, Reached()
    return Entry(program, [], nothing, finders, [], [], returned, leaves, count, [], [])


def _computed_by(entry: Entry, call: Call, returned: Any) -> Any:
    """What the program gives in place of what the function gave, so that all calls give alike.

    Where the function changed what is watched, as an optimiser that makes its first buffers does,
    there is no way back, and its own results stand.
    """
    if not call.stand_ins and (entry.built is None or not call.reached.guards.hold()):
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


def _obstacle(call: Call, returned: Any) -> str:
    """Why a function that was called is not to be compiled, and what to do about it."""
    results = tensors_in(returned)
    if call.tracer.obstacle or call.obstacle:
        return call.tracer.obstacle or call.obstacle
    if any(leaf._record.grad is not None for leaf in call.stand_ins.values()):
        return (
            "the function walks back through an argument to what that was computed from, so it "
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


def _detached(find: Finder) -> Finder:
    """Finds what shares a tensor's memory, and needs no gradient."""

    def found(arguments: Arguments) -> Tensor:
        tensor: TensorBase = find(arguments)
        return wrap(tensor._array, tensor._counter)

    return found


def _template(returned: Any, call: Call, results: list[Value]) -> Any:
    """What was returned, with a `Result` in place of each tensor."""
    if isinstance(returned, TensorBase):
        value = call.tracer.value_of(returned._array)
        assert value is not None
        position = call.tracer.position_of(returned._array)
        if position is not None:
            find = call.finders[position]
            own = (find(call.args), *call.stand_ins.values())
            same = any(returned is each for each in own)
            return Result(value, find if same else _detached(find))
        results.append(value)
        return Result(value, None, returned._record)
    if isinstance(returned, tuple | list):
        return collected(returned, [_template(part, call, results) for part in returned])
    if isinstance(returned, dict):
        return {key: _template(part, call, results) for key, part in returned.items()}
    return returned
