"""Loops that threads share: one whose turns are independent becomes a function of its pieces.

Such a loop says so where it begins, with the work of a turn in multiplications: `# shared 24`. The
rows that it keeps for itself become each piece's own.
"""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

from .parts import APART, GIVEN, SHARED, Memory, first_uses, rows_of, statements_of, uses

_MARKED = re.compile(rf" +for \w+ in range\((?P<count>.+)\):{SHARED}(?P<work>\d+)$")


def marked(count: str, work: int) -> str:
    """How a loop begins that goes round so often, each time with that work, and is shared."""
    return f"range({count}):{SHARED}{work}"


@dataclass
class _Loop:
    """A loop that is shared: what it is given, in order, and the rows that are its own."""

    lines: list[str]
    count: str
    work: str
    given: list[str]
    own: list[str]
    apart: bool

    def piece(self, name: str) -> str:
        """The function of a piece's number and how many there are."""
        head, *body = self.lines
        begins = head[: head.index("range(")]
        taken = ", ".join(["piece_", "pieces_", "count_", *self.given])
        return "\n".join([
            f"def {name}({taken}):" + f"  {APART}" * self.apart,
            "    first_, last_ = team.bounds(piece_, pieces_, count_)",
            *self.own,
            f"{begins}range(first_, last_):",
            *body,
        ])  # fmt: skip

    def call(self, name: str) -> list[str]:
        """What stands in the place of the loop."""
        handed = ", ".join([name, "pieces_", "pieces_", f"({self.count})", *self.given])
        return [
            f"    pieces_ = team.pieces(({self.count}) * {self.work}, {self.count})",
            f"    team.share({handed})",
        ]


def with_pieces(text: str) -> tuple[str, dict[str, str]]:
    """The source of a function that shares the loops which say so, and their pieces by name."""
    if SHARED not in text:
        return text, {}
    statements, lines = statements_of(text), text.splitlines()
    pieces: dict[str, str] = {}
    written, memory = [lines[0]], Memory()
    for statement, later in zip(statements, first_uses(statements), strict=True):
        own = lines[statement.lineno - 1 : statement.end_lineno]
        memory.follow(statement)
        found = _MARKED.match(own[0])
        if (
            not isinstance(statement, ast.For)
            or found is None
            or any(later.get(name) is False for name in _assigned(statement))
        ):
            written += own
            continue
        own = memory.by_one_name(statement, own)
        (statement,) = ast.parse(textwrap.dedent("\n".join(own))).body
        assert isinstance(statement, ast.For)
        apart = APART in lines[0] or memory.apart(statement)
        buffers = rows_of(own[0], statement, statements, written)
        written = [line for line in written if line not in buffers]
        loop = _Loop(own, found["count"], found["work"], _given(own, buffers), buffers,
                     apart)  # fmt: skip
        name = f"piece{len(pieces)}"
        pieces[name] = loop.piece(name)
        written += loop.call(name)
    return "\n".join(written), pieces


def _assigned(loop: ast.stmt) -> set[str]:
    return {name for name, assigned in uses(loop) if assigned}


def _given(loop: list[str], buffers: list[str]) -> list[str]:
    """The names that a loop reads before it assigns them, but for how often it goes round."""
    head, *body = (line[4:] for line in loop)
    inside = [line[4:] for line in buffers] + [head[: head.index("range(")] + "range(0):", *body]
    first: dict[str, bool] = {}
    for statement in ast.parse("\n".join(inside)).body:
        for name, assigned in uses(statement):
            first.setdefault(name, assigned)
    return [name for name, assigned in first.items() if not assigned and name not in GIVEN]
