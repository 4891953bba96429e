"""`compile`: a function that is traced once for each kind of call, and then runs compiled."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.walk import reachable
from tinygrad_mnist.nn import Module
from tinygrad_mnist.record import RELEASED, TensorBase, state

from .build import Stats
from .capture import Reached, reach
from .entry import Arguments, Entry, Finder, Result, leaf_record
from .live import Leaf, Live
from .program import Constant, Program, Value
from .trace import TraceError, Tracer

Tensor = Any


_MOST_ENTRIES = 8
"""How many programs are kept for calls of one kind, the newest first."""


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
        self._entries: dict[Any, list[Entry]] = {}
        self._uncompiled: set[Any] = set()
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
        if key in self._uncompiled:
            return self.function(*args)
        entries = self._entries.setdefault(key, [])
        for entry in [] if self.check else entries:
            done, result = entry.run(args)
            if done:
                return result
        with self._lock:
            return self._trace(key, entries, args)

    def _trace(self, key: Any, entries: list[Entry], args: Arguments) -> Any:
        """Call the function for real, and keep what it did for calls like this one."""
        result, traced = _trace(self, args)
        if traced is None:
            self._uncompiled.add(key)
            return result
        if self.check and entries:
            _compare(entries[0], traced)
        for earlier in entries:
            traced.learn(earlier)
        same = [e for e in entries if e.built is not None and e.same_source(traced)]
        self._entries[key] = [traced, *[e for e in entries if e not in same]][:_MOST_ENTRIES]
        self._newest = traced
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


class OptimizedModule(Module):
    """A module whose calls run compiled; its parameters are those of `_orig_mod`."""

    def __init__(self, module: Module, constants: Sequence[Tensor], check: bool) -> None:
        super().__init__()
        self._orig_mod = module
        self._compiled = Compiled(module.__call__, constants, check)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self._compiled(*args, **kwargs)


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
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

    `disable` gives the function back as it is; the other options are PyTorch's, and change nothing.
    Of a module, `compile` makes a module: it runs compiled where no gradients are asked for.

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
    if model is None:
        return functools.partial(compile, disable=disable, constants=constants, check=check)
    if disable:
        return model
    if isinstance(model, Module):
        return OptimizedModule(model, constants, check)
    return Compiled(model, constants, check)


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
        elif type(given) is float:
            parts.append(float)
        else:
            parts.append((type(given), given))
    return tuple(parts)


def _argument(path: tuple[int, ...]) -> Finder:
    """Finds the tensor at `path` in nested arguments."""
    first, *rest = path
    if not rest:
        return lambda arguments: arguments[first]
    return lambda arguments: functools.reduce(lambda part, n: part[n], path, arguments)  # type: ignore[return-value]


def _setting(settings: dict[str, Any], key: str) -> Callable[[Arguments], Any]:
    return lambda arguments: settings[key]


def _number(position: int) -> Callable[[Arguments], Any]:
    return lambda arguments: arguments[position]


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
        self.names: list[str] = []
        self.reached: Reached = reach(compiled.function)
        self.args = args
        self.live: list[Leaf] = []
        self.tracer.captured = {id(t._array): n for n, t in self.reached.captured.items()}
        names = list(compiled._signature.parameters)
        for name, tensor, path in _tensors_in(args, names):
            self._give(name, tensor, _argument(path))
        self.arguments = len(self.finders)
        for name, tensor in self.reached.tensors.items():
            self._give(name, tensor, _constant(tensor))
        for position, tensor in enumerate(compiled.constants):
            self._give(f"constant{position}", tensor, _constant(tensor))
        self.before = [leaf_record(leaf).grad for leaf in self.leaves]
        for name, leaf, grad in zip(self.names, self.leaves, self.before, strict=True):
            if grad is not None:
                self._give(f"{name}_grad", grad, _grad_of(leaf))

    @contextlib.contextmanager
    def live_numbers(self) -> Iterator[list[Any]]:
        """The arguments, their floats live; those of parameter groups are live meanwhile."""
        replaced = []
        for settings, key in self.reached.settings:
            replaced.append((settings, key, settings[key]))
            settings[key] = self._follow(_setting(settings, key), settings[key])
        live = [
            self._follow(_number(n), given) if type(given) is float else given
            for n, given in enumerate(self.args)
        ]
        try:
            yield live
        finally:
            for settings, key, value in replaced:
                if isinstance(settings.get(key), Live):
                    settings[key] = value

    def _follow(self, read: Callable[[Arguments], Any], value: float) -> Live:
        leaf = Leaf(read, value)
        self.live.append(leaf)
        return Live.of(value, len(self.live) - 1, (leaf,))

    def _give(self, name: str, tensor: Any, find: Finder) -> None:
        if self.tracer.give(tensor._array, name).position == len(self.finders):
            self.finders.append(find)
        record = tensor._record
        is_leaf = record is not None and record.primitive is None
        if is_leaf and not any(leaf is tensor for leaf in self.leaves):
            self.leaves.append(tensor)
            self.names.append(name)


def _trace(compiled: Compiled, args: Arguments) -> tuple[Any, Entry | None]:
    """Call the function for real, listening; what it returned, and the entry for calls like it.

    There is none where gradients of a result may still be asked for: records are not compiled.
    """
    call = _Call(compiled, args)
    with call.tracer, call.live_numbers() as live:
        returned = compiled.function(*live)
    if any(_graph_is_alive(tensor) for _, tensor, _ in _tensors_in([returned], [])):
        _warn(
            "the function returns a tensor whose gradients may still be asked for, so it runs "
            "uncompiled: call backward() inside it, or call it under no_grad"
        )
        return returned, None
    results: list[Value] = []
    grads: list[tuple[TensorBase, Value | None]] = []
    for leaf, before in zip(call.leaves, call.before, strict=True):
        after = leaf_record(leaf).grad
        if after is not before:
            value = None if after is None else call.tracer.value_of(after._array)
            grads.append((leaf, value))
            results += [] if value is None else [value]
    template = _template(returned, call, results)
    before = [grad is not None for grad in call.before]
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
        list(zip(call.leaves, before, strict=True)),
        grads,
        template,
        call.live,
        call.arguments,
        scattered,
    )
    return returned, entry


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
        if value is None:
            raise TraceError("compile: the function returns a tensor that came from outside")
        position = call.tracer.position_of(returned._array)
        if position is not None:
            return Result(value, call.finders[position])
        results.append(value)
        return Result(value, None, returned._record)
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
