"""The report as one self-contained page: readable in light and dark, on a phone and a desk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Protocol

import numpy as np

from .findings import Finding, Kink
from .words import HEADS, cells, shown, title

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --paper: #fbfbf9; --line: #d9d9d2;
  --soft: #f0f0ea; --bad: #a8261c; --good: #1e6b3a; --dim: #5d6470; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e1; --paper: #16181c; --line: #383c44;
  --soft: #20242a; --bad: #ff8a7d; --good: #7fd69c; --dim: #a2a8b3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .5rem; }
h1 code { font-size: inherit; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { font-weight: 600; } .bad { color: var(--bad); } .good { color: var(--good); }
.pattern { border-left: .25rem solid var(--bad); background: var(--soft); padding: .5rem .75rem;
  overflow-wrap: anywhere; }
.help, .note { color: var(--dim); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: var(--dim); }
code, pre, td { font-family: ui-monospace, monospace; font-size: .88rem; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 1rem 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
"""
_EXPLAINED = (
    "<b>analytic</b> is what the function’s own backward gives, <b>right</b> what differences of "
    "its values give, with the <b>error</b> of that. <b>bound</b> is how far apart the two may be, "
    "<b>ulp</b> how far they are in units in the last place, <b>condition</b> how many of those "
    "the gradient moves by when the inputs are moved by one."
)


class Told(Protocol):
    """What a page needs of a report; see `GradientReport`."""

    function: str
    framework: str
    arrays: list[np.ndarray[Any, Any]]
    seed: int
    findings: list[Finding]
    kinks: list[Kink]
    notes: list[str]
    checked: int
    undecided: int
    smallest: list[np.ndarray[Any, Any]] | None
    script: str

    @property
    def ok(self) -> bool: ...
    @property
    def pattern(self) -> str | None: ...
    @property
    def undecided_words(self) -> str: ...
    @property
    def script_words(self) -> str: ...


def page(report: Told) -> str:
    """The page."""
    verdict = "good" if report.ok else "bad"
    words = "right" if report.ok else (report.pattern or "wrong")
    parts = [
        f"<h1>Gradients of <code>{escape(report.function)}</code></h1>",
        f'<p class="verdict {verdict}">{escape(words)}</p>',
        _facts(report),
        *[_finding(each) for each in report.findings],
        *([_kinks(report.kinks)] if report.kinks else []),
        *_notes(report),
        *_replay(report),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Gradients of {escape(report.function)}: {escape(words)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _facts(report: Told) -> str:
    inputs = ", ".join(f"{each.dtype}{list(each.shape)}" for each in report.arrays)
    facts = {
        "framework": report.framework, "inputs": inputs, "elements compared": str(report.checked),
        "seed": str(report.seed),
    }  # fmt: skip
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f"<dl>{rows}</dl>"


def _finding(finding: Finding) -> str:
    parts = [f"<h2>{escape(title(finding))}</h2>"]
    if finding.pattern:
        name, _, rest = finding.pattern.partition(":")
        parts.append(f'<p class="pattern"><b>{escape(name)}</b>:{escape(rest)}</p>')
    if finding.elements:
        parts.append(_table(HEADS, [cells(each) for each in finding.elements]))
        parts.append(f'<p class="note">{_EXPLAINED}</p>')
    if finding.help:
        parts.append(f'<p class="help">What helps: {escape(finding.help)}</p>')
    return "\n".join(parts)


def _kinks(kinks: Sequence[Kink]) -> str:
    heads = ("input", "index", "slope to the left", "to the right", "gradient")
    rows = [
        (str(k.input), str(k.index), f"{k.left:.6g}", f"{k.right:.6g}", f"{k.analytic:.6g}")
        for k in kinks[:50]
    ]
    words = "Kinks: the slopes to both sides differ, so no derivative is wrong there"
    return f"<h2>{words}</h2>\n{_table(heads, rows)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    rows_of_it = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table>{rows_of_it}</table></div>'


def _notes(report: Told) -> list[str]:
    notes = [*report.notes, *([report.undecided_words] if report.undecided else [])]
    return [f'<p class="note">Note: {escape(each)}</p>' for each in notes]


def _replay(report: Told) -> list[str]:
    parts = []
    if report.smallest is not None:
        lines = "\n".join(shown(each) for each in report.smallest)
        parts.append(f"<h2>The smallest inputs that fail alike</h2>\n<pre>{escape(lines)}</pre>")
    if report.script:
        words = report.script_words
        parts.append(f"<h2>{words.capitalize()}</h2>\n<pre>{escape(report.script)}</pre>")
    return parts
