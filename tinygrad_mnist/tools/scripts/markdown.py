"""The cells of Python in a Markdown text: what stands between fences."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["python_cells"]

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)\n?")
_PYTHON = frozenset(("python", "python3", "py", "py3", "ipython", "ipython3"))


def python_cells(text: str) -> list[str]:
    r"""The code of every cell whose fence names Python, in order.

    Fences are of backticks or tildes and may be indented; the language may be written `python`,
    `py`, `{.python}`, `{python}` or `{code-cell} python`, with more words behind it.

    >>> python_cells("~~~py\nx = 1\n~~~\n")
    ['x = 1\n']
    """
    return [code for info, code in _fenced(text) if _names_python(info)]


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    """Each fenced block: the words behind its opening fence, and its text."""
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        opening = _FENCE.fullmatch(line)
        if opening is None or ("`" in opening["fence"] and "`" in opening["info"]):
            continue
        block = []
        for inner in lines:
            closing = _FENCE.fullmatch(inner)
            if closing and closing["fence"].startswith(opening["fence"]) and not closing["info"]:
                break
            block.append(inner.removeprefix(opening["indent"]))
        yield opening["info"], "".join(block)


def _names_python(info: str) -> bool:
    words = re.findall(r"[\w-]+", info.lower())
    if words[:1] == ["code-cell"]:
        words = words[1:] or ["python"]
    return bool(words) and words[0] in _PYTHON
