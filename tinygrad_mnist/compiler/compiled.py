"""`compile`: a function that is traced once for each kind of call, and then runs compiled."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mnist.record import TensorBase, state

from .build import Stats
from .capture import Reached, reach
from .entry import Arguments, Entry, Finder, Result, leaf_record
from .program import Constant, Program, Value
from .trace import TraceError, Tracer

Tensor = Any


class Compiled:
    """A function that runs as one compiled program; made by `compile`.

    `program` is the list of instructions, `source` the Numba source made of it, `stats` what
    compiling did, each of the newest program.
    """

    def __init__(
        self, function: Callable[..., Any], constants: Sequence[Tensor] = (), check: bool = False
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.constants = list(constants)
        self.check = check
        self._signature = inspect.signature(function)
        self._entries: dict[Any, Entry] = {}
        self._newest: Entry | None = None
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns; the first call of a kind is traced, later ones compiled."""
        if kwargs:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.kwargs:
                return self.function(*args, **kwargs)
            args = bound.args
        key = _key(args)
        entry = self._entries.get(key)
        if entry is not None and not self.check and entry.holds():
            done, result = entry.run(args)
            return result if done else self.function(*args)
        with self._lock:
            result, traced = _trace(self, args)
            if self.check and entry is not None:
                _compare(entry, traced)
            self._entries[key] = self._newest = traced
        return result

    @property
    def program(self) -> Program:
        """The instructions of the newest program, after all passes; `print` shows a table."""
        entry = self._current()
        return entry.traced if entry.built is None else entry.built.program

    @property
    def source(self) -> str:
        """The Numba source of the newest program; empty where it is replayed."""
        entry = self._current()
        return "" if entry.built is None else entry.built.source.text

    @property
    def stats(self) -> Stats:
        """Instructions before and after, temporaries and their bytes, seconds."""
        entry = self._current()
        return Stats() if entry.built is None else entry.built.stats

    def _current(self) -> Entry:
        if self._newest is None:
            raise RuntimeError("nothing is compiled yet: call the function once")
        return self._newest


def compile(
    function: Callable[..., Any] | None = None,
    *,
    constants: Sequence[Tensor] = (),
    check: bool = False,
) -> Any:
    """Make a function run as one compiled program; a decorator too.

    The function takes and returns Tensors, and may call modules, `backward()` and an optimiser's
    `step()`. Its first call with arguments of a kind (shapes, types, what requires gradients)
    runs as usual and is traced; later calls run the program. Python numbers that it reads from
    its arguments, closures, globals, modules and parameter groups are watched: when one changes,
    the function is traced again. `constants` declares tensors from outside that never change.
    With `check=True` every call is traced, and one that differs from the first raises.

    Prints and other side effects happen when the function is traced, not when it runs compiled.

    Raises:
        TraceError: a tensor's value is read by Python, or a tensor comes from outside undeclared.

    >>> import tinygrad_mnist as torch
    >>> @torch.compile
    ... def area(x):
    ...     return (x * x).sum()
    >>> area(torch.ones(3)), area(2 * torch.ones(3))
    (tensor(3.), tensor(12.))
    """
    if function is None:
        return functools.partial(compile, constants=constants, check=check)
    return Compiled(function, constants, check)


def _key(args: Arguments) -> Any:
    """What two calls must have in common to share a program."""
    parts: list[Any] = [state.grad_enabled]
    seen: list[Any] = []
    for given in args:
        if isinstance(given, TensorBase):
            array, record = given._array, given._record
            same = next((n for n, other in enumerate(seen) if other is array), -1)
            seen.append(array)
            leaf = None if record is None else (record.primitive is None, record.grad is None)
            parts.append((array.shape, array.dtype.char, leaf, same, array.flags.c_contiguous))
        elif isinstance(given, tuple | list):
            parts.append((type(given), _key(tuple(given))))
        else:
            parts.append((type(given), given))
    return tuple(parts)


def _argument(path: tuple[int, ...]) -> Finder:
    """Finds the tensor at `path` in nested arguments."""
    first, *rest = path
    if not rest:
        return lambda arguments: arguments[first]
    return lambda arguments: functools.reduce(lambda part, n: part[n], path, arguments)  # type: ignore[return-value]


def _constant(tensor: TensorBase) -> Finder:
    return lambda arguments: tensor


def _grad_of(leaf: Any) -> Finder:
    return lambda arguments: leaf_record(leaf).grad


def _tensors_in(args: Any, names: Sequence[str], path: tuple[int, ...] = ()) -> list[Any]:
    found = []
    for n, given in enumerate(args):
        name = names[n] if n < len(names) else f"argument{n}"
        if isinstance(given, TensorBase):
            found.append((name, given, (*path, n)))
        elif isinstance(given, tuple | list):
            inner = [f"{name}_{k}" for k in range(len(given))]
            found += _tensors_in(given, inner, (*path, n))
    return found


class _Call:
    """One call while it is traced: what was given to the tracer, and what became of gradients."""

    def __init__(self, compiled: Compiled, args: Arguments) -> None:
        self.tracer = Tracer()
        self.finders: list[Finder] = []
        self.leaves: list[Any] = []
        self.reached: Reached = reach(compiled.function)
        names = list(compiled._signature.parameters)
        for name, tensor, path in _tensors_in(args, names):
            self._give(name, tensor, _argument(path))
        for name, tensor in self.reached.tensors.items():
            self._give(name, tensor, _constant(tensor))
        for position, tensor in enumerate(compiled.constants):
            self._give(f"constant{position}", tensor, _constant(tensor))
        self.before = [leaf_record(leaf).grad for leaf in self.leaves]
        for leaf, grad in zip(self.leaves, self.before, strict=True):
            if grad is not None:
                self._give("grad", grad, _grad_of(leaf))

    def _give(self, name: str, tensor: Any, find: Finder) -> None:
        if self.tracer.give(tensor._array, name).position == len(self.finders):
            self.finders.append(find)
        record = tensor._record
        is_leaf = record is not None and record.primitive is None
        if is_leaf and not any(leaf is tensor for leaf in self.leaves):
            self.leaves.append(tensor)


def _trace(compiled: Compiled, args: Arguments) -> tuple[Any, Entry]:
    """Call the function for real, listening; what it returned, and the entry for calls like it."""
    call = _Call(compiled, args)
    with call.tracer:
        returned = compiled.function(*args)
    results: list[Value] = []
    grads: list[tuple[TensorBase, Value | None]] = []
    for leaf, before in zip(call.leaves, call.before, strict=True):
        after = leaf_record(leaf).grad
        if after is not before:
            value = None if after is None else call.tracer.value_of(after._array)
            grads.append((leaf, value))
            results += [] if value is None else [value]
    template = _template(returned, call, results)
    absent = [leaf for leaf, grad in zip(call.leaves, call.before, strict=True) if grad is None]
    entry = Entry(call.tracer.program(results), call.reached, call.finders, grads, absent, template)
    return returned, entry


def _template(returned: Any, call: _Call, results: list[Value]) -> Any:
    """What was returned, with a `Result` in place of each tensor."""
    if isinstance(returned, TensorBase):
        value = call.tracer.value_of(returned._array)
        if value is None:
            raise TraceError("compile: the function returns a tensor that came from outside")
        position = call.tracer.position_of(returned._array)
        if position is not None:
            return Result(value, call.finders[position])
        results.append(value)
        return Result(value, None)
    if isinstance(returned, tuple | list):
        parts = [_template(part, call, results) for part in returned]
        return parts if isinstance(returned, list) else tuple(parts)
    if isinstance(returned, dict):
        return {key: _template(part, call, results) for key, part in returned.items()}
    return returned


def _compare(entry: Entry, traced: Entry) -> None:
    """RuntimeError unless two traces gave the same program with the same constants."""
    if str(entry.traced) != str(traced.traced):
        raise RuntimeError(
            "compile(check=True): this call did not do what the first one did: the programs "
            "differ, because of something that the function reads and no guard watches"
        )
    pairs = zip(entry.traced.read(Constant), traced.traced.read(Constant), strict=True)
    if any((a.array != b.array).any() for a, b in pairs):
        raise RuntimeError(
            "compile(check=True): a constant of the program changed between two calls: pass it "
            "as an argument"
        )
