"""Pickles read as data: nothing that a pickle names is imported, and nothing runs.

A pickle is a program for a small stack machine, which puts together numbers, texts and containers
and calls whatever the program names. The machine here has a vocabulary instead: the opcodes that
a kind of file needs, and what each of its names stands for. Anything else is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any

CONTAINERS = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWFALSE", "NEWTRUE",
    "BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS",
    "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
))  # fmt: skip
"""The opcodes of texts, integers, lists and tuples, and of what is named."""

_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWFALSE": lambda: False, "NEWTRUE": lambda: True,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set,
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_VALUES = frozenset((
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
))  # fmt: skip
_LARGEST_KEY = 1_000
"""Parts of a tuple that is a key: hashing takes a nested one apart, however often it repeats."""


def _refuse_identifier(identifier: Any) -> Any:
    raise UnpicklingError("it refers to something outside itself")


@dataclass(frozen=True)
class Vocabulary:
    """What a kind of pickle may say."""

    names: Mapping[tuple[str, str], Any]
    """What stands for each (module, name); only these are called."""
    opcodes: frozenset[str]
    build: Callable[[Any, Any], None]
    """`build(thing, state)` gives the state to a thing that a call returned."""
    text: Callable[[str], Any]
    """What a byte string of Python 2 becomes, from its bytes as latin-1."""
    most_steps: int | None = None
    persistent_load: Callable[[Any], Any] = _refuse_identifier
    """What an identifier of something outside the pickle stands for."""


def read(content: bytes, vocabulary: Vocabulary) -> Any:
    r"""What the pickle holds.

    Raises:
        UnpicklingError: it says something that is not in the vocabulary.
        Exception: it is damaged; that may raise anything.

    >>> lists = Vocabulary({}, CONTAINERS, build=print, text=str)
    >>> read(b"]K\x01a.", lists)
    [1]
    """
    machine = _Machine(content, vocabulary)
    for opcode, argument, position in pickletools.genops(content):
        machine.carry_out(opcode.name, argument, position)
    (thing,) = machine.stack
    return thing


def check_key(key: Any) -> None:
    """Raises UnpicklingError for a key that would take long to hash."""
    waiting = [key]
    for _ in range(_LARGEST_KEY):
        if not waiting:
            return
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(part)
    raise UnpicklingError(f"it has a key of more than {_LARGEST_KEY} parts")


class _Machine:
    """The stack machine; each method without a docstring carries out the opcode of its name."""

    def __init__(self, content: bytes, vocabulary: Vocabulary) -> None:
        self.size = len(content)
        self.vocabulary = vocabulary
        self.called = {id(thing) for thing in vocabulary.names.values()}
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        """The stacks below the marks."""
        self.memo: dict[int, Any] = {}
        self.steps = 0

    def carry_out(self, name: str, argument: Any, position: int | None) -> None:
        """One opcode, with the argument that follows it."""
        limit = self.vocabulary.most_steps
        if name not in self.vocabulary.opcodes:
            raise UnpicklingError(f"it uses the opcode {name}")
        self.steps += 1
        if limit is not None and self.steps > limit:
            raise UnpicklingError(f"it has more than {limit} steps")
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _MADE:
            self.stack.append(_MADE[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(self._take(_TUPLES[name])))
        elif name == "FRAME":
            if argument > self.size - (position or 0):
                raise UnpicklingError("it announces more than it holds")
        elif name not in ("PROTO", "STOP"):
            getattr(self, f"_{name.lower()}")(argument)

    def _binstring(self, characters: str) -> None:
        self.stack.append(self.vocabulary.text(characters))

    _short_binstring = _binstring

    def _mark(self, _: None) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def _tuple(self, _: None) -> None:
        items = self._since_mark()  # which gives back the stack below the mark
        self.stack.append(tuple(items))

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise UnpicklingError("it takes more than there is")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _append(self, _: None) -> None:
        self._extend(self._take(1))

    def _appends(self, _: None) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise UnpicklingError(f"it appends to a {type(target).__name__}")
        target.extend(items)

    def _setitem(self, _: None) -> None:
        self._set_items(self._take(2))

    def _setitems(self, _: None) -> None:
        self._set_items(self._since_mark())

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise UnpicklingError(f"it sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value

    def _binput(self, index: int) -> None:
        if index > self.steps:
            raise UnpicklingError(f"it numbers its parts beyond {self.steps}")
        self.memo[index] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _long_binget = _binget

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, _: None) -> None:
        self._name(*self._take(2))

    def _name(self, module: Any, name: Any) -> None:
        try:
            self.stack.append(self.vocabulary.names[module, name])
        except KeyError:
            raise UnpicklingError(f"it names {module!r}, {name!r}") from None

    def _reduce(self, _: None) -> None:
        function, arguments = self._take(2)
        if id(function) not in self.called or not isinstance(arguments, tuple):
            raise UnpicklingError(f"it calls a {type(function).__name__}")
        self.stack.append(function(*arguments))

    def _build(self, _: None) -> None:
        (state,) = self._take(1)
        self.vocabulary.build(self.stack[-1], state)

    def _binpersid(self, _: None) -> None:
        self.stack.append(self.vocabulary.persistent_load(self._take(1)[0]))
