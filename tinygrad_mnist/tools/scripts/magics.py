"""Lines that are IPython's and not Python's: `%matplotlib inline`, `!pip install …`, `help?`."""

from __future__ import annotations

import ast
import re
import warnings

__all__ = ["without_magics"]

_MAGIC = re.compile(r"\s*(?:[%!]|\?|[\w.]+\?{1,2}\s*$)")
_BODY_IS_PYTHON = frozenset(("%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%python3"))
_TIMED = re.compile(r"(?P<indent>\s*)%time\s+(?P<code>\S.*)")


def without_magics(source: str) -> tuple[str, list[tuple[int, str]]]:
    r"""The cell's Python, and what was left out of it: the numbers of lines and what they say.

    Lines keep their numbers. A cell that is somebody else's as a whole (`%%bash`) is empty. What
    `%time` measures is run.

    >>> without_magics("%matplotlib inline\nx = 1\n")
    ('pass\nx = 1\n', [(1, '%matplotlib inline')])
    """
    lines = source.splitlines(keepends=True)
    skipped: list[tuple[int, str]] = []
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[first].startswith("%%"):
        name = lines[first].split()[0]
        skipped.append((first + 1, name))
        if name not in _BODY_IS_PYTHON:
            return "", skipped
        lines[first] = "\n"
    while (number := _first_magic(lines)) is not None:
        line = lines[number]
        timed = _TIMED.match(line)
        if timed is not None:
            lines[number] = f"{timed['indent']}{timed['code']}\n"
            continue
        lines[number] = f"{line[: len(line) - len(line.lstrip())]}pass\n"
        skipped.append((number + 1, line.strip()))
    return "".join(lines), skipped


def _first_magic(lines: list[str]) -> int | None:
    """The index of the line at which the text stops being Python, if that line is IPython's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse("".join(lines))
    except SyntaxError as error:
        index = (error.lineno or 1) - 1
        return index if index < len(lines) and _MAGIC.match(lines[index]) else None
    return None
