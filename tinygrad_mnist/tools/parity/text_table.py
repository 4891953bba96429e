"""Tables as plain text, and in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table", "text_table"]


def text_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows under their heads, in columns as wide as they need to be.

    >>> print(text_table(("what", "ulp"), [("value", "12"), ("gradient of input 0", "3")]))
    what                 ulp
    value                12
    gradient of input 0  3
    """
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in padded)


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same as a markdown table.

    >>> print(markdown_table(("operation", "ulp"), [("exp", "1")]))
    | operation | ulp |
    |---|---|
    | exp | 1 |
    """
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    drawn = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "---|" * len(heads), *drawn[1:]])
