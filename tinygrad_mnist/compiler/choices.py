"""Choosing how a matrix product is computed: by its layout and its sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mnist.kernels.team import LEAST

_FEW = 16
_LONG = 32
"""Two registers of float32, the least that a loop takes from a row at once."""
_MOST_PRODUCTS = 1 << 26
"""Larger ones are BLAS's."""
_WORTH = 1 << 16
"""Multiplications from which on a loop is worth laying an operand out for."""
_MANY = 10_000
"""Numbers of a first operand whose rows are worth a loop."""

_LARGE = 4 * LEAST
"""Work for some threads."""
_SHARED = "shared"
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
    added: bool = False
    """A multiple of the product is added to what is there."""

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
        """The one of the candidates to take; the same on every machine and in every run."""
        choices = _choices.get()
        return self.fastest() if choices is None else choices.made(self)

    def fastest(self) -> str:
        """The one that was fastest where all were measured, on a processor with AVX-512."""
        names = self.candidates()
        loops = [name for name in names[1:] if self._pays(name)]
        return (loops or names)[0]

    def _pays(self, name: str) -> bool:
        m, k, n = self.m, self.k, self.n
        if self.added:
            return True
        if self.a_transposed:
            return m * k * n >= _WORTH
        if name == "dots":
            return k >= 4 * n and m * k > _MANY
        return m >= 40 and k > n if name == "few_columns" else m >= 1024 and n >= 4 * k


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
        self._known.append(replace(product, m=m, k=k, n=n).fastest())
        return self._known[-1]

    def large(self, work: int) -> bool:
        """Whether a loop of so much work is shared."""
        if self._rest is not None:
            return next(self._rest, "") == _SHARED
        self._known.append(_SHARED * (self._typical(work) >= _LARGE))
        return self._known[-1] == _SHARED

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


def is_large(work: int) -> bool:
    """Whether a loop of so many multiplications is written so that threads can share it."""
    choices = _choices.get()
    return work >= _LARGE if choices is None else choices.large(work)


def for_any_size() -> bool:
    """Whether a program is written for any size, so that a loop may be called with too few."""
    return _choices.get() is not None


def may_be_few() -> bool:
    """Whether a program is written that must do for batches of a few images."""
    choices = _choices.get()
    return choices is not None and choices.few
