"""What `why` answers: a cause, told in a paragraph, the chain that leads to it, and the fix."""

from __future__ import annotations

import dataclasses
import linecache
import os
import textwrap
from typing import Any, NamedTuple

WIDTH = 88
"""Columns of the paragraph."""
SHOWN = 12
"""Links of a long chain that are printed; what lies between the first and last is counted."""


class Line(NamedTuple):
    """A line of the user's program."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """The line itself, "" where its source is not at hand."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}, line {self.number}"


def at(line: Line | None, quoted: bool = False) -> str:
    """In which line something is, and what it says; "" where that is not known."""
    if line is None:
        return ""
    return f" in {line} (`{line.text}`)" if quoted else f" in {line}"


class Link(NamedTuple):
    """One step of the chain from a tensor to what became of it."""

    name: str
    """What it is: "mul", "a leaf of shape [3]", "detach"."""
    line: Line | None = None
    record: Any = None
    """The engine's record, None where there is none."""
    is_cause: bool = False

    def told(self, before: Line | None = None) -> str:
        """The link as a line of text; the program's line where it is not the one `before`."""
        where = "" if self.line is None else f"{self.line}:  {self.line.text}"
        if self.line is not None and self.line == before:
            where = "″"
        return f"{'->' if self.is_cause else '  '} {self.name:<26} {where}".rstrip()


@dataclasses.dataclass(frozen=True, eq=False)
class Reason:
    """Why a gradient is as it is. `str()` gives the paragraph, the chain and the fix."""

    cause: str
    """The key of the cause, one word: "detach", "dead_relu"; "nothing" where nothing is wrong."""
    paragraph: str
    fix: str
    chain: tuple[Link, ...] = ()
    """From the tensor to the cause, and on to the loss where it is known."""
    line: Line | None = None
    """The line of the program where the cause is, None where it is not known."""
    elements: tuple[int, int] | None = None
    """How many numbers of how many the cause concerns."""
    learns: bool = False
    """Whether there is a gradient all the same: nothing is wrong, or with a part of it alone."""
    also: tuple[Reason, ...] = ()
    """Other causes, which would be next."""

    def __str__(self) -> str:
        parts = [_filled(self.paragraph)]
        if self.chain:
            lines = [None, *[link.line for link in self.chain]]
            told = [link.told(line) for link, line in zip(self.chain, lines, strict=False)]
            parts.append("\n".join(_cut_short(told)))
        parts.append(_filled(f"Fix: {self.fix}"))
        parts += [_filled(f"Also: {each.paragraph} Fix: {each.fix}") for each in self.also]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return str(self)


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _cut_short(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return lines
    half = SHOWN // 2
    return [*lines[:half], f"   … {len(lines) - SHOWN} more …", *lines[-half:]]
