"""What eager mode costs, on one thread: ``python -m benchmarks.eager``.

A training step of each stage beside PyTorch's for the same code, and recording one operation
beside the bare NumPy call. The two that are compared take turns in short blocks, so that whatever
else the machine does meets both alike. Shown are the medians, and the median of the ratios of
neighbouring blocks. `--json` prints them as entries of a file of results.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import tinygrad_mnist
from reference import logistic as theirs
from tinygrad_mnist import kernels
from tinygrad_mnist.app import logistic as ours
from tinygrad_mnist.app import train
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.tools.bench.intervals import interval, ratio

from .costs import entry

BATCH_SIZE = 64
LR = 0.5
STEPS = 100  # in a block
CALLS = 20_000  # of one operation in a block


@dataclass(frozen=True)
class Comparison:
    """Two things in seconds, block by block, and what they should be to each other."""

    name: str
    other: str
    ours: list[float]
    theirs: list[float]
    aim: str

    def entries(self) -> list[dict[str, Any]]:
        """Both, as costs in a file of results."""
        ours = entry(self.name, "tinygrad_mnist", "s", self.ours, "")
        return [ours, entry(self.name, self.other, "s", self.theirs, "")]

    def __str__(self) -> str:
        mine, other = (interval(numbers).median * 1e6 for numbers in (self.ours, self.theirs))
        numbers = f"{mine:10.2f} {other:10.2f} {mine - other:10.2f}"
        return f"{self.name:<36} {numbers} {ratio(self.theirs, self.ours).median:6.3f}  {self.aim}"


def take_turns(
    ours: Callable[[], float], theirs: Callable[[], float], blocks: int
) -> tuple[list[float], list[float]]:
    """Seconds of both over blocks that alternate; the first is unused."""
    pairs = []
    for number in range(blocks + 1):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: first(), second: second()}
        pairs.append((times[ours], times[theirs]))
    return [mine for mine, _ in pairs[1:]], [other for _, other in pairs[1:]]


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
        return (time.perf_counter() - begin) / STEPS

    def other() -> float:
        begin = time.perf_counter()
        theirs.train_epoch(their_job, *their_data, BATCH_SIZE, LR)
        return (time.perf_counter() - begin) / STEPS

    aim = "0.4 of PyTorch's" if stage == "raw" else "1/3 of PyTorch's"
    return Comparison(f"eager step, {stage}", "PyTorch", *take_turns(mine, other, blocks), aim)


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
        return (time.perf_counter() - begin) / CALLS

    def other() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            multiply(x, y)
        return (time.perf_counter() - begin) / CALLS

    times = take_turns(mine, other, blocks)
    return Comparison("a * b, recorded", "NumPy by hand", *times, "1.2 µs more")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints a table or entries of a file of results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eager", description=__doc__)
    parser.add_argument("--blocks", type=int, default=31, help="of each, default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print entries of a file of results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tinygrad_mnist.set_num_threads(1)
    kernels.warm_up()
    found = [*(step(stage, options.blocks) for stage in ours.STAGES), recording(options.blocks)]
    if options.json:
        print(json.dumps([each for comparison in found for each in comparison.entries()]))
        return 0
    print(f"{'µs':<36} {'ours':>10} {'theirs':>10} {'more':>10} {'ratio':>6}  at most")
    print(*found, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
