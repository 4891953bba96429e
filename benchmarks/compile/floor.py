"""What this machine can do at best: multiply and add, and read; and what a step needs of both."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numba
import numpy as np

from .tasks import Array, Task

_SIDE = 384
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


@dataclass
class Machine:
    """The best that was measured, block by block."""

    threads: int
    flops: list[float] = field(default_factory=list)
    bandwidths: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.square = rng.random((_SIDE, _SIDE), np.float32)
        self.out = np.empty_like(self.square)
        self.pieces = np.array_split(rng.random(_LARGE, np.float32), _PIECES)
        self.pool = ThreadPoolExecutor(self.threads)
        _sum(self.pieces[0][:8])

    def measure(self) -> None:
        """A product of large matrices, and the sum of a large array, several times."""
        for piece in self.pieces:
            begin = time.perf_counter()
            np.dot(self.square, self.square, self.out)
            self.flops.append(2 * _SIDE**3 / (time.perf_counter() - begin))
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

    def floor(self, task: Task) -> float:
        """The seconds that a logistic step takes at least: two products, and its pixels read."""
        products = 2 * 2 * task.batch * 784 * 10
        return max(products / self.peak, task.batch * 784 * 4 / self.bandwidth)
