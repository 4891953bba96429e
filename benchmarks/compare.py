"""What became faster or slower between two files of results, beyond their intervals."""

from __future__ import annotations

from collections.abc import Iterator

from tinygrad_mnist.tools.bench.intervals import Interval, ratio

from .contestants.ours import COMPILED
from .results import Report

Key = tuple[str, str]


def ratios(report: Report) -> dict[Key, Interval]:
    """By job and contestant: how many steps of our compiled one fit into one of its."""
    found = {}
    for job, entry in report["jobs"].items():
        rows = {r["contestant"]: r for r in entry["rows"] if r["seconds"] and r["same_loss"]}
        ours = rows.pop(COMPILED.name, None)
        for name, row in rows.items():
            if ours:
                found[job, name] = ratio(ours["seconds"], row["seconds"])
    return found


def told(before: Report, after: Report) -> Iterator[str]:
    """Each ratio that moved beyond both intervals, then how many agree."""
    old, new = ratios(before), ratios(after)
    both = [key for key in old if key in new]
    apart = [key for key in both if not old[key].agrees(new[key])]
    for job, name in apart:
        was, now = old[job, name], new[job, name]
        word = "faster" if now.median > was.median else "slower"
        yield f"{job}: ours beside {name} became {word}: {was} → {now}"
    for key in (*old.keys() - new.keys(), *new.keys() - old.keys()):
        yield f"{key[0]}, {key[1]}: in one file alone"
    if not both:
        raise ValueError("the two files have no job and contestant in common")
    agreeing = len(both) - len(apart)
    share = 100 * agreeing / len(both)
    yield f"{agreeing} of {len(both)} ratios agree within their intervals ({share:.0f} %)"
