"""What a compiled step costs before it pays: `python -m benchmarks.cold`.

The first three steps of a fresh process: seconds, and MiB more at the peak than before; then MiB
more at the peak of 20 more. The kernels of eager mode are compiled before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from . import measure

ROOT = Path(__file__).resolve().parents[1]
WARM_RUNS = 3
WAYS = ("cold", "cached", "eager")


def one(name: str, way: str, cache: str) -> dict[str, float]:
    """A fresh process that keeps compiled code in `cache`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fresh", name, way],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name}, {way}: the process failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure_all(name: str) -> dict[str, Any]:
    """One cold start, some from the cache, and the eager step beside them."""
    with tempfile.TemporaryDirectory(prefix="cold") as cache:
        one(name, "eager", cache)
        cold = one(name, "compiled", cache)
        warm = [one(name, "compiled", cache) for _ in range(WARM_RUNS)]
        eager = [one(name, "eager", cache) for _ in range(WARM_RUNS)]
    return {
        "cold": cold,
        "cached": {key: median(run[key] for run in warm) for key in cold},
        "eager": {key: median(run[key] for run in eager) for key in eager[0]},
    }


def main() -> None:
    """A line a job, cold, cached and eager."""
    print(__doc__)
    print(f"{'':15}" + "".join(f"{way:>10} s{'MiB':>8}{'steps':>8}" for way in WAYS), end="")
    print(f"{'temporaries MiB':>18}")
    for name in measure.QUICK:
        found = measure_all(name)
        cells = []
        for figures in (found[way] for way in WAYS):
            first = (figures["peak_of_first"] - figures["held_before"]) / 1024
            later = (figures["peak_of_steps"] - figures["held_after"]) / 1024
            cells.append(f"{figures['first_steps']:12.3f}{first:8.1f}{later:8.1f}")
        print(f"{name:15}{''.join(cells)}{found['cold']['temporary_bytes'] / 2**20:18.2f}")


if __name__ == "__main__":
    main()
