"""The arrays that a program takes: arguments by their path, tensors that the function reaches."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.kernels.native_code import LAID

from .program import Array, Input, Value

Arguments = tuple[Any, ...]
Finder = Callable[[Arguments], Any]
"""Finds a tensor, or a number, given the arguments of a call."""
Returned = TypeVar("Returned")
Path = tuple[Any, ...]
"""Positions and keys that lead to something in nested arguments."""


class Keywords(dict[str, Any]):
    """The last of the arguments, where some can only be given by name."""


def called(function: Callable[..., Returned], args: Arguments) -> Returned:
    """What the function gives, called with these arguments."""
    if args and isinstance(args[-1], Keywords):
        return function(*args[:-1], **args[-1])
    return function(*args)


def at(path: Path) -> Finder:
    """Finds what lies at `path` in nested arguments."""
    first, *rest = path
    if not rest:
        return operator.itemgetter(first)
    return lambda arguments: functools.reduce(lambda part, n: part[n], path, arguments)


def grad_of(find: Finder) -> Finder:
    """Finds the `.grad` of a leaf that is found."""
    return lambda arguments: find(arguments)._record.grad


def parts_of(given: Any, name: str = "", path: Path = ()) -> Iterator[tuple[str, Any, Path]]:
    """What nested tuples, lists and dictionaries hold: each with a name and the path to it."""
    if isinstance(given, tuple | list):
        for n, part in enumerate(given):
            yield from parts_of(part, f"{name}_{n}", (*path, n))
    elif isinstance(given, dict):
        for key, part in given.items():
            own = str(key) if isinstance(given, Keywords) else f"{name}_{key}"
            yield from parts_of(part, own, (*path, key))
    else:
        yield name, given, path


def named_parts(function: Callable[..., Any], args: Arguments) -> list[tuple[str, Any, Path]]:
    """What arguments hold: each with the name that the function has for it, and the path to it."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some of C's functions do not tell
        names = []
    own = [names[n] if n < len(names) else f"argument{n}" for n in range(len(args))]
    parts = [parts_of(argument, own[n], (n,)) for n, argument in enumerate(args)]
    return [each for several in parts for each in several]


def tensors_in(given: Any) -> list[Any]:
    """The tensors in nested containers."""
    return [part for _, part, _ in parts_of(given) if isinstance(part, TensorBase)]


def containers_in(args: Arguments) -> dict[int, Finder]:
    """The containers among arguments, by identity, each with what finds it."""
    found: dict[int, Finder] = {}

    def look(given: Any, path: Path) -> None:
        if isinstance(given, tuple | list | dict):
            if path and not isinstance(given, Keywords):
                found.setdefault(id(given), at(path))
            for key, part in given.items() if isinstance(given, dict) else enumerate(given):
                look(part, (*path, key))

    look(args, ())
    return found


@dataclass
class Inputs:
    """Where the inputs of a program are found, and what must hold of them."""

    values: list[Input]
    finders: list[Finder]
    """For each input, the tensor it comes from."""
    arguments: int
    """How many of the inputs are arguments; they come first."""
    written: list[int]
    """Which inputs the program writes to."""
    has_grad: list[tuple[TensorBase, bool]] = field(default_factory=list)
    """Leaves, and whether they have a `.grad` before the call."""
    scattered: list[int] = field(default_factory=list)
    """Which inputs do not lie in memory one after the other: they are copied."""
    shared: list[tuple[int, TensorBase]] = field(default_factory=list)
    """Arguments that are tensors which the function reaches in another way too."""
    bumps: list[tuple[int, int]] = field(default_factory=list)
    """Which versions a call raises, by the position of a tensor, and by how much."""

    def __post_init__(self) -> None:
        self._checked: list[Array] = []
        """The arrays besides arguments that were found to fit; kept, so that none takes the
        place of another in memory unseen."""
        self._laid: list[int] | None = None
        """How all arrays lie: the code is for such alone."""
        self._owners: set[int] = set()
        """Whose memory is written, by identity, where no argument is."""

    def arrays(self, tensors: list[Any]) -> list[Array] | None:
        """The arrays of a call like the traced one; None for a call that is not."""
        for leaf, present in self.has_grad:
            record: Any = leaf._record
            if record is None or (record.grad is not None) is not present:
                return None
        found = [tensor._array for tensor in tensors]
        for position, tensor in self.shared:
            if found[position] is not tensor._array:
                return None
        for position in self.scattered:
            found[position] = np.ascontiguousarray(found[position])
        kept, maybe = found[self.arguments :], False
        if len(kept) != len(self._checked) or any(map(operator.is_not, kept, self._checked)):
            laid = [array.flags.num & LAID for array in found]
            if not all(map(_fits, self.values, found)) or self._laid not in (None, laid):
                return None
            self._laid = laid
            owners = [_owner(array) for array in kept]
            self._checked, maybe = kept, len({*owners}) < len(owners)
            self._owners = {_owner(found[position]) for position in self.written}
        if self.written and (maybe or self._maybe_overlap(found)):
            return None if overlapping(found, self.written) else found
        return found

    def _maybe_overlap(self, arrays: list[Array]) -> bool:
        """Whether an argument may share memory with another array, one of them written."""
        if self.written[0] >= self.arguments:
            for array in arrays[: self.arguments]:
                base = array.base
                if id(array if base is None else base) in self._owners:
                    return True
            return False
        owners = [_owner(array) for array in arrays]
        pairs = [(n, written) for n in range(self.arguments) for written in self.written]
        return any(n != written and owners[n] == owners[written] for n, written in pairs)


def overlapping(arrays: Sequence[Array], written: Sequence[int]) -> bool:
    """Whether one of the arrays that are written, by position, shares memory with another array."""
    return any(
        n != position and np.may_share_memory(array, arrays[position])
        for position in written
        for n, array in enumerate(arrays)
    )


def _fits(given: Value, array: Array) -> bool:
    """Whether an array can be what the program takes."""
    alike = array.shape == given.shape and array.dtype == given.dtype
    return bool(alike and array.flags.c_contiguous)


def _owner(array: Array) -> int:
    """The identity of what owns an array's memory."""
    base = array.base
    return id(array if base is None else base)
