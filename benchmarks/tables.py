"""Results as tables of text: for the terminal, and for the pages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tinygrad_mnist.tools.bench.intervals import interval, ratio

from . import marks
from .contestants.ours import COMPILED
from .jobs import MODELS
from .results import SIZES, Report

_SLOWEST = 8
"""Operations that are named."""
_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"))


def job_table(name: str, job: dict[str, Any]) -> str:
    """A job's rows: medians, and how many of our compiled steps fit into one, with intervals."""
    floor = "" if job["floor"] is None else f"; floor {job['floor'] * 1e6:.1f} µs"
    lines = [
        f"{name}: batch {job['batch']}, {job['steps']} steps an epoch, loss {job['loss']:.5f}"
        + floor,
        f"{'':32}{'µs a step':>11}{'images/s':>11}{'ratio':>8}  {'95 %':13}{'CPU':>8}{'MiB':>7}",
    ]
    favourite = next((r for r in job["rows"] if r["contestant"] == COMPILED.name), None)
    for row in job["rows"]:
        lines.append(_line(row, favourite, job["batch"]))
    return "\n".join(lines)


def _line(row: dict[str, Any], favourite: dict[str, Any] | None, batch: int) -> str:
    name = f"{row['contestant']:32}"
    if row["missing"]:
        return f"{name}  does not run: {row['missing']}"
    if not row["same_loss"]:
        return f"{name}  WRONG LOSS {row['loss']}: its times do not count"
    time = interval(row["seconds"])
    text = f"{name}{time.median * 1e6:11.1f}{batch / time.median:11,.0f}"
    if favourite and favourite["seconds"]:
        beside = ratio(favourite["seconds"], row["seconds"])
        cpu = ratio(favourite["cpu_seconds"], row["cpu_seconds"]).median
        span = f"[{beside.low:.2f}, {beside.high:.2f}]"
        text += f"{beside.median:8.2f}  {span:13}{cpu:8.2f}"
    return text if row["memory"] is None else f"{text}{row['memory']:7.0f}"


def overview(report: Report) -> str:
    """How many of our compiled steps fit into one of everybody's, batch by batch, as Markdown.

    Whoever has no figure stands below the table, with the reason.
    """
    return _table(report, [name for name in _in_order(report) if _BY_BATCH.fullmatch(name)])


def growth(report: Report) -> str:
    """The same for other widths, depths and numbers of steps in an epoch."""
    return _table(report, [name for name in _in_order(report) if not _BY_BATCH.fullmatch(name)])


_BY_BATCH = re.compile(r"[a-z]+-\d+")


def _in_order(report: Report) -> list[str]:
    entries = report["jobs"]
    return sorted(entries, key=lambda n: (MODELS.index(entries[n]["model"]), entries[n]["batch"]))


def _table(report: Report, jobs: Sequence[str]) -> str:
    rows = [row for job in jobs for row in report["jobs"][job]["rows"]]
    absent = {row["contestant"]: row["missing"] for row in rows if row["missing"]}
    lines = [f"| | {' | '.join(jobs)} |", f"|---|{'---:|' * len(jobs)}"]
    below = [""]
    for name in dict.fromkeys(row["contestant"] for row in rows):
        cells = [_cell(report["jobs"][job], name) for job in jobs]
        if set(cells) == {"–"} and name in absent:
            below.append(f"{name}: {absent[name]}.  ")
        else:
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, *(below if len(below) > 1 else [])])


def _cell(job: dict[str, Any], name: str) -> str:
    rows = {row["contestant"]: row for row in job["rows"]}
    row, favourite = rows.get(name), rows.get(COMPILED.name)
    if row is None or not row["seconds"] or not row["same_loss"] or not favourite:
        return "–"
    if name == COMPILED.name:
        return f"{interval(row['seconds']).median * 1e6:,.0f} µs"
    return f"{ratio(favourite['seconds'], row['seconds']).median:.2f}"


def machine_lines(report: Report) -> Iterator[str]:
    """Where and when it was measured, and with what."""
    machine = report["machine"]
    threads = f"{report['threads']} thread{'s' * (report['threads'] > 1)}"
    counts = {len(r["seconds"]) for job in report["jobs"].values() for r in job["rows"]} - {0}
    rounds = sorted(counts or {report["rounds"]})
    told = " to ".join(map(str, dict.fromkeys((rounds[0], rounds[-1]))))
    able = f" ({', '.join(machine['instructions'])})" if machine["instructions"] else ""
    cores = f"{machine['cores']} core{'s' * (machine['cores'] > 1)}"
    yield (
        f"{machine['processor']}{able}, {cores}, load {machine['load']:.1f}; {threads}, "
        f"{told} round{'s' * (told != '1')}; {report['date'][:10]}."
    )
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    yield f"Python {machine['python']}, {versions}."
    if "note" in report:
        yield report["note"]


def operation_lines(report: Report) -> Iterator[str]:
    """For each size and direction: how our times lie to PyTorch's, and the slowest rows."""
    for size, backward in itertools.product(SIZES, (False, True)):
        rows = [r for r in report["operations"] if (r["size"], r["backward"]) == (size, backward)]
        if not rows:
            continue
        times = {r["operation"]: ratio(r["theirs"], r["ours"]).median for r in rows}
        over = sum(t > 2 for t in times.values())
        slowest = sorted(times, key=times.__getitem__, reverse=True)[:_SLOWEST]
        yield (
            f"{size}, {'backward' if backward else 'forward'}: {len(rows)} rows, in the median "
            f"{interval(list(times.values())).median:.2f} of PyTorch's time; {over} over 2"
        )
        yield "    slowest: " + ", ".join(f"{name} {times[name]:.2f}" for name in slowest)


def cost_table(report: Report) -> str:
    """A line a cost, a column for everybody who has one, as Markdown."""
    names = list(dict.fromkeys(e["contestant"] for e in report["costs"]))
    costs = list(dict.fromkeys((e["cost"], e["unit"]) for e in report["costs"]))
    found = {(e["cost"], e["unit"], e["contestant"]): e for e in report["costs"]}
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for cost, unit in costs:
        cells = [_amount(found.get((cost, unit, name))) for name in names]
        lines.append(f"| {cost}{'' if unit == 's' else f', {unit}'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _amount(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "–"
    if not entry["numbers"]:
        return str(entry["missing"])
    number = interval(entry["numbers"]).median
    if entry["unit"] != "s":
        return f"{number:.3g}"
    scale, unit = next((s, u) for s, u in _UNITS if number >= 1 / s or u == "µs")
    return f"{number * scale:.3g} {unit}"


def pass_table(report: Report) -> str:
    """For each job, the step without each pass in the time of the whole one, as Markdown."""
    found = {(e["job"], e["change"]): e for e in report["passes"]}
    jobs, changes = (list(dict.fromkeys(key[n] for key in found)) for n in (0, 1))
    lines = [f"| | {' | '.join(jobs)} |", f"|---|{'---:|' * len(jobs)}"]
    for change in changes:
        cells = []
        for job in jobs:
            whole, entry = found[job, changes[0]], found[job, change]
            if change == changes[0]:
                cells.append(f"{interval(entry['seconds']).median * 1e6:,.0f} µs")
            else:
                cells.append(str(ratio(whole["seconds"], entry["seconds"])))
        lines.append(f"| {change} | {' | '.join(cells)} |")
    return "\n".join(lines)


def accuracy_lines(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each contestant and target: seconds, and those of them before the first step."""
    for entry in entries:
        if entry["missing"]:
            continue
        name = f"{entry['model']}, {100 * entry['target']:g} %: {entry['contestant']}"
        times = [run["seconds"] for run in entry["runs"] if run["seconds"] is not None]
        reached = f"{len(times)} of {len(entry['runs'])} seeds"
        if times:
            warm = interval([run["warm_up"] for run in entry["runs"]]).median
            yield f"{name:50}  {interval(times)} s, {warm:.3g} s of it warm-up; {reached}"
        else:
            yield f"{name:50}  not reached; {reached}"
    for name, why in {e["contestant"]: e["missing"] for e in entries if e["missing"]}.items():
        yield f"{name}: {why.removeprefix('NotImplementedError: ')}"


def text(report: Report) -> Iterator[str]:
    """Everything for the terminal."""
    yield from machine_lines(report)
    for name, job in report["jobs"].items():
        yield ""
        yield job_table(name, job)
    yield ""
    yield from marks.told(report)
    yield from operation_lines(report)
    if report["costs"]:
        yield cost_table(report)
    yield from accuracy_lines(report["accuracy"])
    if report["limits"]:
        yield (
            f"\nthis machine at best: {report['limits']['flops'] / 1e9:.0f} GFLOP/s, "
            f"reads {report['limits']['bandwidth'] / 1e9:.1f} GB/s"
        )
