"""The text of the programs whose lines made the operations."""

from __future__ import annotations

import linecache
import os
from collections.abc import Sequence

from tinygrad_mnist.explainer import passes

from .frames import Place

__all__ = ["Sources"]

_WHOLE = 60_000
"""Characters of a text that is kept whole; of a longer one, lines far from those used are empty."""
_NEAR = 40


class Sources:
    """Collects the files that lines are named of."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._lines: dict[str, set[int]] = {}

    def place(self, places: Sequence[Place]) -> passes.Place | None:
        """The innermost line of the program's own."""
        for place in reversed(places):
            if place.kind == "program" and linecache.getlines(place.file):
                number = self._numbers.setdefault(place.file, len(self._numbers))
                self._lines.setdefault(place.file, set()).add(place.line)
                return passes.Place(number, place.line)
        return None

    def built(self) -> list[passes.Source]:
        """The texts, in the order of their numbers."""
        return [passes.Source(_title(file), self._text(file)) for file in self._numbers]

    def _text(self, file: str) -> str:
        lines = [line.rstrip("\r\n") for line in linecache.getlines(file)]
        if sum(map(len, lines)) > _WHOLE:
            used = self._lines[file]
            near = {n for line in used for n in range(line - _NEAR, line + _NEAR + 1)}
            lines = [line if n in near else "" for n, line in enumerate(lines, start=1)]
        return "\n".join(lines)


def _title(file: str) -> str:
    return file if file.startswith("<") else os.path.basename(file)
