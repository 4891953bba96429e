"""Choosing how a matrix product is computed: by measuring each way, once on this machine."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mnist.kernels import cache_folder

from .settings import config

_FEW = 16
_LONG = 32
"""Two registers of float32, the least that a loop takes from a row at once."""
_MOST_PRODUCTS = 1 << 26
"""Larger ones are BLAS's without measuring, which would take long."""
_ROUNDS = 25
_CALLS = 5
_PAUSE = 1e-4
"""Seconds."""
_COLD_BYTES = 16 << 20
"""More than the caches of a core hold: what was read so many bytes ago must be fetched again."""


_NEEDS = {
    "few_columns": (4, 5, _FEW, 1),
    "few_columns_transposed": (_LONG, 5, _FEW, 1),
    "dots": (4, 5, 0, 1),
    "outer": (5, _LONG, 0, 1),
    "add_few_columns_transposed": (_LONG, 5, _FEW, 1),
    "add_outer": (5, _LONG, 0, _FEW),
}
"""For each loop: the least m and n, the largest n (0: any), and what n is a multiple of."""
_LOOPS = {
    (True, True, False): ("add_few_columns_transposed", "add_outer"),
    (True, False, False): ("add_outer",),
    (False, False, True): ("dots",),
    (False, False, False): ("few_columns", "outer"),
    (False, True, False): ("few_columns_transposed", "outer"),
}
"""The loops for a product that is added or not, of a first and a second operand turned or not."""


@dataclass(frozen=True)
class Product:
    """A product of two matrices, (m, k) @ (k, n), each of which may be the transpose of one."""

    a_transposed: bool
    b_transposed: bool
    m: int
    k: int
    n: int
    dtype: Any
    new: bool = False
    """The first operand comes from outside, another with each call: no cache holds it yet."""
    added: bool = False
    """A multiple of the product is added to what is there."""

    def __str__(self) -> str:
        a, b = ("turned " if turned else "" for turned in (self.a_transposed, self.b_transposed))
        shapes = f"{a}{self.m}×{self.k} @ {b}{self.k}×{self.n}, {np.dtype(self.dtype)}"
        return f"{shapes}{', new' * self.new}{', added' * self.added}"

    def needs(self, name: str) -> str:
        """What must hold for a function of `products` to compute it, as source."""
        least_m, least_n, most_n, step = _NEEDS[name]
        needs = [f"{self.m} >= {least_m}", f"{self.n} >= {least_n}"]
        needs += [f"{self.n} <= {most_n}"] if most_n else []
        return " and ".join([*needs, f"{self.n} % {step} == 0"] if step > 1 else needs)

    def _fits(self, name: str) -> bool:
        least_m, least_n, most_n, step = _NEEDS[name]
        small = not most_n or self.n <= most_n
        return self.m >= least_m and self.n >= least_n and small and self.n % step == 0

    def candidates(self) -> list[str]:
        """The functions of `products` that can compute it; the first is BLAS's."""
        names = ["add_blas" if self.added else "blas"]
        if self.dtype != np.float32 or self.m * self.k * self.n > _MOST_PRODUCTS:
            return names
        layout = self.added, self.a_transposed, self.b_transposed
        return names + [name for name in _LOOPS.get(layout, ()) if self._fits(name)]

    def best(self) -> str:
        """The fastest of the candidates: measured, and remembered on the disk."""
        choices = _choices.get()
        return self._fastest() if choices is None else choices.made(self)

    def _fastest(self) -> str:
        names = self.candidates()
        if len(names) == 1:
            return names[0]
        case = f"{self}, shared"
        known = _known()
        if known.get(case) not in names and config.background:
            return names[0]  # to measure takes a compiler
        if known.get(case) not in names:
            chosen, earlier = self._measured(names), _on_disk()
            if earlier.get(case) in names:  # by another process meanwhile: its programs stand
                chosen = earlier[case]
            known |= earlier | {case: chosen}
            _keep(known)
        return known[case]

    def _measured(self, names: list[str]) -> str:
        from .loops import products

        rng = np.random.default_rng(0)
        shapes = (self.m, self.k)[:: -1 if self.a_transposed else 1], (self.k, self.n)
        a = rng.standard_normal(shapes[0]).astype(self.dtype)
        b = rng.standard_normal(shapes[1][:: -1 if self.b_transposed else 1]).astype(self.dtype)
        second, out = b.T if self.b_transposed else b, np.zeros((self.m, self.n), self.dtype)
        copies = min(1 + _COLD_BYTES // max(a.nbytes, 1), _CALLS * _ROUNDS) if self.new else 1
        every = np.tile(a, (copies, 1, 1))
        firsts = itertools.cycle([each.T if self.a_transposed else each for each in every])
        rest = (second, out, out.dtype.type(1e-3)) if self.added else (second, out)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(_ROUNDS + 1):
            for name in names:
                for first in itertools.islice(firsts, _CALLS):
                    _pause()
                    begin = time.perf_counter()
                    getattr(products, name)(first, *rest)
                    seconds[name].append(time.perf_counter() - begin)
        costs = {name: float(np.median(seconds[name][_CALLS:])) for name in names}
        return min(names, key=costs.__getitem__)


class Choices:
    """What was chosen for the products of a program that is written for several sizes.

    What was chosen when it was first written, as if for the `typical` sizes, is chosen again.
    """

    def __init__(self, sizes: Sequence[int], typical: Sequence[int], few: bool) -> None:
        self.few = few
        """Whether there may be fewer images than fill a register."""
        self._sizes = tuple(zip(sizes, typical, strict=True))
        self._known: list[str] = []
        self._rest: Iterator[str] | None = None

    def replay(self) -> None:
        """Choose the same again, in the same order."""
        self._rest = iter(self._known)

    def made(self, product: Product) -> str:
        """The function that computes a product."""
        if self._rest is not None:
            return next(self._rest, "")
        m, k, n = map(self._typical, (product.m, product.k, product.n))
        self._known.append(replace(product, m=m, k=k, n=n)._fastest())
        return self._known[-1]

    def _typical(self, number: int) -> int:
        for size, typical in self._sizes:
            if number % size == 0:
                number = number // size * typical
        return number


_choices: ContextVar[Choices | None] = ContextVar("choices", default=None)


@contextlib.contextmanager
def choosing(choices: Choices) -> Iterator[None]:
    """Let these choices stand inside a `with` block."""
    token = _choices.set(choices)
    try:
        yield
    finally:
        _choices.reset(token)


def for_any_size() -> bool:
    """Whether a program is written for any size, so that a loop may be called with too few."""
    return _choices.get() is not None


def may_be_few() -> bool:
    """Whether a program is written that must do for batches of a few images."""
    choices = _choices.get()
    return choices is not None and choices.few


def _pause() -> None:
    """Do something else, as a step does between products: threads of BLAS may fall asleep."""
    end = time.perf_counter() + _PAUSE
    while time.perf_counter() < end:
        pass


@functools.cache
def _file() -> Path | None:
    """Where the choices for this kind of processor are remembered, if anywhere."""
    from llvmlite.binding import get_host_cpu_name

    folder = cache_folder.for_code()
    return None if folder is None else folder / f"products-{get_host_cpu_name()}.json"


@functools.cache
def _known() -> dict[str, str]:
    return _on_disk()


def _on_disk() -> dict[str, str]:
    file = _file()
    try:
        found = {} if file is None else json.loads(cache_folder.read(file))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(known: dict[str, str]) -> None:
    """Remember the choices for other processes; where the disk refuses, for this one alone."""
    file = _file()
    if file is not None:
        cache_folder.keep(file, json.dumps(known).encode())
