"""In a process of its own: one task's step, eager or compiled; prints what it took as JSON.

Called by `python -m benchmarks.cold` as `python -m benchmarks.fresh JOB WAY`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

FIRST = 3
"""Steps in which everything is compiled: an optimiser with momentum has no speed in the first."""
STEPS = 20


def memory() -> tuple[int, int]:
    """What this process holds, and the most that it held since `forget_peak`, in KiB."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+)", text))
    return int(found["VmRSS"]), int(found["VmHWM"])


def forget_peak() -> None:
    """Let the peak be what is held now; Linux alone can do it."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(name: str, way: str) -> None:
    """Import, train some steps eagerly or compiled, tell."""
    begin = time.perf_counter()
    import tinygrad_mnist as torch
    from tinygrad_mnist import kernels

    from . import jobs
    from .contestants.torchlike import module_step

    kernels.warm_up()
    ready = time.perf_counter()
    rng = np.random.default_rng(0)
    pixels = rng.random((1024, jobs.PIXELS), np.float32)
    job = jobs.make(name, pixels, rng.integers(0, jobs.CLASSES, len(pixels)))
    step, _ = module_step(torch, job)
    compiled = torch.compile(step)
    train = compiled if way == "compiled" else step
    x, y = torch.from_numpy(job.x[0]), torch.from_numpy(job.y[0])
    forget_peak()
    before, _ = memory()
    start = time.perf_counter()
    for _ in range(FIRST):
        train(x, y)
    first = time.perf_counter() - start
    after_first = memory()[1]
    forget_peak()
    held, _ = memory()
    for _ in range(STEPS):
        train(x, y)
    told = {"ready": ready - begin, "first_steps": first, "held_before": before}
    told |= {"peak_of_first": after_first, "held_after": held, "peak_of_steps": memory()[1]}
    if way == "compiled":
        told["compile_seconds"] = compiled.stats.compile_seconds
        told["temporary_bytes"] = compiled.stats.temporary_bytes
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
