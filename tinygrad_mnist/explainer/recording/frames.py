"""Where in a program an operation was called: its lines, loops, modules and functions.

The calls that are running are told apart by their frames, of which the last operation's are held
until the next one: so no frame is taken for another, and what they hold is let go soon.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FrameType
from typing import Any, Literal

import tinygrad_mnist
from tinygrad_mnist.compiler.compiled import Compiled

__all__ = [
    "Kind",
    "Loop",
    "Place",
    "Stack",
    "is_program",
    "loops_around",
    "program_frames",
    "visible",
]

Kind = Literal["program", "module", "function"]
_COMPILED = Compiled.__call__.__code__
_OURS = os.path.dirname(os.path.abspath(tinygrad_mnist.__file__)) + os.sep
_EXAMPLES = os.path.join(_OURS, "explainer", "examples") + os.sep
_PYTHONS = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_PUBLIC = tuple(
    [
        os.path.join(_OURS, room)
        for room in ("nn" + os.sep, "ops" + os.sep, "_tensor" + os.sep, "linalg.py")
    ]
)
_MODULE_CALL = (os.path.join(_OURS, "nn", "modules", "hooks.py"), "_call_impl")
_OPERATION_CALL = (os.path.join(_OURS, "ops", "arguments.py"), "call")


@dataclass(frozen=True)
class Loop:
    """A loop of a program: `for t in range(3)`."""

    line: int
    end: int
    text: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """One of the calls that were running when an operation was called."""

    call: int
    """Tells calls apart: two of one function have two numbers."""
    kind: Kind
    name: str
    file: str
    line: int
    module: Any = None
    """The module that was called, if one was."""
    variable: str | None = None
    """What the program calls it."""
    loops: tuple[tuple[Loop, int, str], ...] = ()
    """The loops around the line, outermost first: which iteration it was, and its name."""


@cache
def is_program(filename: str) -> bool:
    """Whether code of this file is a person's own, and neither the engine's nor a package's."""
    if filename.startswith(_EXAMPLES):
        return True
    if filename.startswith((_OURS, _PYTHONS, "<frozen ", "<string>", "<__array_function__")):
        return False
    return "site-packages" not in filename


def program_frames(end: FrameType | None = None) -> list[FrameType]:
    """The frames of the person's code that are running, innermost first, as far as `end`."""
    return [frame for frame in _frames(1, end) if is_program(frame.f_code.co_filename)]


def _frames(depth: int, end: FrameType | None) -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(depth + 1)
    while frame is not None and frame is not end:
        yield frame
        frame = frame.f_back


@cache
def _kind(code: CodeType) -> Kind | None:
    """What a frame that runs this code stands for, if anything."""
    file, name = code.co_filename, code.co_name
    if is_program(file):
        return "program"
    if (file, name) == _MODULE_CALL:
        return "module"
    if (file, name) == _OPERATION_CALL:
        return "function"
    public = file.startswith(_PUBLIC) and not name.startswith(("_", "<"))
    return "function" if public and "<locals>" not in code.co_qualname else None


@cache
def _loops_of(file: str) -> dict[int, list[Loop]]:
    """The loops of a file, by the first line of the function that they stand in (module: 0)."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[int, list[Loop]] = {}
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, owner = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            decorators = getattr(node, "decorator_list", [])
            owner = min([node.lineno, *[each.lineno for each in decorators]])
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            found.setdefault(owner, []).append(_loop(node))
        waiting += [(child, owner) for child in ast.iter_child_nodes(node)]
    for loops in found.values():
        loops.sort(key=lambda loop: (loop.line, -loop.end))
    return found


def _loop(node: ast.For | ast.AsyncFor | ast.While) -> Loop:
    if isinstance(node, ast.While):
        targets, head = [], f"while {ast.unparse(node.test)}"
    else:
        targets = [each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)]
        head = f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
    end = node.body[-1].end_lineno or node.body[-1].lineno
    return Loop(node.body[0].lineno, end, head, tuple(targets))


@cache
def loops_around(code: CodeType, line: int) -> tuple[Loop, ...]:
    """The loops of this code in whose body a line stands, outermost first."""
    owner = 0 if code.co_name == "<module>" else code.co_firstlineno
    loops = _loops_of(code.co_filename).get(owner, ())
    return tuple([loop for loop in loops if loop.line <= line <= loop.end])


@dataclass
class _Running:
    """A call that is running, as it was at the last operation."""

    frame: FrameType
    number: int
    instruction: int = -1
    inner: FrameType | None = None
    iterations: dict[Loop, int] = field(default_factory=dict)
    targets: dict[Loop, tuple[Any, ...]] = field(default_factory=dict)
    variable: str | None = None


class Stack:
    """Follows the calls of a program from one operation to the next, as far out as `end`."""

    def __init__(self, end: FrameType | None = None) -> None:
        self.end = end
        self._numbers = itertools.count()
        self._running: dict[int, _Running] = {}
        self.innermost: FrameType | None = None
        """The frame of the program's code that runs."""
        self.compiled: tuple[Any, Any] | None = None
        """The compiled function that was running last, uncompiled, and its arguments."""

    def forget(self) -> None:
        """Let the frames go."""
        self._running = {}
        self.innermost = self.end = None

    def places(self, depth: int = 1) -> tuple[Place, ...]:
        """The calls that are running, outermost first."""
        found: list[Place] = []
        kept: dict[int, _Running] = {}
        inner = self.innermost = None
        for frame in _frames(depth, self.end):
            kind = _kind(frame.f_code)
            if kind is None:
                if frame.f_code is _COMPILED:
                    self.compiled = frame.f_locals["self"], frame.f_locals["args"]
                continue
            known = self._running.get(id(frame))
            if known is None or known.frame is not frame:
                known = _Running(frame, next(self._numbers))
                if kind == "module":
                    known.variable = _variable(frame)
            kept[id(frame)] = known
            found.append(self._place(frame, kind, known, inner))
            if kind == "program" and self.innermost is None:
                self.innermost = frame
            inner = frame
        self._running = kept
        return tuple(reversed(found))

    def _place(
        self, frame: FrameType, kind: Kind, known: _Running, inner: FrameType | None
    ) -> Place:
        code = frame.f_code
        file, line, module = code.co_filename, frame.f_lineno, None
        name = code.co_name
        if kind == "module":
            module = frame.f_locals["self"]
            name = type(module).__name__
        elif (file, name) == _OPERATION_CALL:
            name = frame.f_locals["function"].__name__
        loops: tuple[tuple[Loop, int, str], ...] = ()
        if kind == "program" and (around := loops_around(code, line)):
            loops = self._iterations(frame, known, around, inner)
        known.instruction, known.inner = frame.f_lasti, inner
        return Place(known.number, kind, name, file, line, module, known.variable, loops)

    def _iterations(
        self, frame: FrameType, known: _Running, around: tuple[Loop, ...], inner: FrameType | None
    ) -> tuple[tuple[Loop, int, str], ...]:
        """Which iteration of each loop it is: another one where its targets are other objects.

        Where those tell nothing, the innermost loop has gone on when the program has gone back.
        """
        back = frame.f_lasti < known.instruction or (
            frame.f_lasti == known.instruction and (inner is None or inner is not known.inner)
        )
        variables = frame.f_locals
        found, begins = [], False
        for loop in around:
            targets = tuple([variables.get(name) for name in loop.targets])
            before = known.targets.get(loop)
            new = before is None or any(a is not b for a, b in zip(targets, before, strict=True))
            if begins or before is None:
                known.iterations[loop] = 0
                begins = True
            elif new or (back and loop is around[-1]):
                known.iterations[loop] += 1
                begins = True
            known.targets[loop] = targets
            number = known.iterations[loop]
            found.append((loop, number, _named(loop, targets, number)))
        for loop in known.targets.keys() - set(around):
            del known.targets[loop]
        return tuple(found)


def _variable(call: FrameType) -> str | None:
    """What the program's code that called a module calls it."""
    module, frame = call.f_locals["self"], call.f_back
    while frame is not None and not is_program(frame.f_code.co_filename):
        frame = frame.f_back
    variables = {} if frame is None else visible(frame)
    return next((name for name, value in variables.items() if value is module), None)


def visible(frame: FrameType) -> dict[str, Any]:
    """The variables that a frame's code reads or writes, its own before global ones."""
    shared = {name: frame.f_globals[name] for name in frame.f_code.co_names
              if name in frame.f_globals}  # fmt: skip
    return {**shared, **frame.f_locals}


def _named(loop: Loop, targets: tuple[Any, ...], number: int) -> str:
    if len(targets) == 1 and isinstance(targets[0], int | str):
        return f"{loop.targets[0]} = {targets[0]!r}"[:60]
    return f"iteration {number}"
