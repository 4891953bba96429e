"""`compile`: a function that is traced once for each kind of call, and then runs compiled."""

from __future__ import annotations

import functools
import inspect
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.engine.tensor import TENSOR_TYPE, Tensor
from tinygrad_mnist.kernels.locks import renewed_after_fork
from tinygrad_mnist.kernels.native_code import LAID
from tinygrad_mnist.nn import Module

from .any_size import Programs
from .build import Stats, give_back_memory, taking
from .cache_entry import CacheEntry, Declined
from .graph_capture import Reason, Traced, trace_call
from .inputs import Arguments, Keywords, called, named_parts, overlapping, tensors_in
from .other_sizes import static_places, try_other_sizes, try_sizes_between
from .program import Constant, Program
from .reached import hooks_of_leaf
from .settings import EAGER, config

Inputs = ParamSpec("Inputs")
Returned = TypeVar("Returned")

_NEW: list[CacheEntry] = []
_MOST_ENTRIES = 8
"""How many programs are kept for calls of one kind, the newest first."""
_LONG = 1.0
"""Seconds of compiling after which memory is given back, which takes a while itself."""
_MOST_KINDS = 512
"""For how many kinds of calls; the oldest are forgotten."""


class Compiled(Generic[Inputs, Returned]):
    """A function that runs as one compiled program; made by `compile`.

    `program` is the list of instructions, `source` the Numba source made of it, `stats` what
    compiling did, each of the newest program.
    """

    all: ClassVar[weakref.WeakSet[Compiled[..., Any]]] = weakref.WeakSet()
    """Every compiled function that there is."""

    def __init__(
        self,
        function: Callable[Inputs, Returned],
        constants: Sequence[Tensor] = (),
        check: bool = False,
        fullgraph: bool = False,
        liberties: frozenset[str] = frozenset(),
        dynamic: bool | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        Compiled.all.add(self)
        self.function = function
        self.constants = list(constants)
        self.check, self.fullgraph = check, fullgraph
        self._liberties = liberties
        self._entries: dict[Any, list[CacheEntry] | None] = {}
        """The programs for calls of a kind, the newest first; None where they run uncompiled."""
        self._newest: CacheEntry | None = None
        self._programs = Programs(dynamic)
        self._known: dict[str, str] = {}
        """What the arguments of the newest program were, by their names."""
        self._overlapping: set[Any] = set()
        """Kinds of calls that run uncompiled where their tensors overlap in memory."""
        self._refused: set[Any] = set()
        """Kinds of calls that run uncompiled where no program fits."""
        self._met: set[Any] = set()
        """Kinds of calls that the next one compiles, as the stance has it."""
        self._told: set[str] = set()
        self._traces = self._in_a_row = 0
        """How often it was traced, and how often lately without a program that ran between."""
        self._ran = False
        self._lock = renewed_after_fork(threading.RLock())

    def __call__(self, *given: Inputs.args, **kwargs: Inputs.kwargs) -> Returned:
        """What the function returns; the first call of a kind is traced, later ones compiled."""
        args: Arguments = given
        result: Returned
        if kwargs:
            args = self._bound(given, kwargs)
        if EAGER or (OBSERVERS and threading.get_ident() in OBSERVERS):  # traced itself
            return called(self.function, args)
        try:
            key = _key(args)
        except RecursionError:  # an argument that holds itself, or is nested too deep to be read
            return called(self.function, args)
        try:
            entries = self._entries.get(key, _NEW)
        except TypeError:  # an argument that may change unseen: an array, a set
            entries = None
        if entries is None:
            return called(self.function, args)
        if not self.check:
            try:
                for entry in entries:
                    done, result = entry.run(args)
                    if done:
                        self._ran = True
                        return result
            except Declined:
                if not entry.strict:
                    return called(self.function, args)
                entry.strict, entry.declined = False, True
        with self._lock, taking(self._liberties):
            return self._trace(key, args)

    def programs(self, args: Arguments) -> list[CacheEntry]:
        """The programs that a call like this one may run, the newest first."""
        if self.check or EAGER or (OBSERVERS and threading.get_ident() in OBSERVERS):
            return _NEW
        try:
            return self._entries.get(_key(args)) or _NEW
        except (RecursionError, TypeError):
            return _NEW

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def _bound(self, given: Arguments, kwargs: dict[str, Any]) -> Arguments:
        """The arguments by position, with defaults, as far as they can be given so."""
        try:
            bound = self._signature.bind(*given, **kwargs)
        except (TypeError, ValueError):  # the function itself says what is wrong, if anything is
            return (*given, Keywords(kwargs))
        bound.apply_defaults()
        return (*bound.args, Keywords(bound.kwargs)) if bound.kwargs else bound.args

    def _trace(self, key: Any, args: Arguments) -> Returned:
        """Call the function for real, and keep what it did for calls like this one."""
        entries = self._entries.get(key, _NEW)
        uncompiled = entries is None or key in self._refused
        if uncompiled or (key in self._overlapping and _overlap(args)) or self._waits(key):
            return called(self.function, args)
        assert entries is not None
        if self._traced_in_vain(entries, args):
            return called(self.function, args)
        if not entries:
            try_other_sizes(self.function, self.constants, args, self._programs)
        compiled = len(self._programs.reasons)
        with self._programs.building(self._reason(entries, args), static_places(args)):
            fullgraph = self.fullgraph or config.stance == "fail_on_recompile"
            traced = trace_call(self.function, self.constants, args, fullgraph)
        result: Returned = traced.returned
        entry = traced.entry
        if traced.unsure:
            places = frozenset(traced.unsure)
            try_sizes_between(self.function, self.constants, args, self._programs, places)
            return result
        if entry is None:
            self._tell(self._refused_because(key, traced))
            return result
        self._tell(traced.obstacle)
        if len(self._programs.reasons) > compiled and entry.stats.compile_seconds > _LONG:
            give_back_memory()
        if self.check and entries and entries[0].reached.guards.hold():
            _compare(entries[0], entry)
        for earlier in entries:
            entry.learn(earlier)
        if self._newest is not None and entry.same_source(self._newest):
            entry.numbers.trust_as(self._newest.numbers)
        same = [e for e in entries if e.built is not None and e.same_source(entry)]
        self._keep(key, [entry, *[e for e in entries if e not in same]][:_MOST_ENTRIES])
        self._newest, self._known = entry, self._described(args)
        return result

    def _traced_in_vain(self, entries: list[CacheEntry], args: Arguments) -> bool:
        """Whether each of many calls was traced, since something that no program follows changes.

        To be asked before each trace, which it counts.
        """
        again = not self.check and (bool(entries) or self._changed_by_values(args))
        self._in_a_row = self._in_a_row + 1 if again and not self._ran else 0
        self._ran = False
        limit = config.recompile_limit
        self._traces += self._in_a_row <= limit
        if self._in_a_row == limit + 1:
            self._tell(
                f"compile: the function was traced at each of its last {limit} calls, and runs "
                f"uncompiled where no program fits: {self._reason(entries, args)}. A float or a "
                "tensor among its arguments may change"
            )
        return self._in_a_row > limit

    def _changed_by_values(self, args: Arguments) -> bool:
        """Whether of all arguments only what is no tensor is other than that of the last trace."""
        now = self._described(args)
        parts = named_parts(self.function, args)
        tensors = {name for name, part, _ in parts if isinstance(part, Tensor)}
        changed = {name for name, told in now.items() if told != self._known.get(name)}
        return bool(changed) and changed.isdisjoint(tensors)

    def _waits(self, key: Any) -> bool:
        """Whether the stance is to compile the second call of a kind, and this is the first."""
        if not config.stance.endswith("eager_then_compile") or key in self._met:
            return False
        self._met.add(key)
        return True

    def _refused_because(self, key: Any, traced: Traced) -> str:
        """Remember that calls of a kind run uncompiled, and say why, if it was not said."""
        known = bool(self._refused)
        if traced.reason is Reason.OVERLAP:
            self._overlapping.add(key)
        elif traced.reason is Reason.ANY:
            self._keep(key, None)
        elif config.stance != "eager_on_recompile":
            self._refused.add(key)
        else:
            known = True
        return "" if traced.reason is Reason.REFUSED and known else traced.obstacle

    def _keep(self, key: Any, entries: list[CacheEntry] | None) -> None:
        """Remember the programs for calls of a kind, and forget those of the oldest kinds."""
        self._entries[key] = entries
        while len(self._entries) > _MOST_KINDS:
            self._entries.pop(next(iter(self._entries)))
        for kinds in (self._overlapping, self._refused, self._met):
            while len(kinds) > _MOST_KINDS:
                kinds.pop()

    def _described(self, args: Arguments) -> dict[str, str]:
        known: dict[int, str] = {}
        found = {"the gradient mode": "on" if state.grad_enabled else "off",
                 "the default type": str(dtypes.get_default_dtype())}  # fmt: skip
        for name, part, _ in named_parts(self.function, args):
            first = known.setdefault(id(part._array), name) if isinstance(part, Tensor) else name
            found[name] = _told(part) if first == name else f"the same as {first}"
        return found

    def _reason(self, entries: list[CacheEntry], args: Arguments) -> str:
        """Why a program is compiled: what is other than it was."""
        if self._newest is None:
            return "this is its first call"
        if entries:
            return entries[0].changed(args)
        now = self._described(args)
        changed = [
            f"{name} is {now.get(name, 'absent')}, not {self._known.get(name, 'absent')}"
            for name in dict.fromkeys([*now, *self._known])
            if now.get(name) != self._known.get(name)
        ]
        return "; ".join(changed[:3]) or "its arguments are of another kind"

    def _tell(self, obstacle: str) -> None:
        """Warn of each obstacle once."""
        if obstacle and obstacle not in self._told:
            self._told.add(obstacle)
            warnings.warn(obstacle, UserWarning, stacklevel=4)

    def forget(self) -> None:
        """Trace again at the next call of each kind."""
        with self._lock:
            self._entries.clear()
            self._programs.forget()
            self._refused.clear()
            self._newest = None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A method, where a function in a class was compiled."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        """A copy starts anew, without programs."""
        return Compiled, (
            self.function,
            self.constants,
            self.check,
            self.fullgraph,
            self._liberties,
            self._programs.dynamic,
        )

    @property
    def program(self) -> Program:
        """The instructions of the newest program, after all passes; `print` shows a table."""
        return self._current().program

    @property
    def source(self) -> str:
        """The Numba source of the newest program; empty where it is replayed."""
        return self._current().source

    @property
    def stats(self) -> Stats:
        """Instructions before and after, temporaries and their bytes, seconds.

        `recompilations` says of each program after the first what it was compiled for, `traces`
        how often the function was traced.
        """
        reasons = self._programs.reasons[1:]
        return replace(self._current().stats, recompilations=reasons, traces=self._traces)

    @property
    def back(self) -> CacheEntry | None:
        """What goes backward from the results: it has `program`, `source` and `stats` too.

        None where no gradients can be asked for after the call.
        """
        return self._current().back

    def _current(self) -> CacheEntry:
        if self._newest is None:
            why = next(iter(self._told), "call the function once")
            raise RuntimeError(f"nothing is compiled yet: {why.removeprefix('compile: ')}")
        return self._newest


class OptimizedModule(Module):
    """A module whose calls run compiled; its parameters are those of `_orig_mod`."""

    def __init__(self, module: Module, *settings: Any) -> None:
        super().__init__()
        self._orig_mod = module
        self._compiled = Compiled(module.__call__, *settings)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self._compiled(*args, **kwargs)

    def __len__(self) -> int:
        """That of the module it was made of."""
        return len(self._orig_mod)

    def __getattr__(self, name: str) -> Any:
        """What this module lacks is that of the module it was made of."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "_orig_mod":
                raise
            return getattr(self._orig_mod, name)


class _Settings(TypedDict, total=False):
    fullgraph: bool
    dynamic: bool | None
    backend: str | Callable[..., Any]
    mode: str | None
    options: dict[str, str | int | bool | Callable[..., Any]] | None
    disable: bool
    constants: Sequence[Tensor]
    check: bool


@overload
def compile(model: Module, **settings: Unpack[_Settings]) -> Any: ...
@overload
def compile(
    model: Callable[Inputs, Returned], **settings: Unpack[_Settings]
) -> Compiled[Inputs, Returned]: ...
@overload
def compile(
    model: None = None, **settings: Unpack[_Settings]
) -> Callable[[Callable[Inputs, Returned]], Compiled[Inputs, Returned]]: ...
def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable[..., Any] = "inductor",
    mode: str | None = None,
    options: dict[str, str | int | bool | Callable[..., Any]] | None = None,
    disable: bool = False,
    constants: Sequence[Tensor] = (),
    check: bool = False,
) -> Any:
    """Make a function run as one compiled program; a decorator too.

    The function takes and returns Tensors, and may call modules, `backward()` and an optimiser's
    `step()`. Its first call with arguments of a kind (shapes, types, what requires gradients)
    runs as usual and is traced; later calls run the program. Python numbers that it reads from
    its arguments, closures, globals, modules and parameter groups are guarded: when one changes,
    the function is traced again. `constants` declares tensors that no guard can find.
    With `check=True` every call is traced, and one that differs from the first raises.

    Numbers are those of the function uncompiled, but for rounding and the order of sums; PyTorch's
    `options` "cpp.enable_unsafe_math_opt_flag" and "cpp.enable_floating_point_contract_flag"
    ("fast") let more be rounded otherwise. At the second size of a dimension a program for any is
    compiled; with `dynamic=True` at the first, with `dynamic=False` one for each.

    What no program can do, as reading a tensor's value into Python, runs uncompiled, with a warning
    that names the line; with `fullgraph=True` it raises TraceError, a RuntimeError. `disable` gives
    the function back as it is; the other options are PyTorch's, and change nothing. Of a module,
    `compile` makes a module. What a compiled function returns can be differentiated once, by a
    second program. Prints happen when the function is traced, not when it runs compiled.

    >>> area = torch.compile(lambda x: (x * x).sum())
    >>> area(torch.ones(3)), area(2 * torch.ones(3))
    (tensor(3.), tensor(12.))
    """
    _check_options(backend, mode, options)
    if model is None:
        return functools.partial(
            compile, options=options, disable=disable, constants=constants, check=check,
            fullgraph=fullgraph, dynamic=dynamic,
        )  # fmt: skip
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    if disable:
        return model
    settings = constants, check, fullgraph, _liberties(options or {}), dynamic
    if isinstance(model, Module):
        return OptimizedModule(model, *settings)
    return Compiled(model, *settings)


_BACKENDS = ("inductor", "eager", "aot_eager", "cudagraphs", "openxla", "tvm", "onnxrt")
_MODES = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")


_UNSAFE, _CONTRACT = "cpp.enable_unsafe_math_opt_flag", "cpp.enable_floating_point_contract_flag"


def _liberties(options: dict[str, Any]) -> frozenset[str]:
    """The flags of LLVM that PyTorch's options stand for."""
    for name, kind in ((_UNSAFE, bool), (_CONTRACT, str)):
        given = type(options.get(name, kind()))
        if given is not kind:
            raise RuntimeError(
                f"Unexpected type of attr {name}, got {given.__name__} should be {kind.__name__}"
            )
    reordered = ("reassoc", "arcp", "nsz") if options.get(_UNSAFE) else ()
    contracted = ("contract",) if options.get(_CONTRACT, "off") != "off" else ()
    return frozenset((*reordered, *contracted))


def _check_options(backend: Any, mode: str | None, options: Any) -> None:
    """PyTorch's errors for what it does not know either."""
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if mode is not None and mode not in _MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_MODES)}")
    if not isinstance(backend, str):
        raise NotImplementedError(
            "compile(backend=...) takes no function: there are no graphs of PyTorch's here; look "
            "at .program, the list of instructions, instead"
        )
    if backend not in _BACKENDS:
        raise RuntimeError(
            f"Invalid backend: {backend!r}, see `torch.compiler.list_backends()` for available "
            "backends."
        )


def _key(args: Arguments) -> Any:
    """What two calls must have in common to share a program; floats in containers with them."""
    parts: list[Any] = [state.grad_enabled, dtypes.get_default_dtype()]
    _describe(parts, {}, args, False)
    return tuple(parts)


def _describe(parts: list[Any], seen: dict[int, int], args: Iterable[Any], nested: bool) -> None:
    """Add to `parts` what is to be alike of each of `args`; tensors that were seen are the same."""
    for given in args:
        if isinstance(given, Tensor):
            array: Any = given._array
            record: Any = given._record
            first = seen.setdefault(id(array), len(seen))
            leaf = record and (record.primitive is None, record.grad is None, hooks_of_leaf(record))
            parts += array.shape, array.dtype.char, leaf, first, array.flags.num & LAID
            own = given.__dict__
            if own or type(given) is not TENSOR_TYPE[0]:
                parts += type(given), tuple(own.items())
        elif isinstance(given, tuple | list):
            parts += type(given), len(given)
            _describe(parts, seen, given, True)
        elif isinstance(given, dict):
            parts += type(given), tuple(given)
            _describe(parts, seen, given.values(), not isinstance(given, Keywords))
        elif type(given) is float and not nested:
            parts.append(float)
        elif isinstance(given, float | np.floating):
            parts.append((type(given), given or repr(given)))  # of two zeros, which it is
        else:
            parts.append((type(given), given))


def _told(part: Any) -> str:
    """What an argument is, shortly."""
    if not isinstance(part, Tensor):
        return "another number" if type(part) is float else repr(part)[:40]
    shape = "×".join(map(str, part.shape)) or "of no dimension"
    record, told = part._record, f"{part._array.dtype.name} {shape}"
    if record is not None:
        told += " with gradients" if record.primitive is None else " computed with gradients"
        told += " and one of its own" * (record.primitive is None and record.grad is not None)
    return told + " of another layout" * (not part._array.flags.c_contiguous)


def _overlap(args: Arguments) -> bool:
    arrays = list({id(each._array): each._array for each in tensors_in(args)}.values())
    return overlapping(arrays, range(len(arrays)))


def _compare(entry: CacheEntry, traced: CacheEntry) -> None:
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
