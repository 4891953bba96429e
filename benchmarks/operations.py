"""Operations beside PyTorch's, in eager mode, one thread: `python -m benchmarks.operations`.

Each operation is called with numbers that require gradients where PyTorch differentiates it, so
that a record is left; its backward pass is timed alone, of one graph that is kept. `small` are
32×32 numbers or 64, of which the time is the call's own; `large` 512×512, or 64 times as many. Both
engines take turns in short blocks and the processor's time counts, so that whatever else the
machine does meets both alike. Shown are medians in microseconds and their ratio.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
import torch

import tinygrad_mnist
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch

MARK, MEDIAN = 2.0, 1.0
BLOCK = 1e-3
"""Seconds of one block."""

Names = dict[str, Any]

DIFFERENTIABLE = """
    x + y; x - y; x * y; x / y; x + 1; 2 * x; 1 - x; x ** 2; -x; x + u; x @ y
    x.abs(); x.exp(); p.log(); p.sqrt(); x.sin(); x.tanh(); x.sigmoid(); x.relu(); x.square()
    F.gelu(x); F.silu(x); F.leaky_relu(x); F.softplus(x); F.elu(x); x.clamp(-1, 1); x.clamp(min=0)
    t.maximum(x, y); t.minimum(x, y); t.where(mask, x, y); t.where(mask, x, 0.0)
    t.addcmul(x, x, y); t.lerp(x, y, 0.5); t.hypot(x, y); t.logaddexp(x, y)
    x.sum(); x.sum(0); x.sum(-1, keepdim=True); x.mean(); x.mean(1); x.max(); x.max(1)[0]; x.amax(1)
    x.var(); x.std(0); x.norm(); x.logsumexp(1); v.prod(); x.cumsum(1); x.softmax(-1)
    x.log_softmax(-1); F.cross_entropy(x, labels); F.nll_loss(x, labels); F.mse_loss(x, y)
    F.l1_loss(x, y); F.smooth_l1_loss(x, y); F.huber_loss(x, y)
    F.binary_cross_entropy(s, ones); F.binary_cross_entropy_with_logits(x, ones)
    t.mm(x, y); v @ w; t.dot(v, w); t.mv(x, u); t.bmm(b, b); t.addmm(u, x, y); t.outer(u, u)
    F.linear(x, y, u); t.einsum('ij,kj->ik', x, y); t.matmul(b, x)
    x.reshape(2 * n, n // 2); x.view(-1); x.t(); x.transpose(0, 1); b.permute(2, 0, 1)
    x.unsqueeze(0); x.flatten(); row.expand(n, n); row.squeeze(0); x.contiguous(); x.clone()
    x.double(); t.cat([x, y]); t.cat([x, y], 1); t.stack([x, y]); x.split(n // 2)[0]
    x.chunk(2, 1)[1]
    x.unbind(0)[0]; x[0]; x[:, 1:3]; x[3, 4]; x[index]; x[:, index]; x[mask]; x[None]; v[::2]
    x.gather(1, column); x.index_select(0, index); x.masked_fill(mask, 0.0); F.embedding(index, x)
    x.scatter_add(1, places, y); x.sort(1)[0]; x.topk(3, 1)[0]; x.tril(); x.flip(0); x.roll(1, 0)
    F.layer_norm(x, (n,), u, u); F.batch_norm(x, None, None, u, u, True)
    F.dropout(x, 0.5); F.normalize(x); F.pad(x, (1, 1)); F.conv2d(image, filters)
    F.max_pool2d(image, 2); F.avg_pool2d(image, 2)
"""
PLAIN = """
    c == d; c > d; c > 0; mask & mask; ~mask; c.argmax(1); c.any(); mask.all(); c.isnan(); c.sign()
    c.add_(d, alpha=1e-9); c.mul_(1.0); c.copy_(d); c.zero_(); d.detach(); c[0, 0].item()
    c.sum().item(); c[0] = 1.0; c[:, 1:3] = 0.0; t.zeros(n, n); t.ones(m); t.full((m,), 2.0)
    t.arange(m); t.tensor([1.0, 2.0]); t.zeros_like(c); t.empty(m); t.linspace(0, 1, m)
    t.eye(n); t.rand(m); t.randn(m); t.randn(5); t.randint(10, (m,)); t.randperm(m)
    t.bernoulli(chances); c.shape; c.size(0); c.dim(); c.tolist(); c.numpy(); c.float()
    c.to(t.float32); d.numel()
"""


@dataclass(frozen=True)
class Row:
    """One pass of one operation: seconds of both, block by block."""

    operation: str
    backward: bool
    size: str
    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """Our median in PyTorch's."""
        return median(self.ours) / median(self.theirs)


SIZES = {"small": (32, 64, (2, 3, 8, 8)), "large": (512, 1 << 16, (16, 16, 32, 32))}
"""Rows and columns of the squares, numbers of the vectors, and the images' shape."""


def operands(engine: Any, size: str) -> Names:
    """What the names in the tables mean, for one engine."""
    rng = np.random.default_rng(0)
    n, m, image = SIZES[size]
    shapes = {
        "x": (n, n), "y": (n, n), "v": (m,), "w": (m,), "u": (n,), "b": (4, n, n), "row": (1, n),
        "image": image, "filters": (2 * image[0], image[1], 3, 3),
    }  # fmt: skip
    drawn = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    drawn |= {"p": rng.uniform(0.1, 2, (n, n)), "s": rng.uniform(0.1, 0.9, (n, n))}
    tensors = {
        name: engine.tensor(numbers, dtype=engine.float32, requires_grad=True)
        for name, numbers in drawn.items()
    }
    return tensors | {
        "t": engine,
        "F": engine.nn.functional,
        "n": n,
        "m": m,
        "mask": engine.tensor(rng.random((n, n)) < 0.5),
        "labels": engine.tensor(rng.integers(0, n, n)),
        "index": engine.tensor(rng.integers(0, n, n // 4)),
        "column": engine.tensor(rng.integers(0, n, (n, 1))),
        "places": engine.tensor(rng.integers(0, n, (n, n))),
        "ones": engine.ones(n, n),
        "c": engine.tensor(drawn["x"], dtype=engine.float32),
        "d": engine.tensor(drawn["y"], dtype=engine.float32),
        "chances": engine.full((m,), 0.3),
    }


def called(source: str, names: Names, calls: int) -> Callable[[], float]:
    """A block of so many calls, which tells the seconds of one."""
    body = f"def block():\n    begin = clock()\n    for _ in range({calls}):\n        {source}\n"
    scope = {**names, "clock": time.thread_time}
    exec(body + f"    return (clock() - begin) / {calls}", scope)
    block: Callable[[], float] = scope["block"]
    return block


def compare(source: str, names: Sequence[Names], blocks: int) -> tuple[list[float], list[float]]:
    """The seconds of both engines over blocks that take turns."""
    for each in names:
        called(source, each, 3)()
    calls = [max(1, int(BLOCK / called(source, each, 10)())) for each in names]
    timed = [called(source, each, count) for each, count in zip(names, calls, strict=True)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(blocks):
        for block, spent in zip(timed, times, strict=True):
            spent.append(block())
    return times


def graphs(source: str, names: Sequence[Names]) -> list[Names]:
    """An operation's result and the leaves that it is made of, for each engine."""
    found = []
    for each in names:
        out = eval(source, each)
        used = [each.get(name) for name in dict.fromkeys(re.findall(r"\w+", source))]
        leaves = [value for value in used if getattr(value, "requires_grad", False)]
        found.append({
            "grad": each["t"].autograd.grad, "out": out, "leaves": leaves,
            "ones": each["t"].ones_like(out),
        })  # fmt: skip
    return found


def measure(only: str, blocks: int, sizes: Sequence[str]) -> Iterator[Row]:
    """All rows whose operation contains a text."""
    backward = "grad(out, leaves, ones, retain_graph=True)"
    for size in sizes:
        names = [operands(engine, size) for engine in (tinygrad_mnist, torch)]
        for source in expressions(DIFFERENTIABLE, only):
            yield Row(source, False, size, *compare(source, names, blocks))
            yield Row(source, True, size, *compare(backward, graphs(source, names), blocks))
        for source in expressions(PLAIN, only):
            yield Row(source, False, size, *compare(source, names, blocks))


def expressions(table: str, only: str) -> list[str]:
    """The operations of a table."""
    found = [each.strip() for line in table.strip().splitlines() for each in line.split(";")]
    return [each for each in found if only in each]


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """The medians and the worst, beside the marks."""
    passes = (("forward", False), ("backward", True), ("both", None))
    for size, (name, backward) in itertools.product(SIZES, passes):
        chosen = [r for r in rows if r.size == size and backward in (None, r.backward)]
        if chosen:
            ratios = [row.ratio for row in chosen]
            worst = max(chosen, key=lambda row: row.ratio)
            over = sum(ratio > MARK for ratio in ratios)
            yield (
                f"{size} {name:<9} {len(chosen):4} rows, median {median(ratios):.2f} (mark "
                f"{MEDIAN:g}), {over} over {MARK:g}; worst {worst.ratio:.2f}: {worst.operation}"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints a table or entries of a file of results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="a part of the operations' source")
    parser.add_argument("--blocks", type=int, default=21, help="of each, default: %(default)s")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["small"])
    parser.add_argument("--worst", action="store_true", help="print the slowest rows first")
    parser.add_argument("--json", action="store_true", help="print entries of a file of results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tinygrad_mnist.set_num_threads(1)
    kernels.warm_up()
    dispatch.images.switch()
    dispatch.draws.switch()
    dispatch.small.switch()
    rows = list(measure(options.only, options.blocks, options.sizes))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return 0
    print(f"{'µs':<48} {'ours':>8} {'PyTorch':>8} {'ratio':>6}")
    for row in sorted(rows, key=lambda row: -row.ratio) if options.worst else rows:
        name = f"{row.operation}{'  backward' if row.backward else ''}"
        ours, theirs = (median(seconds) * 1e6 for seconds in (row.ours, row.theirs))
        print(f"{name:<48} {ours:8.2f} {theirs:8.2f} {row.ratio:6.2f}")
    print(*summary(rows), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
