"""A program to run: a script, or a notebook's cells of code."""

from __future__ import annotations

import ast
import io
import json
import linecache
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_mnist.engine.wording import cut
from tinygrad_mnist.serialization import files

__all__ = [
    "Cell", "Program", "ScriptError", "code_cells", "parsed", "python_cells", "read",
    "without_magics",
]  # fmt: skip

_MOST_BYTES = 2**27
"""Of a script or notebook."""


class ScriptError(Exception):
    """A script cannot be read; the message names it and says why."""

    def __init__(self, message: str) -> None:
        super().__init__(cut(message, 4_000))


@dataclass(frozen=True)
class Cell:
    """Code that is compiled and run as one; ScriptError where it is not a text."""

    number: int
    """Its place among the cells of code, from 1."""
    source: str
    filename: str
    """What tracebacks call it."""

    def __post_init__(self) -> None:
        if "\0" in self.source:
            raise ScriptError(f"{self.filename}: is not a text (it holds null bytes)")
        if re.search("[\ud800-\udfff]", self.source):
            raise ScriptError(f"{self.filename}: is not a text (it holds half a surrogate pair)")


@dataclass(frozen=True)
class Program:
    """What a file holds to be run, in order; a script is a single cell."""

    path: Path
    cells: tuple[Cell, ...]
    is_notebook: bool

    def cell_of(self, filename: str) -> Cell | None:
        """The cell that tracebacks call so; None when the code is somebody else's."""
        return next((cell for cell in self.cells if cell.filename == filename), None)

    def place(self, filename: str, line: int) -> str:
        """Where a line stands, as a person is told: "cell 3, line 2", or "train.py, line 7"."""
        cell = self.cell_of(filename)
        if cell is None or not self.is_notebook:
            return f"{Path(filename).name}, line {line}"
        return f"cell {cell.number}, line {line}"

    def remember_lines(self) -> None:
        """Lets tracebacks and `inspect` quote cells, which have no file of their own."""
        for cell in self.cells:
            lines = cell.source.splitlines(keepends=True)
            linecache.cache[cell.filename] = (len(cell.source), None, lines, cell.filename)


def notebook(path: Path, sources: list[str]) -> Program:
    """The program of a notebook with these cells of code."""
    cells = tuple(
        Cell(number, source, f"{path.name}, cell {number}")
        for number, source in enumerate(sources, start=1)
    )
    return Program(path, cells, is_notebook=True)


# Jupyter notebooks (.ipynb): JSON, of which nothing is run to read it


def code_cells(text: str, name: str) -> list[str]:
    """The source of every cell of code, in order; `name` is what messages call the notebook.

    Raises:
        ScriptError: the text is no notebook, or one of another language.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScriptError(f"{name} is not a Jupyter notebook: it is not JSON ({error})") from None
    cells = _cells(content)
    if cells is None:
        raise ScriptError(f"{name} is not a Jupyter notebook: it has no list of cells")
    language = _language(content)
    if language not in ("", "python"):
        raise ScriptError(f"{name} is a notebook of {language}, not of Python")
    code = [c for c in cells if isinstance(c, dict) and c.get("cell_type") == "code"]
    return list(map(_source, code))


def _cells(content: Any) -> list[Any] | None:
    """The cells, which the third version of the format kept in worksheets."""
    if not isinstance(content, dict):
        return None
    sheets = content.get("worksheets")
    if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict):
        content = sheets[0]
    cells = content.get("cells")
    return cells if isinstance(cells, list) else None


def _language(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        return ""
    for section, entry in (("language_info", "name"), ("kernelspec", "language")):
        described = metadata.get(section)
        if isinstance(described, dict) and isinstance(described.get(entry), str):
            return str(described[entry]).lower()
    return ""


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


# Markdown: the cells of Python between fences

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


# Lines that are IPython's: `%matplotlib inline`, `!pip install …`, `help?`

_MAGIC = re.compile(r"\s*(?:[%!]|\?|[\w.]+\?{1,2}\s*$)")
_BODY_IS_PYTHON = frozenset(("%%time", "%%timeit", "%%capture", "%%prun", "%%python", "%%python3"))
_MOST_READ, _MOST_TIMES = 1_000_000, 20
"""How often a cell is read again to find such lines, so many letters and so many times in all."""
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
    for _ in range(_MOST_READ // (len(source) + 1) + _MOST_TIMES):
        number = _first_error(lines)
        timed = _TIMED.match(lines[number]) if number < len(lines) else None
        if timed is not None:
            lines[number] = f"{timed['indent']}{timed['code']}\n"
            continue
        if number == len(lines) or not _MAGIC.match(lines[number]):
            break
        while number < len(lines) and _MAGIC.match(line := lines[number]):
            lines[number] = f"{line[: len(line) - len(line.lstrip())]}pass\n"
            skipped.append((number + 1, line.strip()))
            number += 1
    return "".join(lines), skipped


def _first_error(lines: list[str]) -> int:
    """The index of the line at which the text stops being Python; their number if it is."""
    try:
        parsed("".join(lines))
    except SyntaxError as error:
        return min((error.lineno or 1) - 1, len(lines))
    return len(lines)


def parsed(source: str) -> ast.Module:
    """The tree of the code; SyntaxError for whatever Python says of a text that is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from error


# Reading a script or a notebook, whichever a file holds

_MARKDOWN = (".md", ".markdown", ".mdown", ".qmd", ".rmd")


def read(path: Path, as_notebook: bool = False) -> Program:
    """The program in the file at `path`.

    A name that ends in .py is a script, in .ipynb a Jupyter notebook, in .md and its kin a
    Markdown text. Of other files the content tells: a text that is not Python and has cells of
    Python between fences is a notebook. With `as_notebook` a text is one whatever its name.

    Raises:
        ScriptError: there is no such file, or nothing in it that can be run.
    """
    try:
        content = files.read(path, _MOST_BYTES)
    except files.ReadError as error:
        raise ScriptError(str(error).removesuffix(".")) from None
    suffix = path.suffix.lower()
    if suffix == ".py" and not as_notebook:
        return _script(path, content)
    text = _decoded(path, content)
    if suffix == ".ipynb" or (as_notebook and text.lstrip().startswith("{")):
        return notebook(path, code_cells(text, path.name))
    if suffix in _MARKDOWN or as_notebook or _is_markdown(text):
        cells = python_cells(text)
        if not cells:
            raise ScriptError(f"{path}: has no cell of Python (```python … ```) to run")
        return notebook(path, cells)
    return _script(path, content)


def _script(path: Path, content: bytes) -> Program:
    return Program(path, (Cell(1, _decoded(path, content), str(path)),), is_notebook=False)


def _decoded(path: Path, content: bytes) -> str:
    """The text, by the encoding that Python would read it with."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except (ValueError, SyntaxError, LookupError) as error:
        raise ScriptError(f"{path}: is not a text ({error})") from None
    return text.replace("\r\n", "\n")


def _is_markdown(text: str) -> bool:
    try:
        parsed(text)
    except SyntaxError:
        return bool(python_cells(text))
    return False
