"""The tables and pictures of a page, made from files of results: `python -m benchmarks page`.

What stands in the page between `<!-- results: FILE WHAT -->` and `<!-- end of results -->` is made
from the file, and from nothing else; a test holds the page to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from . import pictures, results, tables
from .results import Report

PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
_PART = re.compile(
    r"(<!-- results: (?P<file>\S+) (?P<what>\S+) -->\n).*?(<!-- end of results -->)", re.DOTALL
)


def made(page: str) -> str:
    """The page with every part made anew."""

    def part(found: re.Match[str]) -> str:
        report = results.read(results.FOLDER / found["file"])
        inner = "\n".join(_inner(report, found["what"]))
        return f"{found[1]}\n{inner}\n\n{found[4]}"

    return _PART.sub(part, page)


def _inner(report: Report, what: str) -> Iterator[str]:
    if what == "machine":
        yield "\n".join(tables.machine_lines(report))
    elif what == "overview":
        yield tables.overview(report)
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


def write() -> list[str]:
    """Make the page and its pictures anew; the names of what was written."""
    text = PAGE.read_text(encoding="utf-8")
    for name in dict.fromkeys(found["file"] for found in _PART.finditer(text)):
        wanted = {f["what"] for f in _PART.finditer(text) if f["file"] == name}
        pictures.draw(results.read(results.FOLDER / name), wanted & pictures.PICTURES.keys())
    PAGE.write_text(made(text), encoding="utf-8")
    return [str(PAGE), *sorted(str(path) for path in pictures.FOLDER.glob("*"))]
