"""What a profiler timed, added up by what a person knows: forward and backward."""

from __future__ import annotations

import bisect
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["BACKWARD", "Span", "Totals", "medians", "totals"]

BACKWARD = "tinygrad_mnist::backward"
"""The name of the span around each call of `backward`."""
_NODE = re.compile(r"(?:autograd::engine::evaluate_function: )?(?:torch::autograd::)?(\w+)$")


class Span(NamedTuple):
    """A stretch of time with a name, in microseconds."""

    name: str
    start: float
    end: float


class Totals(NamedTuple):
    """Times by phase ("forward", "backward", "optimiser") and name."""

    outer: dict[tuple[str, str], float]
    """Of what no other operation called: these add up to all that was timed."""
    all: dict[tuple[str, str], float]
    """Of every operation, those within others too."""


def totals(spans: Iterable[Span]) -> Totals:
    """The times of one thread's spans, nested as they are.

    >>> inner, outer = Span("aten::addmm", 1, 3), Span("aten::linear", 0, 4)
    >>> totals([inner, outer]).outer
    {('forward', 'linear'): 4.0}
    """
    outer: dict[tuple[str, str], float] = defaultdict(float)
    every: dict[tuple[str, str], float] = defaultdict(float)
    open_spans: list[tuple[float, tuple[str, str] | None]] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        while open_spans and open_spans[-1][0] <= span.start:
            open_spans.pop()
        within = [key for _, key in open_spans if key is not None]
        key = _key(span.name, within)
        if key is not None and key not in within:
            every[key] += span.end - span.start
            if not within or within[-1] == _AROUND:
                outer[key] += span.end - span.start
        open_spans.append((span.end, key))
    return Totals(*({k: float(v) for k, v in d.items() if k != _AROUND} for d in (outer, every)))


def medians(spans: Iterable[Span]) -> Totals:
    """Seconds of each operation in a step, the median of steps; each begins with a backward."""
    ordered = sorted(spans, key=lambda span: span.start)
    starts = [span.start for span in ordered if span.name == BACKWARD]
    steps: list[list[Span]] = [[] for _ in starts]
    for span in ordered:
        if starts and span.start >= starts[0]:
            steps[bisect.bisect_right(starts, span.start) - 1].append(span)
    found = [totals(step) for step in steps]
    keys = {key: None for each in found for key in each.all}
    outer, every = (
        {key: 1e-6 * statistics.median(each[which].get(key, 0.0) for each in found) for key in keys}
        for which in (0, 1)
    )
    return Totals({key: value for key, value in outer.items() if value}, every)


_AROUND = ("backward", "")


def _key(name: str, within: list[tuple[str, str]]) -> tuple[str, str] | None:
    """Phase and name of a span; None for one that is a person's own, or a part of a library's."""
    if name == BACKWARD:
        return _AROUND
    if name.startswith("Optimizer."):
        what, _, rest = name.removeprefix("Optimizer.").partition("#")
        return "optimiser", f"{rest.partition('.')[0]}.{what}"
    phase = within[0][0] if within else "forward"
    if name.startswith("aten::"):
        return phase, name.removeprefix("aten::")
    node = _NODE.match(name)
    return ("backward", node[1]) if phase == "backward" and node else None
