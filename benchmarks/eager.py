"""What eager mode costs, on one thread: ``python -m benchmarks.eager``.

A training step of each stage beside PyTorch's for the same code; recording one operation beside
the bare NumPy call; importing the package beside importing NumPy. The two that are compared take
turns in short blocks, so that whatever else the machine does meets both alike. Shown are the
medians, and the median of the ratios of neighbouring blocks.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

import tinygrad_mnist
from reference import logistic as theirs
from tinygrad_mnist import kernels
from tinygrad_mnist.app import logistic as ours
from tinygrad_mnist.app import train
from tinygrad_mnist.app.datasets import synthetic

ROOT = Path(__file__).resolve().parents[1]
BATCH_SIZE = 64
LR = 0.5
STEPS = 100  # in a block
CALLS = 20_000  # of one operation in a block

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


@dataclass(frozen=True)
class Comparison:
    """Two things in microseconds, and what they should be to each other."""

    name: str
    ours: float
    theirs: float
    ratio: float
    aim: str


def take_turns(
    ours: Callable[[], float], theirs: Callable[[], float], blocks: int
) -> tuple[float, float, float]:
    """The medians of both, and of their ratio, over blocks that alternate; the first is unused."""
    pairs = []
    for number in range(blocks + 1):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: first(), second: second()}
        pairs.append((times[ours], times[theirs]))
    mine, other = zip(*pairs[1:], strict=True)
    ratios = [a / b for a, b in pairs[1:]]
    return median(mine), median(other), median(ratios)


def step(stage: str, blocks: int) -> Comparison:
    """A step of the logistic model: forward, backward, update; batch 64, float32."""
    pixels, labels = synthetic.draw(BATCH_SIZE * STEPS)
    x = pixels.reshape(-1, 784).astype(np.float32) / 256
    y = labels.astype(np.int64)
    torch.manual_seed(0)
    tinygrad_mnist.manual_seed(0)
    their_job, our_job = theirs.build(stage), ours.build(stage)
    their_data = torch.from_numpy(x), torch.from_numpy(y)
    our_data = tinygrad_mnist.from_numpy(x), tinygrad_mnist.from_numpy(y)

    def mine() -> float:
        begin = time.perf_counter()
        train.train_epoch(train.step_of(our_job), *our_data, BATCH_SIZE, LR)
        return (time.perf_counter() - begin) / STEPS * 1e6

    def other() -> float:
        begin = time.perf_counter()
        theirs.train_epoch(their_job, *their_data, BATCH_SIZE, LR)
        return (time.perf_counter() - begin) / STEPS * 1e6

    aim = "0.4 of PyTorch's" if stage == "raw" else "1/3 of PyTorch's"
    return Comparison(f"step, {stage}, beside PyTorch", *take_turns(mine, other, blocks), aim)


def recording(blocks: int) -> Comparison:
    """`a * b` on 8 float32 with a record of it, beside `np.multiply(a, b)`."""
    a = tinygrad_mnist.rand(8, requires_grad=True)
    b = tinygrad_mnist.rand(8, requires_grad=True)
    x, y = a.detach().numpy(), b.detach().numpy()
    multiply = np.multiply

    def mine() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            a * b
        return (time.perf_counter() - begin) / CALLS * 1e6

    def other() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            multiply(x, y)
        return (time.perf_counter() - begin) / CALLS * 1e6

    times = take_turns(mine, other, blocks)
    return Comparison("a * b recorded, beside np.multiply", *times, "1.2 µs more")


def importing(blocks: int) -> Comparison:
    """`import tinygrad_mnist` beside `import numpy`, each in a process of its own."""

    def seconds(module: str) -> float:
        command = [sys.executable, "-c", IMPORT.format(module)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return float(done.stdout) * 1e6

    times = take_turns(lambda: seconds("tinygrad_mnist"), lambda: seconds("numpy"), blocks)
    return Comparison("import, beside numpy's", *times, "2 × numpy's")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table, and writes it as JSON if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eager", description=__doc__)
    parser.add_argument("--blocks", type=int, default=31, help="of each, default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tinygrad_mnist.set_num_threads(1)
    kernels.warm_up()
    results = [step(stage, options.blocks) for stage in ours.STAGES]
    results += [recording(options.blocks), importing(options.blocks)]
    print(f"{'µs':<36} {'ours':>10} {'theirs':>10} {'more':>10} {'ratio':>6}  at most")
    for each in results:
        numbers = f"{each.ours:10.2f} {each.theirs:10.2f} {each.ours - each.theirs:10.2f}"
        print(f"{each.name:<36} {numbers} {each.ratio:6.3f}  {each.aim}")
    if options.json:
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        report = {"unit": "µs", "results": [asdict(each) for each in results], "versions": versions}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
