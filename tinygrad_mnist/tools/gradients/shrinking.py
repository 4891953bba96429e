"""The smallest inputs that fail alike: by Hypothesis where it is installed, else by halving."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["fitting", "smallest"]

Array = np.ndarray[Any, Any]
Fails = Callable[[Sequence[Array]], bool]
_NUMBERS = 48
"""The most numbers that Hypothesis is asked for."""
_EXAMPLES = 60


def smallest(arrays: Sequence[Array], fails: Fails) -> list[Array] | None:
    """The smallest inputs found for which `fails` is true; None where they are those given.

    None as well inside of a test of Hypothesis, which shrinks by itself. Each size is that of all
    dimensions which have it in `arrays`: they shrink together.
    """
    if _in_a_search():
        return None
    sizes = _halved(arrays, fails)
    found = _cut(arrays, sizes)
    if importlib.util.find_spec("hypothesis") is not None:
        found = _searched(arrays, sizes, fails)
    same = all(a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
               for a, b in zip(arrays, found, strict=True))  # fmt: skip
    return None if same else found


def _in_a_search() -> bool:
    if "hypothesis" not in sys.modules:
        return False
    return bool(sys.modules["hypothesis"].currently_in_test_context())


def fitting(arrays: Sequence[Array], fails: Fails, most: int = 64) -> list[Array]:
    """The inputs with their largest sizes halved, while that fails, to `most` elements each."""
    sizes = {n: n for each in arrays for n in each.shape}
    done: set[int] = set()
    while True:
        large = [each for each in _cut(arrays, sizes) if each.size > most]
        left = [n for n in sizes if sizes[n] > 1 and n not in done]
        if not large or not left:
            return _cut(arrays, sizes)
        size = max(left, key=lambda n: sizes[n])
        smaller = sizes | {size: _half(sizes[size])}
        if fails(_cut(arrays, smaller)):
            sizes = smaller
        else:
            done.add(size)


def _cut(arrays: Sequence[Array], sizes: dict[int, int]) -> list[Array]:
    """The first so many of each dimension, by its size."""
    return [each[tuple([slice(sizes.get(n, n)) for n in each.shape])] for each in arrays]


def _halved(arrays: Sequence[Array], fails: Fails) -> dict[int, int]:
    """For each size a smaller one: halved while that fails, then made smaller by one."""
    sizes = {n: n for n in sorted({n for each in arrays for n in each.shape}, reverse=True)}
    for size in sizes:
        for smaller in (_half, _less):
            while sizes[size] > 1 and fails(_cut(arrays, sizes | {size: smaller(sizes[size])})):
                sizes[size] = smaller(sizes[size])
    return sizes


def _half(size: int) -> int:
    return size // 2


def _less(size: int) -> int:
    return size - 1


def _searched(arrays: Sequence[Array], sizes: dict[int, int], fails: Fails) -> list[Array]:
    """What Hypothesis shrinks to: sizes and simple numbers."""
    import hypothesis
    from hypothesis import strategies as st

    cut = _cut(arrays, sizes)
    if sum(each.size for each in cut) > _NUMBERS:
        return cut

    @st.composite
    def smaller(draw: st.DrawFn) -> list[Array]:
        drawn = {n: draw(st.integers(1, most)) for n, most in sizes.items()}
        return [_drawn(draw, st, each, drawn) for each in arrays]

    known: dict[bytes, bool] = {}

    def tried(candidate: list[Array]) -> bool:
        key = b"".join([repr(each.shape).encode() + each.tobytes() for each in candidate])
        if key not in known:
            if len(known) >= 4 * _EXAMPLES:  # enough: nothing more is smaller
                return False
            known[key] = fails(candidate)
        return known[key]

    settings = hypothesis.settings(
        database=None, derandomize=True, deadline=None, max_examples=_EXAMPLES,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    with contextlib.suppress(hypothesis.errors.NoSuchExample, hypothesis.errors.Flaky):
        return list(hypothesis.find(smaller(), tried, settings=settings))
    return cut


def _drawn(draw: Any, st: Any, array: Array, sizes: dict[int, int]) -> Array:
    """An array of these sizes, of the dtype and within the range of one: simple numbers."""
    shape = tuple(sizes.get(n, n) for n in array.shape)
    count = int(np.prod(shape, dtype=int))
    if array.dtype.kind == "b":
        numbers = st.booleans()
    elif array.dtype.kind == "f":
        low = 1 if array.size and array.min() > 0 else -12
        numbers = st.integers(low, 12).map(lambda n: n / 4)
    else:
        numbers = st.integers(int(array.min(initial=0)), int(array.max(initial=0)))
    drawn = draw(st.lists(numbers, min_size=count, max_size=count))
    return np.array(drawn, array.dtype).reshape(shape)
