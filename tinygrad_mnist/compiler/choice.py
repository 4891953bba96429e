"""Choosing how a matrix product is computed: by measuring each way, once on this machine."""

from __future__ import annotations

import functools
import itertools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mnist.kernels.switch import cache_directory
from tinygrad_mnist.threads import get_num_threads

_FEW = 16
_MOST_PRODUCTS = 1 << 24
"""Larger ones are BLAS's without measuring, which would take long."""
_ROUNDS = 15
_CALLS = 5
_COLD_BYTES = 16 << 20
"""More than the caches of a core hold: what was read so many bytes ago must be fetched again."""


def candidates(a_turned: bool, b_turned: bool, m: int, k: int, n: int, dtype: Any) -> list[str]:
    """The functions of `products` that can compute (m, k) @ (k, n) with operands lying so."""
    names = ["blas"]
    if dtype == np.float32 and not a_turned and not b_turned and 5 <= n <= _FEW and m >= 2:
        names.append("few_columns")
    if dtype == np.float32 and a_turned and not b_turned and 5 <= n <= _FEW and k % 4 == 0:
        names.append("few_columns_turned")
    if a_turned and not b_turned and 5 <= m <= _FEW and k % 4 == 0:
        names.append("few_rows_turned")
    if not a_turned and b_turned and 5 <= n <= _FEW and m >= 2:
        names.append("few_columns_in_rows")
    if not a_turned and b_turned and m >= 4 and n >= 4 and m * k * n <= _MOST_PRODUCTS:
        names.append("rows_by_rows")
    return names


def best(
    a_turned: bool, b_turned: bool, m: int, k: int, n: int, dtype: Any, new: bool = False
) -> str:
    """The fastest of the candidates: measured, and remembered on the disk.

    `new` tells that the first operand comes from outside, another batch with each call, so that no
    cache holds it yet; it is measured so.
    """
    names = candidates(a_turned, b_turned, m, k, n, dtype)
    if len(names) == 1:
        return names[0]
    lying = ("turned " if turned else "" for turned in (a_turned, b_turned))
    shapes = " @ ".join(f"{word}{x}×{y}" for word, x, y in zip(lying, (m, k), (k, n), strict=True))
    case = f"{shapes}, {np.dtype(dtype)}, {get_num_threads()} threads{', new' * new}"
    known = _known()
    if known.get(case) not in names:
        known[case] = _measured(names, a_turned, b_turned, m, k, n, dtype, new)
        _keep(known)
    return known[case]


def _measured(
    names: list[str], a_turned: bool, b_turned: bool, m: int, k: int, n: int, dtype: Any, new: bool
) -> str:
    from . import products

    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if a_turned else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if b_turned else (k, n)).astype(dtype)
    turned_b, out = b.T if b_turned else b, np.empty((m, n), dtype)
    copies = min(1 + _COLD_BYTES // max(a.nbytes, 1), _CALLS * _ROUNDS) if new else 1
    firsts = itertools.cycle([each.T if a_turned else each for each in np.tile(a, (copies, 1, 1))])
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(_ROUNDS + 1):
        for name in names:
            begin = time.perf_counter()
            for first in itertools.islice(firsts, _CALLS):
                getattr(products, name)(first, turned_b, out)
            seconds[name].append(time.perf_counter() - begin)
    return min(names, key=lambda name: statistics.median(seconds[name][1:]))


def _file() -> Path:
    return cache_directory().parent / "products.json"


@functools.cache
def _known() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(known: dict[str, str]) -> None:
    """Remember the choices for other processes; where the disk refuses, for this one alone."""
    path = _file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, delete=False, encoding="utf-8"
        ) as file:
            json.dump(known, file)
        os.replace(file.name, path)
    except OSError:
        return
