"""Pictures of a report, each in light and dark, as SVG and as PNG.

Colours are Okabe and Ito's, which people see apart whatever their sight; markers differ as well.
Where we lose is said in the caption, which is made from the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tinygrad_mnist.tools.bench.intervals import interval, ratio

from .contestants.ours import COMPILED, SCAN
from .results import Report

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images" / "speed"
THEMES = {"light": ("#1f2328", "#d0d7de", "#ffffff"), "dark": ("#e6edf3", "#3d444d", "#0d1117")}
"""Ink, grid, paper."""
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
MARKERS = "os^Dv*PX<>hp"

Draw = Callable[[Any, Report], str]
"""Draw on a figure; give the caption."""


def _rows(report: Report, job: str) -> dict[str, dict[str, Any]]:
    """Of a job, by contestant, those that count."""
    return {
        r["contestant"]: r for r in report["jobs"][job]["rows"] if r["seconds"] and r["same_loss"]
    }


def _lost(report: Report, jobs: list[str]) -> str:
    """Who is faster than our compiled step, and where; by the middle 95 %."""
    found = []
    for job in jobs:
        rows = _rows(report, job)
        ours = rows.get(COMPILED.name)
        for name, row in rows.items() if ours else ():
            beside = ratio(ours["seconds"], row["seconds"])
            if beside.high < 1 and not name.startswith("tinygrad_mnist"):
                found.append(f"{job} to {name} ({beside.median:.2f})")
    return f"Where we lose: {'; '.join(found)}." if found else "Nobody is faster here."


def bars(figure: Any, report: Report) -> str:
    """How many of our compiled steps fit into one of everybody's, for the jobs at batch 64."""
    jobs = [j for j in ("logistic-64", "mlp-64", "cnn-64", "transformer-16") if j in report["jobs"]]
    axes = figure.subplots(1, len(jobs), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(n for j in jobs for n in _rows(report, j)))[::-1]
    for axis, job in zip(axes, jobs, strict=True):
        rows = _rows(report, job)
        ours = rows[COMPILED.name]["seconds"]
        for place, name in enumerate(names):
            if name not in rows:
                axis.text(1, place, " does not run", va="center", fontsize=7)
                continue
            beside = ratio(ours, rows[name]["seconds"])
            mine = name.startswith("tinygrad_mnist")
            error = [[beside.median - beside.low], [beside.high - beside.median]]
            axis.barh(
                place,
                beside.median,
                xerr=error,
                color=COLOURS[0 if mine else 1],
                error_kw={"ecolor": axis.xaxis.label.get_color(), "elinewidth": 1},
            )
            axis.text(beside.high, place, f" {beside.median:.2g}", va="center", fontsize=7)
        axis.axvline(1, linewidth=0.8, linestyle="--", color=axis.xaxis.label.get_color())
        axis.set(title=job, xscale="log", xlabel="times our compiled step")
        axis.set_xlim(0.4, axis.get_xlim()[1] * 2.5)
        axis.set_yticks(range(len(names)), names)
    return (
        f"Time of a training step beside our compiled one, medians and 95 %. {_lost(report, jobs)}"
    )


def sizes(figure: Any, report: Report) -> str:
    """The time of a step against the batch, log–log."""
    models = [
        m
        for m in ("logistic", "mlp", "cnn")
        if sum(j.startswith(m) and "-w" not in j for j in report["jobs"]) > 1
    ]
    axes = figure.subplots(1, len(models), squeeze=False)[0]
    shown: list[str] = []
    for axis, model in zip(axes, models, strict=True):
        jobs = {e["batch"]: j for j, e in report["jobs"].items() if j == f"{model}-{e['batch']}"}
        shown += jobs.values()
        names = list(dict.fromkeys(n for j in jobs.values() for n in _rows(report, j)))
        for number, name in enumerate(names):
            points = [
                (b, interval(_rows(report, j)[name]["seconds"]).median * 1e6)
                for b, j in sorted(jobs.items())
                if name in _rows(report, j)
            ]
            mine = name.startswith("tinygrad_mnist")
            axis.plot(
                *zip(*points, strict=True),
                label=name,
                marker=MARKERS[number % 12],
                color=COLOURS[number % 7],
                linewidth=2.2 if mine else 1,
                markersize=4,
            )
        floor = sorted(
            (e["batch"], e["floor"] * 1e6) for j, e in report["jobs"].items() if j in jobs.values()
        )
        axis.plot(
            *zip(*floor, strict=True),
            linestyle=":",
            label="floor of the machine",
            color=axis.xaxis.label.get_color(),
        )
        axis.set(title=model, xscale="log", yscale="log", xlabel="images a step")
    axes[0].set_ylabel("µs a step")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return f"How a step's time grows with the batch. {_lost(report, shown)}"


def roofline(figure: Any, report: Report) -> str:
    """Operations a second against operations a byte, with what the machine can do."""
    axis = figure.subplots()
    flops, bandwidth = report["limits"]["flops"], report["limits"]["bandwidth"]
    points = []
    for job, entry in report["jobs"].items():
        if job != f"{entry['model']}-{entry['batch']}":
            continue
        rows = _rows(report, job)
        best = min(
            (interval(rows[n]["seconds"]).median for n in (COMPILED.name, SCAN.name) if n in rows),
            default=None,
        )
        if best and entry["bytes"]:
            points.append((entry["operations"] / entry["bytes"], entry["operations"] / best, job))
    spread = [x for x, _, _ in points]
    ends = min(spread) / 2, max([*spread, flops / bandwidth]) * 2
    axis.plot(
        [ends[0], flops / bandwidth, ends[1]],
        [ends[0] * bandwidth / 1e9, flops / 1e9, flops / 1e9],
        color=axis.xaxis.label.get_color(),
    )
    kinds = list(dict.fromkeys(job.split("-")[0] for _, _, job in points))
    for number, kind in enumerate(kinds):
        of_kind = [point for point in points if point[2].split("-")[0] == kind]
        style = {"marker": MARKERS[number], "color": COLOURS[number], "markersize": 5}
        ends_of = [x for x, _, _ in of_kind], [y / 1e9 for _, y, _ in of_kind]
        axis.plot(*ends_of, linestyle="", label=kind, **style)
        for x, y, job in of_kind:
            label, above = job.removeprefix(f"{kind}-"), 5 if number % 2 else -11
            axis.annotate(label, (x, y / 1e9), fontsize=6.5, ha="center", xytext=(0, above),
                          textcoords="offset points", color=COLOURS[number])  # fmt: skip
    axis.legend(title="images a step", loc="lower right")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="operations a byte of weights and examples",
        ylabel="GFLOP/s",
    )
    worst = min(points, key=lambda p: p[1] / min(flops, p[0] * bandwidth))
    return (
        f"What our fastest step reaches of what this machine can: the line is {flops / 1e9:.0f} "
        f"GFLOP/s and {bandwidth / 1e9:.0f} GB/s. Farthest below it: {worst[2]}."
    )


def accuracy(figure: Any, report: Report) -> str:
    """Seconds from the start of a process to an accuracy, a point a seed."""
    from matplotlib.ticker import LogLocator, NullFormatter

    aims = list(dict.fromkeys((e["model"], e["target"]) for e in report["accuracy"]))
    axes = figure.subplots(1, len(aims), sharey=True, squeeze=False)[0]
    entries = [e for e in report["accuracy"] if not e["missing"]]
    names = list(dict.fromkeys(e["contestant"] for e in entries))[::-1]
    missed = []
    for axis, (model, target) in zip(axes, aims, strict=True):
        for entry in entries:
            if (entry["model"], entry["target"]) != (model, target):
                continue
            place = names.index(entry["contestant"])
            times = [r["seconds"] for r in entry["runs"] if r["seconds"] is not None]
            if not times:
                missed.append(f"{entry['contestant']} ({model})")
                continue
            mine = entry["contestant"].startswith("tinygrad_mnist")
            colour = COLOURS[0 if mine else 1]
            axis.plot(times, [place] * len(times), "o", markersize=3, alpha=0.5, color=colour)
            axis.plot(interval(times).median, place, "|", markersize=14, color=colour)
        axis.set(title=f"{model}: {100 * target:g} %", xscale="log", xlabel="s from the start")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_yticks(range(len(names)), names)
    lost = f" Not reached: {', '.join(dict.fromkeys(missed))}." if missed else ""
    return (
        f"Time to accuracy on MNIST's validation digits, a point a seed, a line the median.{lost}"
    )


def operations(figure: Any, report: Report) -> str:
    """Our time of each operation against PyTorch's."""
    axis = figure.subplots()
    for number, (size, backward) in enumerate(
        (s, b) for s in ("small", "large") for b in (False, True)
    ):
        rows = [r for r in report["operations"] if (r["size"], r["backward"]) == (size, backward)]
        theirs, ours = ([interval(r[who]).median * 1e6 for r in rows] for who in ("theirs", "ours"))
        label = f"{size}, {'backward' if backward else 'forward'}"
        axis.scatter(theirs, ours, s=12, marker=MARKERS[number], color=COLOURS[number], label=label)
    low, high = axis.get_xlim()
    ends = [max(low, 0.05), high]
    for times, style in ((1, "-"), (2, ":")):
        axis.plot(
            ends,
            [times * end for end in ends],
            style,
            linewidth=0.8,
            color=axis.xaxis.label.get_color(),
        )
    axis.set(xscale="log", yscale="log", xlabel="PyTorch, µs", ylabel="ours, µs")
    axis.legend()
    slow = [
        r
        for r in report["operations"]
        if interval(r["ours"]).median > 2 * interval(r["theirs"]).median
    ]
    return (
        f"{len(report['operations'])} passes of operations: below the full line ours is "
        f"faster; {len(slow)} lie above the dotted one, at more than twice PyTorch's time."
    )


PICTURES: dict[str, Draw] = {
    "bars": bars,
    "sizes": sizes,
    "roofline": roofline,
    "accuracy": accuracy,
    "operations": operations,
}
SIZES = {"bars": (11, 4.2), "sizes": (11, 5), "roofline": (8, 5), "accuracy": (11, 4.2),
         "operations": (7, 6)}  # fmt: skip
"""In inches."""
_DOTS = 120
"""An inch, of PNG."""


def caption(report: Report, name: str) -> str:
    """What is said below a picture, with where we lose."""
    from matplotlib.figure import Figure

    return PICTURES[name](Figure(layout="constrained"), report)


def draw(report: Report, names: Iterable[str]) -> None:
    """Write some pictures of a report, in every theme, as SVG and as PNG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        for theme, colours in THEMES.items():
            with mpl.rc_context(_style(*colours) | {"svg.hashsalt": name}):
                figure = Figure(figsize=SIZES[name], layout="constrained")
                PICTURES[name](figure, report)
                figure.savefig(FOLDER / f"{name}-{theme}.svg", metadata={"Date": None})
                figure.savefig(FOLDER / f"{name}-{theme}.png", dpi=_DOTS)


def _style(ink: str, grid: str, paper: str) -> dict[str, Any]:
    names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(names, ink),
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), paper),
        **dict.fromkeys(("grid.color", "legend.edgecolor"), grid),
        "legend.facecolor": paper,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.linewidth": 0.5,
        "font.size": 8,
    }
