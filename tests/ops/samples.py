"""Hypothesis strategies for what operations are tried on: shapes, types, layouts, numbers.

Hypothesis chooses shapes, types, layouts and the kind of numbers; the numbers themselves come from
a seed, which is far faster than drawing each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.ops.harness import Sample

FLOATS = ("float32", "float64")
INTEGERS = ("int64", "int32", "uint8")
KINDS = (*FLOATS, *FLOATS, *INTEGERS, "bool")
NUMBERS = ("halves", "normal", "special")
FINITE = ("halves", "normal")
LAYOUTS = ("plain", "plain", "transposed", "expanded")
OWN_MEMORY = ("plain", "transposed")

seeds = st.integers(0, 2**16)
python_numbers = st.sampled_from([2, -1, 0, 3, True, 0.5, -2.0, 1.0, 2.5])


def shapes(max_dims: int = 3, min_side: int = 0, min_dims: int = 0, max_side: int = 3) -> Any:
    """Shapes; sizes of 0 are rare, for they leave nothing to compare."""
    low = max(min_side, 1)
    side = st.integers(low, max_side)
    if min_side == 0:
        side = st.one_of(side, side, side, st.integers(0, max_side))
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


def filled(shape: tuple[int, ...], dtype: str, numbers: str, seed: int) -> np.ndarray:
    """An array of a kind of numbers: "halves" (ties and zeros), "normal", "special" (infinities,
    NaN, very large and very small among halves), "positive", "unit" (between 0 and 1)."""
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if dtype == "uint8":
        return np.where(
            random.integers(0, 4, shape) == 0,
            random.integers(0, 256, shape),
            random.integers(0, 6, shape),
        ).astype(np.uint8)
    if dtype.startswith("int"):
        return random.integers(1 if numbers == "positive" else -4, 5, shape).astype(dtype)
    if numbers == "normal":
        return np.asarray(random.normal(0, 3, shape), dtype)
    if numbers == "positive":
        return np.asarray(random.uniform(0.1, 4, shape), dtype)
    if numbers == "unit":
        return np.asarray(random.uniform(0.02, 0.98, shape), dtype)
    halves = np.asarray(random.integers(-6, 7, shape) / 2, dtype)
    if numbers == "halves":
        return halves
    strange = random.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -0.0], shape)
    return np.where(random.integers(0, 3, shape) == 0, strange, halves).astype(dtype)


@st.composite
def arrays(
    draw: Any,
    shape: Any = None,
    kinds: tuple[str, ...] = FLOATS,
    numbers: tuple[str, ...] = NUMBERS,
    layouts: tuple[str, ...] = LAYOUTS,
) -> np.ndarray:
    """An array, perhaps transposed or with strides of 0."""
    size = draw(shapes()) if shape is None else draw(shape) if hasattr(shape, "map") else shape
    dtype, numbers_kind = draw(st.sampled_from(kinds)), draw(st.sampled_from(numbers))
    layout = draw(st.sampled_from(layouts))
    seed = draw(seeds)
    if layout == "transposed":
        return filled(size[::-1], dtype, numbers_kind, seed).T
    if layout == "expanded" and size and min(size) > 0:
        axis = seed % len(size)
        narrow = (*size[:axis], 1, *size[axis + 1 :])
        return np.broadcast_to(filled(narrow, dtype, numbers_kind, seed), size)
    return filled(size, dtype, numbers_kind, seed)


@st.composite
def unary(draw: Any, shape: Any = None, kinds: Any = KINDS, numbers: Any = NUMBERS,
          **options: Any) -> Sample:  # fmt: skip
    """One tensor, and options drawn from the strategies given."""
    array = draw(arrays(shape, kinds, numbers))
    drawn = {name: draw(strategy) for name, strategy in options.items()}
    return Sample([array], drawn, draw(seeds))


@st.composite
def broadcast_shapes(draw: Any, count: int, fitting: bool = True) -> list[tuple[int, ...]]:
    """Shapes that broadcast together, now and then shapes that do not."""
    full = draw(shapes())
    found = []
    for _ in range(count):
        kept = full[draw(st.integers(0, len(full))) :]
        found.append(tuple(n if draw(st.integers(0, 3)) else 1 for n in kept))
    if not fitting and draw(st.integers(0, 9)) == 0:
        found[-1] = (*found[-1], 2)
    return found


@st.composite
def binary(
    draw: Any,
    kinds: Any = KINDS,
    numbers: Any = NUMBERS,
    scalars: str = "either",
    **options: Any,
) -> Sample:
    """Two tensors that broadcast; in `scalars` ("either", "second", "none") a Python number."""
    first, second = draw(broadcast_shapes(2, fitting=False))
    x, y = draw(arrays(first, kinds, numbers)), draw(arrays(second, kinds, numbers))
    arguments: list[Any] = [x, y]
    way = draw(st.sampled_from(("both", "both", "both", "same", "first", "second")))
    if way == "first" and scalars == "either":
        arguments[0] = draw(python_numbers)
    if way == "second" and scalars != "none":
        arguments[1] = draw(python_numbers)
    drawn = {name: draw(strategy) for name, strategy in options.items()}
    return Sample(arguments, drawn, draw(seeds), same=way == "same")


@st.composite
def dims(draw: Any, ndim: int, many: bool = True, none: bool = True) -> Any:
    """What `dim` may be for a tensor of `ndim` dimensions; now and then out of range."""
    span = max(ndim, 1)
    ways = ["one", "one"] + (["many"] if many else []) + (["none"] if none else [])
    way = draw(st.sampled_from(ways))
    if way == "none":
        return None
    if way == "one":
        reach = span + (draw(st.integers(0, 7)) == 0)
        return draw(st.integers(-reach, reach - 1))
    count = draw(st.integers(1, span))
    chosen = draw(st.permutations(range(span)))[:count]
    return tuple(d - span if draw(st.booleans()) else d for d in chosen)


@st.composite
def reduced(
    draw: Any,
    kinds: Any = KINDS,
    numbers: Any = NUMBERS,
    many: bool = True,
    none: bool = True,
    keepdim: bool = True,
    shape: Any = None,
    layouts: tuple[str, ...] = LAYOUTS,
    **options: Any,
) -> Sample:
    """A tensor, and the dimensions to reduce."""
    array = draw(arrays(shape, kinds, numbers, layouts))
    drawn = {name: draw(strategy) for name, strategy in options.items()}
    dim = draw(dims(array.ndim, many, none))
    if dim is not None or not none:
        drawn["dim"] = dim
        if keepdim:
            drawn["keepdim"] = draw(st.booleans())
    return Sample([array], drawn, draw(seeds))
