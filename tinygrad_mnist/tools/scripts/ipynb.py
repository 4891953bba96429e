"""The cells of code in a Jupyter notebook (.ipynb): JSON, of which nothing is run to read it."""

from __future__ import annotations

import json
from typing import Any

from .program import ScriptError

__all__ = ["code_cells"]


def code_cells(text: str, name: str) -> list[str]:
    """The source of every cell of code, in order; `name` is what messages call the notebook.

    Raises:
        ScriptError: the text is no notebook, or one of another language.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"{name} is not a Jupyter notebook: it is not JSON ({error})") from None
    cells = _cells(content)
    if cells is None:
        raise ScriptError(f"{name} is not a Jupyter notebook: it has no list of cells")
    language = _language(content)
    if language not in ("", "python"):
        raise ScriptError(f"{name} is a notebook of {language}, not of Python")
    return [_source(cell) for cell in cells if isinstance(cell, dict) and _is_code(cell)]


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


def _is_code(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type") == "code"


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
