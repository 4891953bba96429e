"""The tables and pictures of the pages, made from files of results: `python -m benchmarks page`.

What stands in a page between `<!-- results: FILE WHAT -->` and `<!-- end of results -->` is made
from the file, and from nothing else; a test holds the pages to it. A FILE that ends with .txt is
what a command wrote, word for word, and stands there as `output`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from . import pictures, results, tables
from .results import Report

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = (DOCS / "speed.md", DOCS / "scripts.md")
_PART = re.compile(
    r"(<!-- results: (?P<file>\S+) (?P<what>\S+) -->\n).*?(<!-- end of results -->)", re.DOTALL
)


def made(page: str) -> str:
    """The page with every part made anew."""

    def part(found: re.Match[str]) -> str:
        path = results.FOLDER / found["file"]
        if found["what"] == "output":
            lines = path.read_text(encoding="utf-8").splitlines()
            inner = "\n".join(["```text", *[line.rstrip() for line in lines], "```"])
        else:
            inner = "\n".join(_inner(results.read(path), found["what"]))
        return f"{found[1]}\n{inner}\n\n{found[4]}"

    return _PART.sub(part, page)


def _inner(report: Report, what: str) -> Iterator[str]:
    if what == "machine":
        yield "\n".join(tables.machine_lines(report))
    elif what == "overview":
        yield tables.overview(report)
    elif what == "growth":
        yield tables.growth(report)
    elif what == "marks":
        yield from ("```text", *tables.marks.told(report), "```")
    elif what == "costs":
        yield tables.cost_table(report)
    elif what == "passes":
        yield tables.pass_table(report)
    elif what == "operation-lines":
        yield from ("```text", *tables.operation_lines(report), "```")
    elif what == "accuracy-lines":
        yield from ("```text", *tables.accuracy_lines(report["accuracy"]), "```")
    elif what == "jobs":
        yield "```text"
        yield "\n\n".join(tables.job_table(name, job) for name, job in report["jobs"].items())
        yield "```"
    elif what in pictures.PICTURES:
        caption = pictures.caption(report, what)
        for theme in pictures.THEMES:
            image = f"images/speed/{what}-{theme}.svg"
            yield f"![{caption}]({image}#only-{theme})"
        yield f"\n*{caption}*"
    else:
        raise ValueError(f"no part of a page is named {what!r}")


def typed(page: str) -> str:
    """What of a page no file made: there no figure of speed may stand."""
    return _PART.sub("", page)


def write() -> list[str]:
    """Make the pages and their pictures anew; the names of what was written."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        wanted: dict[str, set[str]] = {}
        for found in _PART.finditer(text):
            wanted.setdefault(found["file"], set()).add(found["what"])
        for name, whats in wanted.items():
            if drawn := whats & pictures.PICTURES.keys():
                pictures.draw(results.read(results.FOLDER / name), drawn)
        page.write_text(made(text), encoding="utf-8")
    return [*map(str, PAGES), *sorted(str(path) for path in pictures.FOLDER.glob("*"))]
