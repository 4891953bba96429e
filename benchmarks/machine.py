"""The machine: what it is, what else it does now, and what it can do at best."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from tinygrad_mnist.kernels import dispatch

from .jobs import LAYERS, LENGTH, WIDTH, Array, Job

dispatch.prepare()
from tinygrad_mnist.kernels.register_tiles import added, along, nothing, put  # noqa: E402
from tinygrad_mnist.kernels.simd import LANES, spread  # noqa: E402

PACKAGES = (
    "numpy",
    "numba",
    "torch",
    "jax",
    "jaxlib",
    "autograd",
    "mygrad",
    "tinygrad",
    "micrograd",
)
_LARGE = 64 << 20
"""Numbers of four bytes: more than caches hold."""
_PIECES = 32
"""They are read in pieces, each soon done, so that other programs leave some undisturbed."""


@numba.njit(nogil=True, fastmath=True)
def _sum(numbers: Array) -> float:
    total = np.float32(0)
    for i in range(numbers.size):
        total += numbers[i]
    return total


_SUMS = 16
"""Registers that are added to in turn: enough for no addition to wait for another."""
_TURNS = 50_000


@numba.njit(nogil=True)
def _multiply_and_add(numbers: Array, sums: Array, turns: int) -> None:
    """Nothing but fused multiplications and additions, in registers."""
    x, y = along(numbers, 0), along(numbers, 4)
    p, q = spread(numbers[8]), spread(numbers[9])
    a, b, c, d = nothing(), nothing(), nothing(), nothing()
    for _ in range(turns):
        a, b, c, d = added(a, p, x), added(b, q, x), added(c, p, y), added(d, q, y)
    put(sums, 0, 0, a)
    put(sums, 4, 0, b)
    put(sums, 8, 0, c)
    put(sums, 12, 0, d)


@dataclass
class Limits:
    """What the machine does at best: multiply and add, and read; measured block by block."""

    threads: int
    flops: list[float] = field(default_factory=list)
    bandwidths: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.numbers = rng.random(16, np.float32)
        self.pieces = np.array_split(rng.random(_LARGE, np.float32), _PIECES)
        self.pool = ThreadPoolExecutor(self.threads)
        _sum(self.pieces[0][:8])
        self.sums = np.empty((self.threads, _SUMS, LANES), np.float32)
        _multiply_and_add(self.numbers, self.sums[0], 1)

    def measure(self) -> None:
        """What registers multiply and add, and the sum of a large array, several times."""
        with threadpool_limits(self.threads):
            self._measure()

    def _measure(self) -> None:
        for piece in self.pieces:
            begin = time.perf_counter()
            list(self.pool.map(lambda out: _multiply_and_add(self.numbers, out, _TURNS), self.sums))
            done = 2 * self.sums.size * _TURNS
            self.flops.append(done / (time.perf_counter() - begin))
            parts = np.array_split(piece, self.threads)
            begin = time.perf_counter()
            list(self.pool.map(_sum, parts))
            self.bandwidths.append(piece.nbytes / (time.perf_counter() - begin))

    @property
    def peak(self) -> float:
        """Floating point operations a second, the best block."""
        return max(self.flops)

    @property
    def bandwidth(self) -> float:
        """Bytes a second, the best block."""
        return max(self.bandwidths)

    def floor(self, job: Job) -> float:
        """The seconds that a step takes at least: its products, or its examples read."""
        return max(products(job) / self.peak, job.batch * job.x[0, 0].nbytes / self.bandwidth)


def traffic(job: Job) -> float:
    """The bytes that a step has to move at least: examples and weights read, weights written."""
    return job.x[0].nbytes + 2 * sum(array.nbytes for array in job.weights.values())


def products(job: Job) -> float:
    """Floating point operations in a step's products of matrices, forward and backward.

    A layer has three products of the same size: forward, by its weights, by its inputs; the first
    layer lacks the last.
    """
    layers = []
    side = 28
    for array in job.weights.values():
        if array.ndim == 4:
            side = (side + 1) // 2
            layers.append(2.0 * array.size * side * side)
        elif array.ndim == 2:
            layers.append(2.0 * array.size)
    if job.model == "transformer":
        looked_up = 2.0 * sum(job.weights[name].size for name in ("token", "place"))
        attention = LAYERS * 2 * 2.0 * LENGTH * WIDTH
        return 3 * job.batch * LENGTH * (sum(layers) - looked_up + attention)
    return job.batch * (3 * sum(layers) - layers[0])
