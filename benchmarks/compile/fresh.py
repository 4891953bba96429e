"""In a process of its own: one task's step, eager or compiled; prints what it took as JSON.

Called by `python -m benchmarks.compile cold` as `python -m benchmarks.compile.fresh TASK WAY`.
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
    from tinygrad_mnist.app.models import MODELS
    from tinygrad_mnist.nn import functional as F

    from .settings import SETTINGS

    kernels.warm_up()
    ready = time.perf_counter()
    setting = SETTINGS[name]
    torch.manual_seed(0)
    model = MODELS[setting.model]()
    optimizer = torch.optim.SGD(model.parameters(), lr=setting.lr, momentum=setting.momentum)

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    compiled = torch.compile(step)
    train = compiled if way == "compiled" else step
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((setting.batch, 784), np.float32))
    y = torch.from_numpy(rng.integers(0, 10, setting.batch))
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
