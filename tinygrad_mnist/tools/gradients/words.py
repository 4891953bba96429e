"""Findings in words: lines and rows that the text of a report and its page show alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.parity import text_table

from .findings import Element, Finding, Kink

__all__ = ["HEADS", "cells", "finding_lines", "kink_lines", "shown", "title"]

Array = np.ndarray[Any, Any]
HEADS = ("index", "analytic", "right", "± error", "bound", "ulp", "condition")
_SHOWN = 8


def title(finding: Finding) -> str:
    """A finding in one line."""
    of = "" if finding.input is None else f" of input {finding.input}"
    words = (
        f"{finding.kind}{of}: "
        if finding.kind in ("gradient", "second order", "tangent")
        else (f"{finding.kind}: ")
    )
    return words + finding.sentence


def finding_lines(finding: Finding) -> list[str]:
    """A finding as lines of text."""
    lines = [title(finding)]
    if finding.pattern:
        lines.append(f"  {finding.pattern}")
    if finding.elements:
        rows = [cells(each) for each in finding.elements[:_SHOWN]]
        lines += [f"  {line}" for line in text_table(HEADS, rows).splitlines()]
    if finding.help:
        lines.append(f"  what helps: {finding.help}")
    return lines


def cells(element: Element) -> tuple[str, ...]:
    """An element as a row of the table."""
    return (
        str(element.index), f"{element.analytic:.9g}", f"{element.right:.9g}",
        f"{element.error:.1e}", f"{element.bound:.1e}", f"{element.ulp:.3g}",
        f"{element.condition:.3g}",
    )  # fmt: skip


def kink_lines(kinks: list[Kink]) -> list[str]:
    """The kinks, a line each, the first few."""
    lines = [f"{len(kinks)} at a kink, where slopes to both sides differ; these are no faults:"]
    for each in kinks[:_SHOWN]:
        lines.append(
            f"  input {each.input} {each.index}: {each.left:.6g} to the left, {each.right:.6g} to "
            f"the right, {each.analytic:.6g} by the gradient"
        )
    return lines


def shown(array: Array) -> str:
    """An array as code."""
    return np.array2string(array, separator=", ", threshold=40, max_line_width=90).replace(
        "\n", " "
    ) + f"  # {array.dtype}{list(array.shape)}"  # fmt: skip
