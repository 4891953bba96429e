"""Guards: what a function read when it was traced, and must find again for its program to hold.

They are looked at before every call, so they are written out as one expression and compiled by
Python: thirty objects take a microsecond.
"""

from __future__ import annotations

import functools
import itertools
import operator
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.engine.node import AccumulateGrad, hooks_of
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.nn import Module
from tinygrad_mnist.nn.modules.registration import CALL_HOOKS
from tinygrad_mnist.optim import Optimizer
from tinygrad_mnist.optim.lr_scheduler import LRScheduler

PLAIN = (bool, int, float, str, bytes, type(None), np.generic)
"""Objects of these types that are equal are as good as the same object."""


@dataclass(frozen=True)
class _Guard:
    """A container that is looked into."""

    container: Any
    objects: Callable[[], list[Any]]
    """What lies there now; LookupError where something is gone or was added."""
    terms: Callable[[str, list[str]], list[str]]
    """Python's spelling of: the container, called by a name, holds these objects."""


class Guards:
    """Objects that must be the same ones, or equal numbers, for a program to hold."""

    def __init__(self) -> None:
        self._guards: list[tuple[_Guard, int]] = []
        """Where to look, and how many objects lay there."""
        self._objects: list[Any] = []
        self._check: types.FunctionType | None = None

    def watch_dict(self, found: dict[Any, Any], without: Sequence[Any] = ()) -> None:
        """Guard a dictionary: its size, and what lies at its keys, except those in `without`."""
        keys = [key for key in found if key not in without]
        if all(type(key) is str for key in keys):
            self._watch_keys(found, keys, len(found))
        else:
            self._watch_values(found, len(found))

    def watch_names(self, names: dict[str, Any], read: Sequence[str]) -> None:
        """Guard what some names in a namespace stand for."""
        self._watch_keys(names, read)

    def watch_list(self, found: list[Any]) -> None:
        """Guard a list: its length and its elements."""
        self._watch_keys(found, range(len(found)), len(found))

    def watch_cells(self, cells: tuple[types.CellType, ...]) -> None:
        """Guard what the cells of a closure hold."""

        def terms(name: str, objects: list[str]) -> list[str]:
            return [f"{name}[{n}].cell_contents is {o}" for n, o in enumerate(objects)]

        self._watch(_Guard(cells, lambda: [content(cell) for cell in cells], terms))

    def watch_record(self, tensor: TensorBase) -> None:
        """Guard whether a tensor needs gradients: it then has another record, or none."""

        def terms(name: str, objects: list[str]) -> list[str]:
            return [f"{name}._record is {objects[0]}"]

        self._watch(_Guard(tensor, lambda: [tensor._record], terms))

    def _watch_keys(self, found: Any, keys: Sequence[Any], size: int | None = None) -> None:
        """Guard what lies at some keys; with a size, that nothing was added or removed."""

        def objects() -> list[Any]:
            if size is not None and len(found) != size:
                raise LookupError
            return [found[key] for key in keys]

        def terms(name: str, objects: list[str]) -> list[str]:
            whole = [] if size is None else [f"len({name}) == {size}"]
            return [*whole, *(f"{name}[{k!r}] is {o}" for k, o in zip(keys, objects, strict=True))]

        self._watch(_Guard(found, objects, terms))

    def _watch_values(self, found: dict[Any, Any], size: int) -> None:
        """Guard a dictionary whose keys cannot be spelled: its values in order."""

        def objects() -> list[Any]:
            if len(found) != size:
                raise LookupError
            return list(found.values())

        def terms(name: str, objects: list[str]) -> list[str]:
            together = f"({''.join(f'{o}, ' for o in objects)})"
            same = f"all(map(is_, {name}.values(), {together}))"
            return [f"len({name}) == {size}", same] if objects else [f"not {name}"]

        self._watch(_Guard(found, objects, terms))

    def hold(self) -> bool:
        """Whether nothing changed."""
        if self._check is None:
            self._check = self._written_out()
            self._keep(self._objects)
        try:
            return self._check() or self._equal()
        except (LookupError, ValueError):  # a name, an element or a cell's content is gone
            return False

    def _watch(self, guard: _Guard) -> None:
        objects = guard.objects()
        self._guards.append((guard, len(objects)))
        self._objects += objects
        self._check = None

    def _equal(self) -> bool:
        """Whether numbers and texts that are other objects now are equal to those before."""
        now = [found for guard, _ in self._guards for found in guard.objects()]
        for a, b in zip(now, self._objects, strict=True):
            if a is not b and not (type(a) is type(b) and isinstance(a, PLAIN) and a == b):
                return False
        self._keep(now)
        return True

    def _keep(self, objects: list[Any]) -> None:
        self._objects = objects
        assert self._check is not None
        self._check.__defaults__ = (*objects, *(guard.container for guard, _ in self._guards))

    def _written_out(self) -> types.FunctionType:
        """The function that compares, its parameters' defaults what it needs: found fast there."""
        names = [f"o{n}" for n in range(len(self._objects))]
        rest, terms = iter(names), []
        for n, (guard, count) in enumerate(self._guards):
            terms += guard.terms(f"c{n}", [*itertools.islice(rest, count)])
        parameters = [*names, *(f"c{n}" for n in range(len(self._guards)))]
        text = f"def hold({', '.join(parameters)}):\n    return {' and '.join(terms) or True}"
        space: dict[str, Any] = {"is_": operator.is_}
        exec(text, space)
        check: types.FunctionType = space["hold"]
        return check


def content(cell: types.CellType) -> Any:
    """What a cell of a closure holds; None where its name has no value yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


# What a function reaches besides its arguments: parameters, buffers, optimisers, numbers.

_PACKAGE = __name__.partition(".")[0]
_OPAQUE = (type, types.ModuleType, types.BuiltinFunctionType, np.ndarray, np.dtype)


@dataclass
class Reached:
    """Tensors by name, and the guards on how they were found.

    `tensors` belong to modules or optimisers, or require gradients; `captured` are the others.
    """

    tensors: dict[str, TensorBase] = field(default_factory=dict)
    captured: dict[str, TensorBase] = field(default_factory=dict)
    settings: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    """The floats of parameter groups, which a program follows: where each is kept."""
    schedules: list[LRScheduler] = field(default_factory=list)
    guards: Guards = field(default_factory=Guards)
    _seen: dict[int, Any] = field(default_factory=dict)

    def look(self, name: str, found: Any, owned: bool = False) -> None:
        """Look through an object, once; `owned` by a module or an optimiser."""
        if isinstance(found, (*PLAIN, *_OPAQUE)) or id(found) in self._seen:
            return
        self._seen[id(found)] = found
        if isinstance(found, TensorBase):
            ours = owned or current_record(found) is not None
            (self.tensors if ours else self.captured)[self._free(name)] = found
            self.guards.watch_record(found)
            if isinstance(found._record, AccumulateGrad):
                hooks = hooks_of(found._record)
                several = (hooks.tensor_hooks, hooks.pre_hooks, hooks.post_hooks)
                self._look_at_hooks(name, several)
        elif isinstance(found, dict):
            self._look_into(name, found, owned)
        elif isinstance(found, list | tuple | set):
            if isinstance(found, list):
                self.guards.watch_list(found)
            for position, part in enumerate(found):
                self.look(f"{name}_{position}", part, owned)
        elif isinstance(found, types.MethodType):
            self.look(name, found.__self__)
            self.look(name, found.__func__)
        elif isinstance(found, functools.partial):
            self.look(name, found.func)
            self.look(name, [*found.args, *found.keywords.values()])
        elif isinstance(found, types.FunctionType):
            self._look_at_function(found)
        elif isinstance(found, Module):
            self._look_at_module(name, found)
        elif isinstance(found, Optimizer):
            self._look_at_optimizer(name, found)
        elif isinstance(found, LRScheduler):
            self.schedules.append(found)
        elif hasattr(found, "__dict__") and _is_users(type(found)):
            self._look_into(name, vars(found))

    def _free(self, name: str) -> str:
        name = name.replace(".", "_").strip("_")
        name = name if name.isidentifier() else "tensor"
        while name in self.tensors or name in self.captured:
            name += "_"
        return name

    def _look_into(self, name: str, found: dict[Any, Any], owned: bool = False) -> None:
        self.guards.watch_dict(found)
        for key, part in list(found.items()):
            label = key if isinstance(key, str) else "state"
            self.look(f"{name}_{label}" if name else label, part, owned)

    def _look_at_function(self, function: types.FunctionType) -> None:
        cells = function.__closure__ or ()
        if cells:
            self.guards.watch_cells(cells)
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
            self.look(name, content(cell))
        if (function.__module__ or "").startswith(f"{_PACKAGE}."):
            return
        names = [n for n in sorted(_names(function.__code__)) if n in function.__globals__]
        values = function.__globals__
        self.guards.watch_names(values, names)
        for name in names:
            self.look(name, values[name])
        self.look("default", list(function.__defaults__ or ()))

    def _look_at_module(self, name: str, module: Module) -> None:
        for part in (module._parameters, module._buffers):
            self._look_into(name, part, owned=True)
        internal = [
            k for k, v in vars(module).items() if k[:1] == "_" and isinstance(v, dict | set)
        ]
        self.guards.watch_dict(vars(module), without=internal)
        self.guards.watch_dict(module._modules)
        self._look_at_hooks(name, [getattr(module, kind) for kind in CALL_HOOKS])
        for child_name, child in module._modules.items():
            self.look(f"{name}_{child_name}", child)
        for key, value in vars(module).items():
            if not key.startswith("_"):
                self.look(f"{name}_{key}", value)

    def _look_at_hooks(self, name: str, kinds: Iterable[dict[int, Any]]) -> None:
        for hooks in kinds:
            self.guards.watch_dict(hooks)
            for hook in hooks.values():
                self.look(f"{name}_hook", hook)

    def _look_at_optimizer(self, name: str, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            floats = [key for key, value in group.items() if type(value) is float]
            self.settings += [(group, key) for key in floats]
            self.guards.watch_dict(group, without=floats)
            self.look(f"{name}_param", group["params"], owned=True)
        self.guards.watch_dict(optimizer.state)
        for state in list(optimizer.state.values()):
            self._look_into(name, state, owned=True)


def _is_users(kind: type) -> bool:
    """Whether a class is the user's, or one that holds data by name."""
    return not kind.__module__.startswith(_PACKAGE) or hasattr(kind, "__dataclass_fields__")


def _names(code: types.CodeType) -> set[str]:
    """The global names that a function's code, and the functions written inside it, may read."""
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return set(code.co_names).union(*[_names(part) for part in inner])


def reach(function: Any) -> Reached:
    """Everything that calling `function` may touch besides its arguments."""
    reached = Reached()
    reached.look("", function)
    return reached
