"""What a function reaches besides its arguments, and the guards on how it was found.

Everything that a call may read is looked at before it is traced: the names in the function's code
are followed through closures, globals, modules, classes, containers and objects. Libraries are
looked at, not into: what their functions call is taken to be what it was.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.engine.node import AccumulateGrad, hooks_of
from tinygrad_mnist.engine.tensor import TENSOR_TYPE, TensorBase
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.nn import Module
from tinygrad_mnist.nn.modules.registration import CALL_HOOKS, STATE_HOOKS
from tinygrad_mnist.nn.parameter import Buffer, Parameter
from tinygrad_mnist.optim import Optimizer
from tinygrad_mnist.optim.hooks import _global_optimizer_post_hooks, _global_optimizer_pre_hooks
from tinygrad_mnist.optim.lr_scheduler import LRScheduler

from .guards import PLAIN, Guards, content
from .reads import Reads, reads_of
from .unwatched import BUFFERS, WHOLE, Place, unwatched

_PACKAGE = __name__.partition(".")[0]
_LIBRARIES = sys.stdlib_module_names | {_PACKAGE, "numpy", "numba", "llvmlite"}
_SETTINGS = f"{_PACKAGE}.hardware"
"""Where the package keeps what a user sets and a function may ask for."""
_INTERNAL = {
    "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", *CALL_HOOKS, *STATE_HOOKS
}  # fmt: skip
"""The attributes of a module that are looked at on their own, or not read by a call."""
_KEPT_BY_OPTIMISERS = {"defaults", "_opt_called", *Optimizer._HOOKS}
_HOOKS_OF_ALL_OPTIMISERS = _global_optimizer_pre_hooks, _global_optimizer_post_hooks
_CALLED = {"__call__", "_call_impl"}
_CALLED_UNNAMED = {*_CALLED, "forward", "_update"}
"""Methods of modules and optimisers that the package calls."""
_MADE = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__class_getitem__")
"""Methods that nobody calls of an object that is there."""
_INNER = {
    functools.partial: ("func", "args", "keywords"),
    functools.cached_property: ("func",),
    property: ("fget",),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    types.MethodType: ("__self__", "__func__"),
    types.BuiltinFunctionType: ("__self__",),
    types.MethodWrapperType: ("__self__",),
    KeysView: ("mapping",),
    ValuesView: ("mapping",),
}
"""What stands for something else, and where that is found."""
_DATA = (*PLAIN, list, dict, set)
"""What is guarded of all that functions of installed libraries read."""
_HEAP_TYPE = 1 << 9
"""The flag of classes that are made by a class statement."""


@dataclass(repr=False)
class Reached:
    """Tensors by name, and the guards on how they were found.

    `tensors` belong to modules or optimisers, or require gradients; `captured` are the others.
    """

    tensors: dict[str, TensorBase] = field(default_factory=dict)
    captured: dict[str, TensorBase] = field(default_factory=dict)
    settings: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    """The floats of parameter groups, which a program follows: where each is kept."""
    states: list[dict[Any, dict[str, Any]]] = field(default_factory=list)
    """What optimisers keep of each parameter."""
    schedules: list[LRScheduler] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    """NumPy's generators of random numbers."""
    guards: Guards = field(default_factory=Guards)
    obstacle: str = ""
    """What no guard can watch."""
    _seen: dict[int, Any] = field(default_factory=lambda: {id(sys.modules): sys.modules})
    _watched: set[tuple[int, str]] = field(default_factory=set)
    """The names that are guarded, with the identity of where they stand."""
    _reads: Reads = field(default_factory=lambda: Reads(attributes=set(_CALLED_UNNAMED)))
    """What all functions that were looked at read."""
    _classes: dict[type, dict[str, type]] = field(default_factory=dict)
    """The classes that were met: where in them the names stand that were not looked at yet."""
    _modules: list[types.ModuleType] = field(default_factory=list)
    """Modules of which attributes are read at places unknown."""
    _unwatched: list[tuple[Place, str]] = field(default_factory=list)
    """What no guard can watch: where it is found, and why the function may not read it."""
    _hiding: dict[int, str] = field(default_factory=dict)
    """Containers that hold such, by identity."""
    _when_read: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    """What to do about an attribute of some name if any function reads such a one."""

    def look(self, name: str, found: Any, owned: bool = False, place: Place | None = None) -> None:
        """Look through an object, once; `owned` by a module or an optimiser.

        `place` is the attribute that it is found under, itself or what holds it, if it is one.
        """
        if isinstance(found, PLAIN):
            return
        what = unwatched(found) or self._hiding.get(id(found), "")
        if what:
            self._note_unwatched(f"{name or 'what is called'} is {what}", place)
        if id(found) in self._seen:
            return
        self._seen[id(found)] = found
        if isinstance(found, TensorBase):
            self._look_at_tensor(name, found, owned)
        elif isinstance(found, type):
            self._look_at_class(found, made=True)
        elif isinstance(found, types.ModuleType):
            self._modules.append(found)
        elif isinstance(found, types.FunctionType):
            self._look_at_function(found)
        elif isinstance(found, Module):
            self._look_at_module(name, found)
        elif isinstance(found, Optimizer):
            self._look_at_optimizer(name, found)
        elif isinstance(found, (np.random.Generator, np.random.RandomState)):
            self.generators.append(found)
        else:
            if isinstance(found, LRScheduler):
                self.schedules.append(found)
            self._look_inside(name, found, owned, place)
            self._look_at_instance(name, found)

    def look_at_hooks(self, name: str, found: TensorBase) -> None:
        """Look at what is called with the gradient of a tensor, if it is a leaf."""
        if isinstance(found._record, AccumulateGrad):
            self._look_at_hooks(name, _hooks_by_kind(found._record))

    def settle(self) -> None:
        """Look at what classes and modules hold under the names that were read, until no more are.

        To be called when everything else was looked at. Names are taken in their order, so that a
        program is the same in each process.
        """
        before = -1
        while before != (before := len(self._seen) + len(self._reads.attributes)):
            for kind in list(self._classes):
                self._look_at_names(kind)
            for module in list(self._modules):
                self._look_at_attributes_of(module)
            for key, act in self._when_read:
                if key in self._reads.attributes:
                    act()

    def _look_at_attributes_of(self, module: types.ModuleType) -> None:
        names, inside = self._reads.attributes, vars(module)
        present = sorted(names & inside.keys())
        self._look_at_names_in(inside, present if _is_library(module.__name__) else names)
        for name in present:
            if isinstance(inside[name], types.ModuleType):
                self.look(name, inside[name])

    def _free(self, name: str) -> str:
        name = name.replace(".", "_").strip("_")
        name = name if name.isidentifier() else "tensor"
        while name in self.tensors or name in self.captured:
            name += "_"
        return name

    def _look_at_tensor(self, name: str, found: TensorBase, owned: bool) -> None:
        ours = owned or isinstance(found, Parameter | Buffer) or current_record(found) is not None
        (self.tensors if ours else self.captured)[self._free(name)] = found
        self.guards.watch_attributes(found, ["_record"])
        if not owned or isinstance(found, Parameter) or vars(found):
            self.guards.watch_dict(vars(found), without=["_resting_leaf"])
            for key, part in vars(found).items():
                self.look(key, part) if key != "_resting_leaf" else None
        self.look_at_hooks(name, found)
        if not _is_library(type(found).__module__):
            self._look_at_class(type(found))

    def _look_inside(self, name: str, found: Any, owned: bool, place: Place | None) -> None:
        """Look at what a container holds, or what an object stands for."""
        before = len(self._unwatched)
        if isinstance(found, dict | types.MappingProxyType):
            self._look_into(name, found, owned, place)
            if len(found) > 1 and all(type(each) is str for each in found):
                self.guards.watch_order(found)
        elif isinstance(found, list | tuple | set | frozenset | deque):
            if isinstance(found, list):
                self.guards.watch_list(found)
            elif isinstance(found, set | deque):
                self.guards.watch_elements(found)
            for position, part in enumerate(found):
                self.look(f"{name}_{position}", part, owned, place)
        elif isinstance(found, BUFFERS) and not unwatched(found):
            self.guards.watch_bytes(found)
        elif isinstance(found, weakref.ref):
            self.look(name, found())
        if len(self._unwatched) > before:
            self._hiding[id(found)] = "what holds an array or an iterator that no guard can watch"
        for kind, attributes in _INNER.items():
            if isinstance(found, kind):
                self._look_at_inner(name, found, attributes)

    def _look_at_inner(self, name: str, found: Any, attributes: tuple[str, ...]) -> None:
        if isinstance(found, functools.partial):
            self.guards.watch_attributes(found, attributes)
        for attribute in attributes:
            inner = getattr(found, attribute)
            if not isinstance(inner, types.ModuleType):
                self.look(name, inner)

    def _note_unwatched(self, obstacle: str, place: Place | None) -> None:
        """Note what no guard can watch: an obstacle, if the function reads it."""
        if place is None:
            self.obstacle = self.obstacle or obstacle
        else:
            self._unwatched.append((place, obstacle))

    @contextlib.contextmanager
    def noticing_reads(self) -> Iterator[None]:
        """Notice in a `with` block whether attributes are read that no guard can watch."""

        def note(obstacle: str) -> None:
            self.obstacle = self.obstacle or obstacle

        with contextlib.ExitStack() as stack:
            for place, obstacle in self._unwatched:
                told = functools.partial(note, obstacle)
                by_name = place.key in self._reads.attributes
                reads_all = not self._reads.attributes.isdisjoint(WHOLE)
                if (by_name and reads_all) or not stack.enter_context(place.tells(told)):
                    told() if by_name else None
            yield

    def _look_into(
        self, name: str, found: Mapping[Any, Any], owned: bool = False, place: Place | None = None
    ) -> None:
        self.guards.watch_dict(found)
        for key, part in list(found.items()):
            label = key if isinstance(key, str) else "state"
            self.look(f"{name}_{label}" if name else label, part, owned, place)

    def _look_at_instance(self, name: str, found: Any) -> None:
        kind = type(found)
        own = vars(found) if kind.__dictoffset__ else {}
        self.look(name, own.get("__wrapped__"))
        holds_data = hasattr(kind, "__dataclass_fields__") or isinstance(found, LRScheduler)
        if str(kind.__module__).partition(".")[0] == _PACKAGE and not holds_data:
            return
        if kind.__flags__ & _HEAP_TYPE:
            self.guards.watch_type(found)
            self._look_at_class(kind)
        fills = kind.__flags__ & _HEAP_TYPE or kind is types.SimpleNamespace
        if kind.__dictoffset__ and (own or fills):
            self.guards.watch_attributes(found, ["__dict__"])
            self.guards.watch_dict(own)
        slots = _slots(found)
        if slots:
            self.guards.watch_attributes(found, list(slots))
        for key, part in [*own.items(), *slots.items()]:
            self.look(f"{name}_{key}" if name else key, part, place=Place(found, key))

    def _look_at_class(self, kind: type, made: bool = False) -> None:
        """Note a class, of which the names that are read will be looked at.

        Where objects may be `made` of it, the methods that do that are looked at as well.
        """
        names = {name: base for base in reversed(kind.__mro__) for name in vars(base)}
        if kind not in self._classes and any(map(_is_watched, kind.__mro__)):
            watched = {n: base for n, base in names.items() if _is_watched(base)}
            self._classes[kind] = {n: base for n, base in watched.items() if n not in _MADE}
        for name in _MADE if made and not _is_library(kind.__module__) else ():
            if _is_watched(names.get(name, object)):
                self._look_at_name(kind, name, names[name])
        if type(kind) is not type:
            self._look_at_class(type(kind))

    def _look_at_names(self, kind: type) -> None:
        names = self._classes[kind]
        special = {n for n, base in names.items() if _is_special_method(n, base)}
        for name in sorted((self._reads.attributes | special) & names.keys()):
            holder = names.pop(name)
            self._look_at_name(kind, name, holder)
            for base in holder.__mro__[1:]:
                if name in vars(base) and not _is_library(base.__module__):
                    self._look_at_names_in(vars(base), [name])

    def _look_at_name(self, kind: type, name: str, holder: type) -> None:
        """Look at what a name means for a class; in one of the package's, for all that inherit."""
        shared = name in _CALLED and _is_library(kind.__module__)
        watched = holder if shared else kind
        if not self._is_new(watched, name):
            return
        raw = vars(holder)[name]
        if _is_library(holder.__module__) or _is_found_as_it_is(raw):
            self.guards.watch_attributes(watched, [name])
        else:
            self.guards.watch_names(vars(holder), [name])
        self.look(name, raw)

    def _is_new(self, container: Any, name: str) -> bool:
        """Whether a name was not looked at in a container before; from now on it was."""
        before = len(self._watched)
        self._watched.add((id(container), name))
        return len(self._watched) > before

    def _look_at_names_in(self, names: Mapping[str, Any], read: Iterable[str]) -> None:
        """Look at what some names in a namespace stand for."""
        new = [name for name in sorted(read) if self._is_new(names, name)]
        self.guards.watch_names(names, new)
        for name in new:
            if not isinstance(names.get(name), types.ModuleType):
                self.look(name, names.get(name))

    def _look_at_function(self, function: types.FunctionType) -> None:
        code, space = function.__code__, function.__globals__
        ours = str(space.get("__name__")).startswith(_PACKAGE)
        cells = function.__closure__ or ()
        if cells:
            self.guards.watch_cells(cells)
        inner = dict(zip(code.co_freevars, map(content, cells), strict=True))
        for name, value in inner.items():
            kept = ours and _is_kept_by_the_package(value)
            if not isinstance(value, types.ModuleType) and not kept:
                self.look(name, value)
        if vars(function) and not ours:
            self._look_into("", vars(function))
        if _is_library(space.get("__name__")):
            read = reads_of(code).globals if _is_installed(str(space.get("__name__"))) else ()
            self._look_at_names_in(space, [n for n in read if isinstance(space.get(n), _DATA)])
            return
        given = [("__code__", 1), ("__defaults__", code.co_argcount)]
        given += [("__kwdefaults__", code.co_kwonlyargcount)]
        self.guards.watch_attributes(function, [name for name, count in given if count])
        self.look("default", function.__defaults__)
        self.look("default", function.__kwdefaults__)
        reads = reads_of(code)
        self._reads.attributes |= reads.attributes | (reads.globals & WHOLE)
        self._look_at_names_in(space, reads.globals)
        self._look_at_names_in(vars(builtins), vars(builtins).keys() & (reads.globals - set(space)))
        for path in sorted(reads.paths):
            root = inner.get(path[0], space.get(path[0]))
            if isinstance(root, types.ModuleType):
                self._follow(root, path[1:])
        self._modules += [sys.modules[name] for name in sorted(reads.imported & sys.modules.keys())]

    def _follow(self, module: Any, path: tuple[str, ...]) -> None:
        """Look at an attribute of a module, at an attribute of that if it is one, and so on."""
        for name in path:
            if not isinstance(module, types.ModuleType):
                return
            found = getattr(module, name, None)  # which loads what loads late
            if name in vars(module) or not _is_library(module.__name__):
                self._look_at_names_in(vars(module), [name])
            module = found
        if isinstance(module, types.ModuleType):
            self._modules.append(module)

    def _look_at_module(self, name: str, module: Module) -> None:
        self.guards.watch_type(module)
        self._look_at_class(type(module))
        for part in (module._parameters, module._buffers):
            self._look_into(name, part, owned=True)
        own = vars(module)
        self.guards.watch_dict(own, without=_INTERNAL)
        self.guards.watch_dict(module._modules)
        self._look_at_hooks(name, [getattr(module, kind) for kind in CALL_HOOKS])
        for child_name, child in module._modules.items():
            self.look(f"{name}_{child_name}", child)
        for key, value in own.items():
            if key not in _INTERNAL:
                self.look(f"{name}_{key}", value, place=Place(module, key))

    def _look_at_hooks(self, name: str, kinds: Iterable[dict[int, Any]]) -> None:
        for hooks in kinds:
            self.guards.watch_dict(hooks)
            for hook in hooks.values():
                self.look(f"{name}_hook", hook)

    def _look_at_optimizer(self, name: str, optimizer: Optimizer) -> None:
        self.guards.watch_type(optimizer)
        self._look_at_class(type(optimizer))
        own, groups = vars(optimizer), optimizer.param_groups
        self.guards.watch_dict(own, without=_KEPT_BY_OPTIMISERS)
        own_hooks = optimizer._step_pre_hooks, optimizer._step_post_hooks
        self._look_at_hooks(name, (*own_hooks, *_HOOKS_OF_ALL_OPTIMISERS))
        self._when_read.append(("defaults", lambda: self.look(name, optimizer.defaults)))
        self.guards.watch_list(groups)
        for group in groups:
            floats = [key for key, value in group.items() if type(value) is float]
            self.settings += [(group, key) for key in floats]
            self.guards.watch_dict(group, without=floats)
            self.look(f"{name}_param", group["params"], owned=True)
        self.guards.watch_dict(optimizer.state)
        self.states.append(optimizer.state)
        for state in list(optimizer.state.values()):
            self._look_into(name, state, owned=True)
        for key, value in own.items():
            if key not in ("param_groups", "state", *_KEPT_BY_OPTIMISERS):
                self.look(f"{name}_{key}", value, place=Place(optimizer, key))


def _is_kept_by_the_package(value: Any) -> bool:
    """Whether something in a cell of one of our functions is the engine's, not what a user gave."""
    inner = type(value).__module__.startswith((f"{_PACKAGE}.ops.", f"{_PACKAGE}.engine."))
    return isinstance(value, set) or (inner and not isinstance(value, TensorBase))


def _is_library(module: Any) -> bool:
    """Whether what stands in a module, given by its name, is not looked into."""
    name = "" if module is None else module if isinstance(module, str) else "numpy"
    if name.partition(".")[0] in _LIBRARIES:
        return not name.startswith(_SETTINGS)
    return _is_installed(name)


@functools.lru_cache(maxsize=1024)
def _is_installed(name: str) -> bool:
    """Whether a module was installed by others, and is no part of the user's program."""
    file = str(getattr(sys.modules.get(name), "__file__", ""))
    return "site-packages" in file or "dist-packages" in file


def _is_watched(kind: type) -> bool:
    """Whether names in a class are guarded: the user's, and those users build on."""
    known = issubclass(kind, (Module, Optimizer, TensorBase))
    known = known or kind in (*Module.__mro__, *TENSOR_TYPE[0].__mro__)
    return kind is not object and (known or not _is_library(kind.__module__))


def _is_found_as_it_is(member: Any) -> bool:
    """Whether what stands in a class is the same object each time that the class is asked."""
    plain = isinstance(member, types.FunctionType | staticmethod | property)
    return plain or not hasattr(type(member), "__get__")


def _is_special_method(name: str, kind: type) -> bool:
    """Whether a name is that of a method in a user's class that Python calls by itself."""
    special = name.startswith("__") and name != "__repr__" and not _is_library(kind.__module__)
    return special and isinstance(vars(kind)[name], types.FunctionType)


def hooks_of_leaf(record: Any) -> tuple[Callable[..., Any], ...]:
    """The functions that are called with the gradient of a leaf."""
    if record.hooks is None or not any(_hooks_by_kind(record)):
        return ()
    return tuple([hook for hooks in _hooks_by_kind(record) for hook in hooks.values()])


def _hooks_by_kind(record: AccumulateGrad) -> tuple[dict[int, Callable[..., Any]], ...]:
    hooks = hooks_of(record)
    return hooks.tensor_hooks, hooks.pre_hooks, hooks.post_hooks


def _slots(found: Any) -> dict[str, Any]:
    """The attributes of an object that have slots, and their values."""
    slots = {}
    for base in type(found).__mro__:
        for name, slot in vars(base).items():
            if isinstance(slot, types.MemberDescriptorType) and base.__flags__ & _HEAP_TYPE:
                with contextlib.suppress(AttributeError):
                    slots[name] = slot.__get__(found)
    return slots


def reach(function: Any) -> Reached:
    """Everything that calling `function` may touch besides its arguments."""
    reached = Reached()
    reached._look_at_class(TENSOR_TYPE[0])
    try:
        reached.look("", function)
    except RecursionError:
        reached.obstacle = "what the function reads is nested too deep to be looked through"
    return reached
