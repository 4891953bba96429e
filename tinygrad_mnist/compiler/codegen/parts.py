"""A large source in parts: its loops as functions of their own (outlining), alike loops as one.

A compiler takes longer than in proportion for a long function, and the layers of a model are
the same loops over other arrays. So each loop becomes a function of what it reads and writes, its
names those of no array in particular; how often the outermost loop goes round is handed over too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_UNROLLED = 32
"""Loops that go round so often, or less, keep their number: LLVM may write them out."""
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_COUNT = re.compile(r"range\((\d+)\):$")
GIVEN = {
    "abs", "batch_last", "images", "math", "max", "min", "np", "products", "range", "recurrent",
    "scalars",
}  # fmt: skip
"""What a source names without having been given it."""


@dataclass
class Parts:
    """A source whose loops are functions: theirs by name, and what calls them."""

    step: str
    functions: dict[str, str] = field(default_factory=dict)
    calls: int = 0


def in_parts(text: str) -> Parts:
    """The source of `step` with each loop as a call."""
    statements, lines = _body(text), text.splitlines()
    out = Parts(lines[0])
    written, names = [lines[0]], dict[str, str]()
    for statement, later in zip(statements, _first_uses(statements), strict=True):
        own = lines[statement.lineno - 1 : statement.end_lineno]
        if isinstance(statement, ast.For):
            function, call, results = _as_function(statement, own, later)
            name = names.setdefault(function, f"loop{len(names)}")
            own = [f"    {', '.join(results)}{' = ' * bool(results)}{name}{call}"]
            if _leaves(statement):
                own = [f"    if not {name}{call}:", "        return 0"]
            out.calls += 1
        written += own
    out.step = "\n".join(written)
    out.functions = {name: f"def loop{function}" for function, name in names.items()}
    return out


def _body(text: str) -> list[ast.stmt]:
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function.body


def _leaves(statement: ast.stmt) -> bool:
    """Whether a loop ends the whole function, where it finds a number that must not be there."""
    return any(isinstance(part, ast.Return) for part in ast.walk(statement))


def _uses(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The names in a piece of source in the order of its run: each, and whether it is assigned."""
    if isinstance(node, ast.Name):
        yield node.id, isinstance(node.ctx, ast.Store)
        return
    parts: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Assign):
        parts = [node.value, *node.targets]
    elif isinstance(node, ast.AugAssign):
        parts = [node.value, node.target]
        if isinstance(node.target, ast.Name):
            yield node.target.id, False
    elif isinstance(node, ast.For):
        parts = [node.iter, node.target, *node.body]
    for part in parts:
        yield from _uses(part)


def _first_uses(statements: list[ast.stmt]) -> list[dict[str, bool]]:
    """For each statement, the names after it, and whether each is first assigned there."""
    later: dict[str, bool] = {}
    found = []
    for statement in reversed(statements):
        found.append(later)
        own: dict[str, bool] = {}
        for name, assigned in _uses(statement):
            own.setdefault(name, assigned)
        later = later | own
    return found[::-1]


def _as_function(
    loop: ast.For, lines: list[str], later: dict[str, bool]
) -> tuple[str, str, list[str]]:
    """The function that a loop becomes but for its name, what it is called with, its results."""
    first: dict[str, bool] = {}
    own: dict[str, None] = {}
    for name, assigned in _uses(loop):
        first.setdefault(name, assigned)
        if assigned:
            own[name] = None
    given = [name for name, assigned in first.items() if not assigned and name not in GIVEN]
    results = [name for name in own if later.get(name) is False]
    assert not (results and _leaves(loop))
    renamed = {name: f"a{n}" for n, name in enumerate(dict.fromkeys([*given, *own]))}
    counted = _COUNT.search(lines[0])
    count = [counted[1]] if counted is not None and int(counted[1]) > _UNROLLED else []
    if count:
        lines = [_COUNT.sub("range(count):", lines[0]), *lines[1:]]
    body = _NAME.sub(lambda name: renamed.get(name[0], name[0]), "\n".join(lines))
    parameters = ", ".join([*[renamed[name] for name in given], *["count"] * len(count)])
    last = ["1"] if _leaves(loop) else [renamed[name] for name in results]
    leaving = f"\n    return {', '.join(last)}" if last else ""
    return f"({parameters}):\n{body}{leaving}", f"({', '.join([*given, *count])})", results
