"""Pickles read as data: nothing that a pickle names is imported, and nothing runs.

A pickle is a program for a small stack machine, which puts together numbers, texts and containers
and calls whatever the program names. The machine here has a vocabulary instead: the opcodes that
a kind of file needs, and what each of its names stands for. Anything else is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pickle import UnpicklingError
from typing import Any

from tinygrad_mnist.engine.wording import shown, weigh

CONTAINERS = frozenset((
    "PROTO", "FRAME", "MARK", "NONE", "NEWFALSE", "NEWTRUE",
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
MOST_NESTED = 10_000
"""How deep containers may be nested; what walks through far deeper ones overflows the stack."""
_PARTS = 10_000_000
"""What a small pickle may have of parts, those that it repeats counted each time."""
_WORK, _WORK_A_BYTE = 300_000, 4
"""Parts that its calls, keys and identifiers may take apart, so many and so many for each byte."""
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray))


def _refuse_identifier(identifier: Any) -> Any:
    raise UnpicklingError("it refers to something outside itself")


def _refuse_object(kind: Any, arguments: Any) -> Any:
    raise UnpicklingError(f"it makes a {type(kind).__name__}")


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
    find: Callable[[str, str], Any] | None = None
    """What stands for a (module, name) that is not in `names`; it is not called."""
    new: Callable[[Any, Any], Any] = _refuse_object
    """`new(kind, arguments)` makes an object of what `find` found."""


def read(content: bytes, vocabulary: Vocabulary) -> Any:
    r"""What the pickle holds.

    Raises:
        UnpicklingError: it says something that is not in the vocabulary, is nested too deep, or
            repeats its parts too often.
        Exception: it is damaged; that may raise anything.

    >>> lists = Vocabulary({}, CONTAINERS, build=print, text=str)
    >>> read(b"]K\x01a.", lists)
    [1]
    """
    machine = _Machine(content, vocabulary)
    machine.run()
    (thing,) = machine.stack
    _check_extent(thing, _PARTS + len(content))
    return thing


def check_key(key: Any) -> int:
    """The parts of a key; raises UnpicklingError where it would take long to hash."""
    weight = 1 if type(key) in _ATOMS else weigh(key, _LARGEST_KEY)
    if weight > _LARGEST_KEY:
        raise UnpicklingError(f"it has a key of more than {_LARGEST_KEY} parts")
    return weight


def _check_extent(thing: Any, most_parts: int) -> None:
    """Raises UnpicklingError for what is nested too deep, or unfolds to too many parts."""
    extents: dict[int, tuple[int, int]] = {}
    """How deep each container is nested, and its parts; a container within itself counts once."""
    waiting: list[tuple[Any, list[Any] | None]] = [(thing, None)]
    while waiting:
        part, held = waiting.pop()
        if held is None:
            if id(part) not in extents:
                extents[id(part)] = 0, 1
                held, weight = _containers_in(part)
                waiting.append((part, held))
                waiting.extend((each, None) for each in held)
                extents[id(part)] = 0, weight
            continue
        inner = [extents[id(each)] for each in held]
        depth = 1 + max((depth for depth, _ in inner), default=0)
        weight = extents[id(part)][1] + sum(weight for _, weight in inner)
        if depth > MOST_NESTED:
            raise UnpicklingError(f"it is nested more than {MOST_NESTED:,} deep")
        if weight > most_parts:
            raise UnpicklingError(f"it repeats its parts: unfolded it has over {most_parts:,}")
        extents[id(part)] = depth, weight


def _containers_in(thing: Any) -> tuple[list[Any], int]:
    """The containers that one holds, in its attributes too, and how many other parts it has."""
    parts = [*thing] if isinstance(thing, tuple | list | dict | set) else []
    if isinstance(thing, dict):
        parts.extend(thing.values())
    if isinstance(attributes := getattr(thing, "__dict__", None), dict):
        parts.extend(attributes.values())
    held = [part for part in parts if type(part) not in _ATOMS]
    return held, 1 + len(parts) - len(held)


class _Machine:
    """The stack machine; each method without a docstring carries out the opcode of its name."""

    def __init__(self, content: bytes, vocabulary: Vocabulary) -> None:
        self.content = BytesIO(content)
        self.size = len(content)
        self.vocabulary = vocabulary
        self.called = {id(thing) for thing in vocabulary.names.values()}
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        """The stacks below the marks."""
        self.memo: dict[int, Any] = {}
        self.steps = 0
        self.work_left = _WORK + _WORK_A_BYTE * self.size

    def run(self) -> None:
        """Carries out one opcode after the other, each with the argument that follows it."""
        limit = self.vocabulary.most_steps or self.size
        actions = {
            code: (opcode.arg and opcode.arg.reader, self._action(opcode.name))
            for code, opcode in _OPCODES.items()
            if opcode.name in self.vocabulary.opcodes
        }
        while (code := self.content.read(1).decode("latin-1")) != ".":
            if code not in actions:
                raise UnpicklingError(f"it uses the opcode {_named(code)}")
            self.steps += 1
            if self.steps > limit:
                raise UnpicklingError(f"it has more than {limit} steps")
            read_argument, action = actions[code]
            action(read_argument and read_argument(self.content))

    def _action(self, name: str) -> Callable[[Any], None]:
        """What carries out the opcode, given its argument."""
        if name in _VALUES:
            return self._push
        if name in _MADE:
            return partial(self._make, _MADE[name])
        if name in _TUPLES:
            return partial(self._short_tuple, _TUPLES[name])
        action: Callable[[Any], None] = getattr(self, f"_{name.lower()}")
        return action

    def _push(self, thing: Any) -> None:
        self.stack.append(thing)

    def _make(self, make: Callable[[], Any], _: None) -> None:
        self.stack.append(make())

    def _short_tuple(self, count: int, _: None) -> None:
        self.stack.append(tuple(self._take(count)))

    def _charge(self, weight: int) -> None:
        """Bounds the work that a small pickle can make by naming what is large again and again."""
        self.work_left -= weight
        if self.work_left < 0:
            raise UnpicklingError("it takes the same parts apart again and again")

    def _proto(self, _: int) -> None:
        """The opcodes tell for themselves."""

    def _frame(self, size: int) -> None:
        if size > self.size - self.content.tell():
            raise UnpicklingError("it announces more than it holds")

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
            self._charge(check_key(key))
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
        known = (
            type(module) is str and type(name) is str and (module, name) in self.vocabulary.names
        )
        if known:
            self.stack.append(self.vocabulary.names[module, name])
        elif self.vocabulary.find is not None and type(module) is type(name) is str:
            self.stack.append(self.vocabulary.find(module, name))
        else:
            raise UnpicklingError(f"it names {shown(module)}, {shown(name)}")

    def _newobj(self, _: None) -> None:
        kind, arguments = self._take(2)
        self._charge(weigh(arguments, self.work_left))
        self.stack.append(self.vocabulary.new(kind, arguments))

    def _reduce(self, _: None) -> None:
        function, arguments = self._take(2)
        if id(function) not in self.called or not isinstance(arguments, tuple):
            raise UnpicklingError(f"it calls a {type(function).__name__}")
        self._charge(weigh(arguments, self.work_left))
        self.stack.append(function(*arguments))

    def _build(self, _: None) -> None:
        (state,) = self._take(1)
        self._charge(weigh(state, self.work_left))
        self.vocabulary.build(self.stack[-1], state)

    def _binpersid(self, _: None) -> None:
        (identifier,) = self._take(1)
        self._charge(weigh(identifier, self.work_left))
        self.stack.append(self.vocabulary.persistent_load(identifier))


def _named(code: str) -> str:
    """What an opcode is called."""
    if not code:
        raise ValueError("pickle exhausted before seeing STOP")
    return _OPCODES[code].name if code in _OPCODES else repr(code)
