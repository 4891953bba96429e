"""A script in rounds, A B C, B C A, …: each time in a fresh process, one after another."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tinygrad_mnist.tools.scripts import ScriptError, read
from tinygrad_mnist.tools.scripts.running import environment, fresh_python

from .machine import describe
from .report import CONTESTANTS, Report, Row, Run

__all__ = ["bench_script"]

Runner = Callable[[str, dict[str, Any]], Run]
"""Runs the script once: the contestant, and what its process is told."""
COMPILES_NOTHING = "the script compiles nothing: put @torch.compile above the function of one step"


def bench_script(
    script: str | os.PathLike[str],
    arguments: Sequence[str] = (),
    *,
    notebook: bool = False,
    rounds: int = 5,
    steps: int = 200,
    threads: int = 1,
    seed: int = 0,
    only: Sequence[str] = (),
    watch: Callable[[str], None] = lambda what: None,
    runner: Runner | None = None,
) -> Report:
    """Time a PyTorch script on tinygrad_mnist and on PyTorch, eager and compiled.

    Each of `rounds` rounds runs it once for each of the contestants (`only` some of
    `CONTESTANTS`), in a fresh process, in another order each time; a run ends after `steps` steps
    (0: where the script ends). Times count only where the results are those of PyTorch, or of this
    engine where it is not installed. `watch` is told what begins. Ctrl-C ends it with what is
    known.

    Raises:
        ScriptError: the script cannot be read, or there is no such contestant.
    """
    if unknown := [name for name in only if name not in CONTESTANTS]:
        known = ", ".join(CONTESTANTS)
        raise ScriptError(f"{unknown[0]!r} is none of the contestants: {known}")
    read(Path(script), notebook)
    settings = {"arguments": list(arguments), "notebook": notebook, "rounds": rounds,
                "steps": steps, "threads": threads, "seed": seed}  # fmt: skip
    machine = describe(("numpy", "numba", "torch"))
    rows = [Row(name) for name in CONTESTANTS if not only or name in only]
    report = Report(os.fspath(script), settings, machine, rows)
    if runner is None and importlib.util.find_spec("torch") is None:
        for row in rows:
            if row.engine == "torch":
                row.missing = "not installed: pip install 'tinygrad_mnist[reference]'"
    with tempfile.TemporaryDirectory(prefix="tinygrad_mnist-") as folder:
        run = runner or (lambda name, told: _run(report.script, name, told, Path(folder)))
        try:
            _race(report, run, watch)
            _profile(report, run, watch)
        except KeyboardInterrupt:
            report.interrupted = True
    report.hold_against_each_other()
    return report


def _race(report: Report, run: Runner, watch: Callable[[str], None]) -> None:
    told = {**report.settings, "profiled": None}
    for number in range(report.settings["rounds"]):
        first = number % max(len(report.rows), 1)
        done: list[tuple[Row, Run]] = []
        for row in report.rows[first:] + report.rows[:first]:
            ran = [each.runs[0] for each in report.rows if each.runs and not each.missing]
            if row.compiles and any(not each.compiled for each in ran):
                row.missing = row.missing or COMPILES_NOTHING
            if row.missing:
                continue
            watch(f"round {number + 1} of {report.settings['rounds']}: {row.name}")
            found = run(row.name, told)
            if number == 0:
                row.runs.append(found)
                row.missing = found.fault or (
                    COMPILES_NOTHING if row.compiles and not found.compiled else ""
                )
            elif found.fault:
                row.missing = found.fault
            else:
                done.append((row, found))
        for row, found in done:
            row.runs.append(found)


def _profile(report: Report, run: Runner, watch: Callable[[str], None]) -> None:
    """Run each eager engine once more, with its profiler."""
    for row in report.rows:
        if row.missing or row.compiles:
            continue
        calls = len(row.runs[0].times["backward"])
        count = min(10, calls // 2 - 2)
        if count > 0:
            watch(f"where the time goes: {row.name}")
            profiled = [min(5, calls - count - 4), count]
            found = run(row.name, {**report.settings, "steps": 0, "profiled": profiled})
            row.profile = found.profile


def _run(script: str, name: str, told: dict[str, Any], folder: Path) -> Run:
    """A run in a process of its own, of which nothing stays."""
    engine, compiled = CONTESTANTS[name]
    files = {what: folder / what for what in ("stdout", "stderr", "to")}
    for file in files.values():
        file.unlink(missing_ok=True)
    variables = environment(answered=engine != "torch") | {"CUDA_VISIBLE_DEVICES": ""}
    for library in ("OMP", "OPENBLAS", "MKL"):
        variables[f"{library}_NUM_THREADS"] = str(told["threads"])
    variables.setdefault("PYTHONHASHSEED", str(told["seed"] % 2**32))
    options = {**told, "compiled": compiled, "began": time.perf_counter(),
               **{what: str(file) for what, file in files.items()}}  # fmt: skip
    command = fresh_python("tinygrad_mnist.tools.bench.worker", "main", [engine, script, options])
    process = subprocess.Popen(command, env=variables, start_new_session=True)
    try:
        code = process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    printed, complaints = (
        files[what].read_text("utf-8", errors="replace") if files[what].exists() else ""
        for what in ("stdout", "stderr")
    )
    if not files["to"].exists():
        last = complaints.strip().splitlines()[-3:]
        return Run(fault="\n".join([f"its process ended with code {code}", *last]))
    return Run.of(json.loads(files["to"].read_text("utf-8")), printed)
