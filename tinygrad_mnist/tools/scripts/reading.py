"""Reading a script or a notebook, whichever a file holds."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from pathlib import Path

from .ipynb import code_cells
from .markdown import python_cells
from .program import Cell, Program, ScriptError, notebook

__all__ = ["read"]

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
        content = path.read_bytes()
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read ({error.strerror})") from None
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
    except (UnicodeDecodeError, SyntaxError, LookupError) as error:
        raise ScriptError(f"{path}: is not a text ({error})") from None
    if "\0" in text:
        raise ScriptError(f"{path}: is not a text (it holds null bytes)")
    return text.replace("\r\n", "\n")


def _is_markdown(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError:
        return bool(python_cells(text))
    return False
