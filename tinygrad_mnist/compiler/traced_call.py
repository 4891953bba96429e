"""A call while it is traced: what was given to the tracer, and what became of it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.autograd import gradients as differentiate
from tinygrad_mnist.engine.backward_pass import topological_order
from tinygrad_mnist.engine.record import FREED, AccumulateGrad, TensorBase, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.random import default_generator

from .arguments import Keywords, Path, always, at, grad_of, parts_of, setting, tensors_in
from .capture import Reached, reach
from .entry import Arguments, Finder, leaf_record
from .live import Leaf, Live
from .program import Array, Input
from .trace import Tracer


def _unique(tensors: Sequence[Tensor]) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


@dataclass(frozen=True)
class Graph:
    """What the walk back from a function's results gave."""

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
        self.live: list[Leaf] = []
        self._copies: list[Array] = []
        self._epochs = self._schedules()
        self.moves_settings = False
        """Whether the function itself moves a number that a program would only read."""
        self._generator = default_generator.get_state()
        names = list(inspect.signature(function).parameters)
        for n, argument in enumerate(args):
            own = names[n] if n < len(names) else f"argument{n}"
            for name, part, path in parts_of(argument, own, (n,)):
                if isinstance(part, TensorBase):
                    if part._record is not None and part._record.primitive is not None:
                        self._stand_in(part, nested=len(path) > 1 + isinstance(argument, Keywords))
                    self._give(name, part, at(path))
                else:
                    self.reached.look(name, part)
        self.arguments, self.argument_leaves = len(self.finders), len(self.leaves)
        self.tracer.captured = {id(t._array): n for n, t in self.reached.captured.items()}
        self.shared: list[tuple[int, TensorBase]] = []
        for name, tensor in self.reached.tensors.items():
            position = self._give(name, tensor, always(tensor))
            if position < self.arguments:
                self.shared.append((position, tensor))
        for position, tensor in enumerate(constants):
            self._give(f"constant{position}", tensor, always(tensor))
        self.before = [leaf_record(leaf).grad for leaf in self.leaves]
        for name, find, grad in zip(self.names, self.leaf_finders, self.before, strict=True):
            if grad is not None:
                self._give(f"{name}_grad", grad, grad_of(find))

    @contextlib.contextmanager
    def live_numbers(self) -> Iterator[Arguments]:
        """The arguments, their floats live; those of parameter groups are live meanwhile."""
        replaced = []
        for settings, key in self.reached.settings:
            live_one = self._follow(setting(settings, key), settings[key])
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
            return self._follow(at(path), given)
        if isinstance(given, TensorBase):
            return self.stand_ins.get(id(given), given)
        if isinstance(given, Keywords):
            return Keywords({k: self._with_live(part, (*path, k)) for k, part in given.items()})
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

    def _follow(self, read: Callable[[Arguments], Any], value: float) -> Live:
        leaf = Leaf(read, value)
        self.live.append(leaf)
        return Live.of(value, len(self.live) - 1, (leaf,))

    def _stand_in(self, tensor: Any, nested: bool) -> None:
        """A leaf with the same array: the walk back from the results ends there."""
        if nested:
            self.obstacle = (
                "a tensor inside a container was computed and requires gradients, so the function "
                "runs uncompiled: pass it as an argument of its own"
            )
            return
        leaf = wrap(tensor._array, tensor._counter)
        leaf._record = AccumulateGrad(leaf)
        self.stand_ins[id(tensor)] = leaf

    def walk_back(self, returned: Any) -> Graph | None:
        """Walk back from the results that may be differentiated later, while the tracer listens."""
        alive = [t for t in tensors_in(returned) if _graph_is_alive(t)]
        outputs = [t for t in _unique(alive) if self.tracer.position_of(t._array) is None]
        if not outputs or self.obstacle or self.tracer.obstacle:
            return None
        if any(source._record.watched().hooks for source in self.sources.values()):
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
    """Whether a walk backward from the tensor is possible: nothing behind it was released."""
    record = tensor._record
    if record is None or record.primitive is None:
        return False
    return all(each.saved is not FREED for each in topological_order([record]))
