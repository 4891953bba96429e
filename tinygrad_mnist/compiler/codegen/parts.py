"""A large source in parts: its loops as functions of their own (outlining), alike loops as one.

A compiler takes longer than in proportion for a long function, and the layers of a model are
the same loops over other arrays. So each loop becomes a function of what it reads and writes, its
names those of no array in particular; how often the outermost loop goes round is handed over too.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

_UNROLLED = 32
"""Loops that go round so often, or less, keep their number: LLVM may write them out."""
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_ROW = re.compile(r" +\w+_row = np\.empty\(")
_MADE_AND_USED = 2
SHARED = "  # shared "
"""What the first line of a loop says whose turns are independent, and the work of one."""
_COUNT = re.compile(rf"range\((\d+)\):(?=$|{SHARED})")
APART = "# no array that is written overlaps another"
"""What the first line of a loop's function says where it is so."""
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
    text = _numbers_at_once(text)
    statements, lines = statements_of(text), text.splitlines()
    out = Parts(lines[0])
    written, names = [lines[0]], dict[str, str]()
    memory = Memory()
    for statement, later in zip(statements, first_uses(statements), strict=True):
        if _is_idle(statement, later):
            continue
        own = lines[statement.lineno - 1 : statement.end_lineno]
        memory.follow(statement)
        if isinstance(statement, ast.For):
            own = memory.by_one_name(statement, own)
            (statement,) = ast.parse(textwrap.dedent("\n".join(own))).body
            assert isinstance(statement, ast.For)
            rows = rows_of(own[0], statement, statements, written)
            written = [line for line in written if line not in rows]
            function, call, results = _as_function(statement, own, rows, later)
            if memory.apart(statement):
                function = function.replace(":\n", f":  {APART}\n", 1)
            name = names.setdefault(function, f"loop{len(names)}")
            own = [f"    {', '.join(results)}{' = ' * bool(results)}{name}{call}"]
            if _leaves(statement):
                own = [f"    if not {name}{call}:", "        return 0"]
            out.calls += 1
        written += own
    out.step = "\n".join(written)
    out.functions = {name: f"def loop{function}" for function, name in names.items()}
    return out


_OF_TYPE = re.compile(r"    (\w+) = (np\.float\d+)\(numbers\[(\d+)\]\)")


def _numbers_at_once(text: str) -> str:
    """The source reading all numbers of one type, which stand one after the other, at once."""
    found = [_OF_TYPE.match(line) for line in text.splitlines()]
    lines = [line for line, match in zip(text.splitlines(), found, strict=True) if match is None]
    first = next((n for n, match in enumerate(found) if match), 0)
    for kind, group in itertools.groupby([m for m in found if m], lambda match: match[2]):
        read = [(match[1], match[3]) for match in group]
        names, places = (", ".join(each) for each in zip(*read, strict=True))
        many = f"    {names}, = numbers[[{places}]].astype({kind})"
        lines.insert(first, many)
        first += 1
    return "\n".join(lines)


def _is_idle(statement: ast.stmt, later: dict[str, bool]) -> bool:
    """Whether a statement makes a view that nothing after it reads: products do without."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            views = ast.unparse(value).startswith("np.transpose(") or bool(_reshaped(value)[1])
            return views and later.get(name, True)
    return False


class Memory:
    """Which memory each name of a source stands for, as far as one statement after another tells.

    What was given from outside may overlap; what the source allocates does not.
    """

    def __init__(self) -> None:
        self._of: dict[str, frozenset[str]] = {}
        self._count = 0
        self._shown: dict[str, tuple[str, str]] = {}
        """What a name shows whole: an array, and in which shape."""

    def _behind(self, node: ast.AST) -> frozenset[str]:
        names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
        found = [self._of.get(name, frozenset({""})) for name in names if name not in GIVEN]
        return frozenset().union(*found)

    def follow(self, statement: ast.stmt) -> None:
        """Note what a statement assigns to names."""
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            return
        name, value = statement.targets[0].id, statement.value
        if ast.unparse(value).startswith("np.empty("):
            self._count += 1
            behind = frozenset({str(self._count)})
        else:
            behind = self._behind(value)
        self._of[name] = behind
        given, shape = _reshaped(value)
        whole, known = self._shown.get(given, (given, ""))
        self._shown = {each: shown for each, shown in self._shown.items() if shown[0] != name}
        self._shown[name] = (whole, shape or known) if given else (name, "")

    def by_one_name(self, loop: ast.For, lines: list[str]) -> list[str]:
        """The lines of a loop, with one name for each array: of two LLVM knows not what they are.

        So it is where a loop writes in the place of what it reads.
        """
        first: dict[tuple[str, str], str] = {}
        names: dict[str, str] = {}
        for name in _arrays(loop):
            names[name] = first.setdefault(self._shown.get(name, (name, "")), name)
        return [_NAME.sub(lambda found: names.get(found[0], found[0]), line) for line in lines]

    def apart(self, loop: ast.For) -> bool:
        """Whether what a loop writes is no part of another array that it names."""
        arrays = {name: self._of.get(name, frozenset({""})) for name in _arrays(loop)}
        changed = [name for name, written in _arrays(loop).items() if written]
        others = ((name, other) for name in changed for other in arrays if other != name)
        simple = not any(_hides_arrays(each) for each in ast.walk(loop))
        return bool(changed) and simple and all(arrays[a].isdisjoint(arrays[b]) for a, b in others)


def _arrays(loop: ast.For) -> dict[str, bool]:
    """The arrays of which a loop names numbers, and whether it writes them."""
    found: dict[str, bool] = {}
    for each in ast.walk(loop):
        if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name):
            name = each.value.id
            found[name] = found.get(name, False) or isinstance(each.ctx, ast.Store)
    return found


def _reshaped(value: ast.expr) -> tuple[str, str]:
    """The name of an array of which a value is all in rows, and its shape if that is another."""
    match value:
        case ast.Name(id=name):
            return name, ""
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="reshape"), args=[shape]):
            return name, ast.unparse(shape)
    return "", ""


def _hides_arrays(node: ast.AST) -> bool:
    """Whether something reaches numbers by another way than by an array and an index."""
    value = node.value if isinstance(node, ast.Attribute) else None
    called = isinstance(value, ast.Name) and value.id in ("products", "images")
    return called or isinstance(node, ast.Slice)


def statements_of(text: str) -> list[ast.stmt]:
    """What the function of a source does, one after the other."""
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function.body


def _leaves(statement: ast.stmt) -> bool:
    """Whether a loop ends the whole function, where it finds a number that must not be there."""
    return any(isinstance(part, ast.Return) for part in ast.walk(statement))


def uses(node: ast.AST) -> Iterator[tuple[str, bool]]:
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
        yield from uses(part)


def first_uses(statements: list[ast.stmt]) -> list[dict[str, bool]]:
    """For each statement, the names after it, and whether each is first assigned there."""
    later: dict[str, bool] = {}
    found = []
    for statement in reversed(statements):
        found.append(later)
        own: dict[str, bool] = {}
        for name, assigned in uses(statement):
            own.setdefault(name, assigned)
        later = later | own
    return found[::-1]


def rows_of(head: str, loop: ast.stmt, statements: list[ast.stmt], written: list[str]) -> list[str]:
    """The lines that make the rows which a loop to be shared keeps for itself."""
    found = [line for line in written if SHARED in head and _ROW.match(line)]
    named = [{name for name, _ in uses(statement)} for statement in statements]
    mine = {name for name, _ in uses(loop)}
    rows = {line: line.split()[0] for line in found}
    return [
        line for line, row in rows.items()
        if row in mine and sum(row in each for each in named) == _MADE_AND_USED
    ]  # fmt: skip


def _as_function(
    loop: ast.For, lines: list[str], rows: list[str], later: dict[str, bool]
) -> tuple[str, str, list[str]]:
    """The function that a loop becomes but for its name, what it is called with, its results."""
    first: dict[str, bool] = {}
    own: dict[str, None] = {}
    made = ast.parse(textwrap.dedent("\n".join(rows))).body
    for name, assigned in itertools.chain(*map(uses, [*made, loop])):
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
    body = _NAME.sub(lambda name: renamed.get(name[0], name[0]), "\n".join([*rows, *lines]))
    parameters = ", ".join([*[renamed[name] for name in given], *["count"] * len(count)])
    last = ["1"] if _leaves(loop) else [renamed[name] for name in results]
    leaving = f"\n    return {', '.join(last)}" if last else ""
    return f"({parameters}):\n{body}{leaving}", f"({', '.join([*given, *count])})", results
