"""What a person feels before and around the steps: importing, the first step, memory, long chains.

Every number comes from a process of its own, engines taking turns. The first step's time begins
with the process; `nothing cached` has an empty folder for whatever an engine keeps of its
compiling, the kernels of this package included, `cached` that folder once more.
"""

from __future__ import annotations

import contextlib
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from . import jobs
from .jobs import Array
from .rounds import ROOT, environment

PATIENCE = 60.0
"""Seconds after which a process is given up, and after a third of them longer chains."""
MODULES = {
    "NumPy by hand": "numpy", "tinygrad_mnist": "tinygrad_mnist", "PyTorch": "torch", "JAX": "jax",
    "HIPS autograd": "autograd", "MyGrad": "mygrad", "tinygrad": "tinygrad",
    "micrograd": "micrograd.engine",
}  # fmt: skip
BEGINNERS = ("NumPy by hand", "tinygrad_mnist, eager", "tinygrad_mnist, compiled",
             "PyTorch, nn + optim", "torch.compile, whole step", "JAX, jit", "HIPS autograd",
             "MyGrad", "tinygrad, TinyJit")  # fmt: skip
FIRST_STEPS = ("logistic-64x1", "mlp-64x1", "cnn-64x1")
CHAINED = ("tinygrad_mnist", "PyTorch", "JAX", "HIPS autograd", "MyGrad", "micrograd")
CHAINS = (100, 1_000, 10_000, 100_000, 1_000_000)
RECORDED = ("tinygrad_mnist", "PyTorch", "HIPS autograd", "MyGrad")
_KEPT = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR",
         "JAX_COMPILATION_CACHE_DIR")  # fmt: skip
"""Variables that name a folder for what is compiled."""

Entry = dict[str, Any]


def entry(cost: str, contestant: str, unit: str, numbers: Sequence[float], missing: str) -> Entry:
    """A cost of somebody, as a file of results holds it."""
    return {"cost": cost, "contestant": contestant, "unit": unit, "numbers": list(numbers),
            "missing": missing}  # fmt: skip


def measure(threads: int, rounds: int, digits: tuple[Array, Array]) -> Iterator[Entry]:
    """Every cost of everybody who has it, told as it goes."""
    env = environment(threads)
    for told, found in (
        ("importing", _imports(env, rounds)),
        ("first steps", _first_steps(env, rounds, digits)),
        ("recorded passes", _probed("graph", RECORDED, ("",), rounds, env)),
        ("chains", _probed("chain", CHAINED, CHAINS, rounds, env)),
        ("eager steps", _eager(env)),
    ):
        print(told, file=sys.stderr)
        yield from found


def _run(command: Sequence[str], env: dict[str, str]) -> tuple[str, str]:
    """The last line that a process prints, and why there is none."""
    try:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, timeout=PATIENCE,
                              capture_output=True, text=True, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"not done after {PATIENCE:.0f} s"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        return "", last[:200]
    return done.stdout.strip().splitlines()[-1], ""


def _imports(env: dict[str, str], rounds: int) -> Iterator[Entry]:
    numbers: dict[str, list[float]] = {name: [] for name in MODULES}
    missing = dict.fromkeys(MODULES, "")
    source = "import time; begin = time.perf_counter(); import {}; "
    source += "print(time.perf_counter() - begin)"
    for _ in range(rounds):
        for name, module in MODULES.items():
            line, why = ("", missing[name]) if missing[name] else _run(
                ["-c", source.format(module)], env)  # fmt: skip
            missing[name] = why
            numbers[name] += [float(line)] if line else []
    for name in MODULES:
        yield entry("import", name, "s", numbers[name], missing[name])


def _probed(
    cost: str, engines: Sequence[str], sizes: Sequence[Any], rounds: int, env: dict[str, str]
) -> Iterator[Entry]:
    unit = "s" if cost == "chain" else "MiB"
    missing = dict.fromkeys(engines, "")
    for size in sizes:
        named = f"backward of a chain of {size:,}" if size else "held by a recorded pass, cnn-256"
        numbers: dict[str, list[float]] = {engine: [] for engine in engines}
        for engine in engines * rounds:
            if not missing[engine]:
                begin = time.perf_counter()
                line, why = _run(["-m", "benchmarks.probe", cost, engine, str(size)], env)
                told = json.loads(line) if line else {"missing": why}
                missing[engine] = told.get("missing", "")
                numbers[engine] += [told["number"]] if "number" in told else []
                if not missing[engine] and time.perf_counter() - begin > PATIENCE / 3:
                    missing[engine] = "takes too long"
        for engine in engines:
            found = numbers[engine]
            yield entry(named, engine, unit, found, "" if found else missing[engine])


def _eager(env: dict[str, str]) -> Iterator[Entry]:
    line, why = _run(["-m", "benchmarks.eager", "--json"], env)
    yield from json.loads(line) if line else [entry("eager step", "PyTorch", "s", [], why)]


def _first_steps(env: dict[str, str], rounds: int, digits: tuple[Array, Array]) -> Iterator[Entry]:
    with tempfile.TemporaryDirectory(prefix="costs") as folder:
        for name in FIRST_STEPS:
            path = Path(folder) / "job.npz"
            jobs.make(name, *digits).save(path)
            for number, contestant in enumerate(BEGINNERS):
                kept = Path(folder) / f"{name}-{number}"  # C++ compilers take no commas in names
                kept.mkdir()
                keeping = env | dict.fromkeys(_KEPT, str(kept)) | {
                    "CACHEDB": str(kept / "kernels.db"),
                    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                }  # fmt: skip
                once = functools.partial(_first_step, contestant, path, keeping)
                for way, count in (("nothing cached", 1), ("cached", rounds)):
                    yield from _timed_starts(f"first step, {name[:-2]}, {way}", contestant,
                                             once, count)  # fmt: skip


def _timed_starts(
    cost: str, contestant: str, once: Callable[[], tuple[float, float, str]], count: int
) -> Iterator[Entry]:
    """Seconds of so many starts, by the clock and by the processor."""
    runs = [once() for _ in range(count)]
    missing = next((why for _, _, why in runs if why), "")
    for place, unit in enumerate(("s", "CPU s")):
        yield entry(
            cost, contestant, unit, [] if missing else [run[place] for run in runs], missing
        )


def _first_step(contestant: str, job: Path, env: dict[str, str]) -> tuple[float, float, str]:
    """Seconds and CPU seconds from a process's start to its first loss, and what went wrong."""
    before, begin = _spent_by_children(), time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.worker", contestant, str(job)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdin=pipe, stdout=pipe, stderr=nowhere
    ) as process:
        assert process.stdout
        assert process.stdin
        line = process.stdout.readline()
        seconds = time.perf_counter() - begin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    told = json.loads(line) if line else {"missing": f"ended with {process.returncode}"}
    return seconds, _spent_by_children() - before, told["missing"]


def _spent_by_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
