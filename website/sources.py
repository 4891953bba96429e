"""Pages that show files of the repository."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import pages

HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"


def shown(paths: Iterable[Path]) -> dict[str, str]:
    """The pages of these files, and of these folders with the Python files in them."""
    found = {}
    for path in sorted(paths):
        if path.is_dir():
            files = sorted(path.glob("*.py"))
            found[pages.uri(path)] = _folder(path, files)
            found |= {pages.uri(file): _file(file) for file in files}
        else:
            found[pages.uri(path)] = _file(path)
    return found


def _folder(folder: Path, files: list[Path]) -> str:
    rows = "\n".join(f"- [{file.name}]({file.stem}.md)" for file in files)
    return f"{HIDDEN}# {folder.relative_to(pages.ROOT)}/\n\n{rows}\n"


def _file(file: Path) -> str:
    text = file.read_text(encoding="utf-8").rstrip("\n")
    name = file.relative_to(pages.ROOT)
    return f"{HIDDEN}# {name}\n\n````python\n{text}\n````\n"
