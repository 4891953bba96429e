"""Small operations beside PyTorch's, in eager mode, one thread: `python -m benchmarks.operations`.

Each operation is called with numbers of 32×32 or 64 that require gradients where PyTorch
differentiates it, so that a record is left; its backward pass is timed alone, of one graph that is
kept. Both engines take turns in short blocks and the processor's time counts, so that whatever
else the machine does meets both alike. Shown are medians in microseconds and their ratio.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
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

DIFFERENTIABLE = """
    x + y; x - y; x * y; x / y; x + 1; 2 * x; 1 - x; x ** 2; -x; x + v32; x @ y
    x.abs(); x.exp(); p.log(); p.sqrt(); x.sin(); x.tanh(); x.sigmoid(); x.relu(); x.square()
    F.gelu(x); F.silu(x); F.leaky_relu(x); F.softplus(x); F.elu(x); x.clamp(-1, 1); x.clamp(min=0)
    t.maximum(x, y); t.minimum(x, y); t.where(mask, x, y); t.where(mask, x, 0.0)
    t.addcmul(x, x, y); t.lerp(x, y, 0.5); t.hypot(x, y); t.logaddexp(x, y)
    x.sum(); x.sum(0); x.sum(-1, keepdim=True); x.mean(); x.mean(1); x.max(); x.max(1)[0]; x.amax(1)
    x.var(); x.std(0); x.norm(); x.logsumexp(1); v.prod(); x.cumsum(1); x.softmax(-1)
    x.log_softmax(-1); F.cross_entropy(x, labels); F.nll_loss(x, labels); F.mse_loss(x, y)
    F.l1_loss(x, y); F.smooth_l1_loss(x, y); F.huber_loss(x, y)
    F.binary_cross_entropy(s, ones); F.binary_cross_entropy_with_logits(x, ones)
    t.mm(x, y); v @ w; t.dot(v, w); t.mv(x, v32); t.bmm(b, b); t.addmm(v32, x, y); t.outer(v, w)
    F.linear(x, y, v32); t.einsum('ij,kj->ik', x, y); t.matmul(b, x)
    x.reshape(64, 16); x.view(-1); x.t(); x.transpose(0, 1); b.permute(2, 0, 1); x.unsqueeze(0)
    x.flatten(); row.expand(32, 32); row.squeeze(0); x.contiguous(); x.clone(); x.double()
    t.cat([x, y]); t.cat([x, y], 1); t.stack([x, y]); x.split(16)[0]; x.chunk(2, 1)[1]
    x.unbind(0)[0]; x[0]; x[:, 1:3]; x[3, 4]; x[index]; x[:, index]; x[mask]; x[None]; v[::2]
    x.gather(1, column); x.index_select(0, index); x.masked_fill(mask, 0.0); F.embedding(index, x)
    x.scatter_add(1, places, y); x.sort(1)[0]; x.topk(3, 1)[0]; x.tril(); x.flip(0); x.roll(1, 0)
    F.layer_norm(x, (32,), v32, v32); F.batch_norm(x, None, None, v32, v32, True)
    F.dropout(x, 0.5); F.normalize(x); F.pad(x, (1, 1)); F.conv2d(image, filters)
    F.max_pool2d(image, 2); F.avg_pool2d(image, 2)
"""
PLAIN = """
    c == d; c > d; c > 0; mask & mask; ~mask; c.argmax(1); c.any(); mask.all(); c.isnan(); c.sign()
    c.add_(d, alpha=1e-9); c.mul_(1.0); c.copy_(d); c.zero_(); d.detach(); c[0, 0].item()
    c.sum().item(); c[0] = 1.0; c[:, 1:3] = 0.0; t.zeros(32, 32); t.ones(64); t.full((64,), 2.0)
    t.arange(64); t.tensor([1.0, 2.0]); t.zeros_like(c); t.empty(64); t.linspace(0, 1, 64); t.eye(8)
    t.rand(64); t.randn(64); t.randn(5); t.randint(10, (64,)); t.randperm(64); t.bernoulli(chances)
    c.shape; c.size(0); c.dim(); c.tolist(); c.numpy(); c.float(); c.to(t.float32); d.numel()
"""


@dataclass(frozen=True)
class Row:
    """One pass of one operation, in microseconds."""

    operation: str
    backward: bool
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Our time in PyTorch's."""
        return self.ours / self.theirs


def operands(engine: Any) -> dict[str, Any]:
    """What the names in the tables mean, for one engine."""
    rng = np.random.default_rng(0)
    shapes = {
        "x": (32, 32), "y": (32, 32), "v": (64,), "w": (64,), "v32": (32,), "b": (4, 32, 32),
        "row": (1, 32), "image": (2, 3, 8, 8), "filters": (4, 3, 3, 3),
    }  # fmt: skip
    drawn = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    drawn |= {"p": rng.uniform(0.1, 2, (32, 32)), "s": rng.uniform(0.1, 0.9, (32, 32))}
    tensors = {
        name: engine.tensor(numbers, dtype=engine.float32, requires_grad=True)
        for name, numbers in drawn.items()
    }
    return tensors | {
        "t": engine,
        "F": engine.nn.functional,
        "mask": engine.tensor(rng.random((32, 32)) < 0.5),
        "labels": engine.tensor(rng.integers(0, 32, 32)),
        "index": engine.tensor(rng.integers(0, 32, 8)),
        "column": engine.tensor(rng.integers(0, 32, (32, 1))),
        "places": engine.tensor(rng.integers(0, 32, (32, 32))),
        "ones": engine.ones(32, 32),
        "c": engine.tensor(drawn["x"], dtype=engine.float32),
        "d": engine.tensor(drawn["y"], dtype=engine.float32),
        "chances": engine.full((64,), 0.3),
    }


def called(source: str, names: dict[str, Any], calls: int) -> Callable[[], float]:
    """A block of so many calls, which tells the time of one in µs."""
    body = f"def block():\n    begin = clock()\n    for _ in range({calls}):\n        {source}\n"
    scope = {**names, "clock": time.thread_time}
    exec(body + f"    return (clock() - begin) / {calls} * 1e6", scope)
    block: Callable[[], float] = scope["block"]
    return block


def compare(source: str, names: Sequence[dict[str, Any]], blocks: int) -> tuple[float, float]:
    """The medians of both engines over blocks that take turns."""
    for each in names:
        called(source, each, 3)()
    calls = [max(1, int(BLOCK * 1e6 / called(source, each, 10)())) for each in names]
    timed = [called(source, each, count) for each, count in zip(names, calls, strict=True)]
    times: list[list[float]] = [[], []]
    for _ in range(blocks):
        for block, spent in zip(timed, times, strict=True):
            spent.append(block())
    return median(times[0]), median(times[1])


def measure(only: str, blocks: int) -> list[Row]:
    """All rows whose operation contains a text."""
    names = [operands(engine) for engine in (tinygrad_mnist, torch)]
    rows = []
    for source in expressions(DIFFERENTIABLE, only):
        rows.append(Row(source, False, *compare(source, names, blocks)))
        graphs = []
        for each in names:
            out = eval(source, each)
            used = [each.get(name) for name in dict.fromkeys(re.findall(r"\w+", source))]
            leaves = [value for value in used if getattr(value, "requires_grad", False)]
            graphs.append({
                "grad": each["t"].autograd.grad, "out": out, "leaves": leaves,
                "ones": each["t"].ones_like(out),
            })  # fmt: skip
        backward = "grad(out, leaves, ones, retain_graph=True)"
        rows.append(Row(source, True, *compare(backward, graphs, blocks)))
    for source in expressions(PLAIN, only):
        rows.append(Row(source, False, *compare(source, names, blocks)))
    return rows


def expressions(table: str, only: str) -> list[str]:
    """The operations of a table."""
    found = [each.strip() for line in table.strip().splitlines() for each in line.split(";")]
    return [each for each in found if only in each]


def summary(rows: Sequence[Row]) -> str:
    """The median and the worst, beside the marks."""
    lines = []
    for name, backward in (("forward", False), ("backward", True), ("both", None)):
        chosen = [row for row in rows if backward in (None, row.backward)]
        if chosen:
            ratios = [row.ratio for row in chosen]
            worst = max(chosen, key=lambda row: row.ratio)
            over = sum(ratio > MARK for ratio in ratios)
            lines.append(
                f"{name:<9} {len(chosen):4} rows, median {median(ratios):.2f} (mark {MEDIAN:g}), "
                f"{over} over {MARK:g}; worst {worst.ratio:.2f}: {worst.operation}"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table, and writes it as JSON if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="a part of the operations' source")
    parser.add_argument("--blocks", type=int, default=21, help="of each, default: %(default)s")
    parser.add_argument("--worst", action="store_true", help="print the slowest rows first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tinygrad_mnist.set_num_threads(1)
    kernels.warm_up()
    dispatch.images.switch()
    dispatch.draws.switch()
    dispatch.small.switch()
    rows = measure(options.only, options.blocks)
    shown = sorted(rows, key=lambda row: -row.ratio) if options.worst else rows
    print(f"{'µs':<48} {'ours':>8} {'PyTorch':>8} {'ratio':>6}")
    for row in shown:
        name = f"{row.operation}{'  backward' if row.backward else ''}"
        print(f"{name:<48} {row.ours:8.2f} {row.theirs:8.2f} {row.ratio:6.2f}")
    print(summary(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
