"""The pages written by hand, as the site has them: links and the headers of code blocks rewritten.

A page links to files as they lie in the repository. On the site a Korean page is a twin with the
suffix `.ko`, and a file that is no page has a page that shows it, below `source/`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
KOREAN = DOCS / "ko"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = [*sorted(DOCS.rglob("*.md")), CONTRIBUTING]

LINK = re.compile(r"(?<=\]\()(?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
OTHER_LANGUAGE = re.compile(r"^\[(?:English|한국어)\]\([^)]*\)\n\n", re.MULTILINE)
FILE = re.compile(r"^```python (?P<name>\S+\.py)$", re.MULTILINE)
OURS = re.compile(r"^```python tinygrad_mnist$", re.MULTILINE)


def uri(path: Path) -> str:
    """Where the site has a file of the repository."""
    if path == CONTRIBUTING:
        return "contributing.md"
    if path == ROOT / "README.md":
        return "index.md"
    if path.is_relative_to(KOREAN):
        return path.relative_to(KOREAN).with_suffix(".ko.md").as_posix()
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    shown = path.relative_to(ROOT).with_suffix("").as_posix()
    return f"source/{shown}/index.md" if path.is_dir() else f"source/{shown}.md"


def linked(page: Path, target: str) -> Path:
    """The file that a page means; FileNotFoundError where there is none."""
    return (page.parent / target).resolve(strict=True)


def staged(page: Path) -> str:
    """The text of a page as the site has it."""
    here = os.path.dirname(uri(page))

    def link(match: re.Match[str]) -> str:
        target = os.path.relpath(uri(linked(page, match["target"])), here)
        return target + (match["anchor"] or "")

    text = OTHER_LANGUAGE.sub("", page.read_text(encoding="utf-8"))
    text = FILE.sub(r'```python title="\g<name>"', text)
    text = OURS.sub('```python title="tinygrad_mnist"', text)
    return LINK.sub(link, text)


def outside() -> set[Path]:
    """The files and folders that pages link to and that are no pages."""
    found = {
        linked(page, match["target"])
        for page in PAGES
        for match in LINK.finditer(page.read_text(encoding="utf-8"))
    }
    return {path for path in found if not path.is_relative_to(DOCS) and path.suffix != ".md"}
