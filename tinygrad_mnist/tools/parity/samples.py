"""Samples: arrays of given numbers laid out in the ways that break things, and arguments of calls.

All choices are integers (`Pick`): from a seed, or from Hypothesis, which shrinks them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec

import numpy as np

from .twins import arrays_of, read

__all__ = [
    "LAYOUTS", "NUMBERS", "SITUATIONS", "Inputs", "Maker", "Pick", "Sample", "filled",
    "index_expression", "laid_out", "parametrized", "sample",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Options = ParamSpec("Options")

LAYOUTS = ("contiguous", "transposed", "gaps", "offset", "expanded")
"""In order; dimensions reversed; every second number; not from the start; with strides of 0."""

NUMBERS = ("ordinary", "halves", "positive", "unit", "special")
"""Normally distributed; −3, −2.5, … 3, with ties and zeros; from 0.1 to 4; between 0 and 1; and
with NaN, infinities, −0, the very large and the very small among halves."""

_STRANGE = (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -0.0)


def filled(shape: tuple[int, ...], dtype: Any, numbers: str, seed: int) -> Array:
    """An array of `numbers` (one of `NUMBERS`) that `seed` fixes; integers are small, bools both.

    >>> filled((4,), "float32", "halves", seed=0)
    array([ 2.5,  1. ,  0. , -1.5], dtype=float32)
    """
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if kind.kind in "iu":
        low = 1 if numbers == "positive" else 0 if kind.kind == "u" else -4
        return random.integers(low, 6, shape).astype(kind)
    if numbers == "ordinary":
        drawn = random.normal(0, 2, shape)
    elif numbers == "positive":
        drawn = random.uniform(0.1, 4, shape)
    elif numbers == "unit":
        drawn = random.uniform(0.02, 0.98, shape)
    else:
        drawn = random.integers(-6, 7, shape) / 2
    if numbers == "special":
        strange = random.choice(_STRANGE, shape)
        drawn = np.where(random.integers(0, 3, shape) == 0, strange, drawn)
    return np.asarray(drawn, kind)


def laid_out(array: Array, layout: str) -> Array:
    """An array of the same shape that lies in memory as `layout` (one of `LAYOUTS`) says.

    The numbers are the same too, save for "expanded", where one dimension repeats its first.

    >>> import numpy as np
    >>> laid_out(np.zeros((2, 3)), "transposed").strides
    (8, 16)
    """
    if layout == "transposed":
        return np.asfortranarray(array)
    if array.ndim and layout == "gaps":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if array.ndim and layout == "offset":
        return np.concatenate([array[:1], array])[1:]
    if layout == "expanded" and array.size > 1:
        axis = array.size % array.ndim
        first = array[(slice(None),) * axis + (slice(0, 1),)]
        return np.broadcast_to(first, array.shape)
    return array


Pick = Callable[[int, int], int]
"""Chooses an integer from the first number to the second, both included."""


def index_expression(pick: Pick, shape: Sequence[int], *, arrays: bool = True) -> Any:
    """An index expression for a tensor of this shape.

    Integers, slices with positive steps, None, `...`, and with `arrays` either lists and arrays of
    integers, all of one length or of length 1, or a mask.
    """
    left = list(shape)
    parts: list[Any] = []
    length = pick(0, 3) if arrays else None
    while left and pick(0, 4) > 0:
        if pick(0, 5) == 0:
            parts.append(None)
            continue
        part, used = _part(pick, tuple(left), length)
        if isinstance(part, np.ndarray) and part.dtype == bool:
            length = None
        parts.append(part)
        del left[:used]
    if pick(0, 3) == 0:
        parts.append(Ellipsis)
        if left and pick(0, 1) == 0:
            parts.append(_slice(pick, left[-1]))
    bare = len(parts) == 1 and pick(0, 1) == 0
    return parts[0] if bare else tuple(parts)


def _part(pick: Pick, shape: tuple[int, ...], length: int | None) -> tuple[Any, int]:
    """One part of an index, and how many dimensions it takes.

    It may be an array of this `length`, or, where that is 0, a mask.
    """
    size = shape[0]
    ways = ["slice", "slice"] + (["integer"] if size else [])
    if length == 0:
        ways += ["mask"]
    elif length is not None and size:
        ways += ["array", "list"]
    way = ways[pick(0, len(ways) - 1)]
    if way == "slice":
        return _slice(pick, size), 1
    if way == "integer":
        return pick(-size, size - 1), 1
    if way == "mask":
        taken = pick(1, min(2, len(shape)))
        return filled(shape[:taken], bool, "ordinary", pick(0, 2**16)), taken
    chosen = [pick(-size, size - 1) for _ in range(length if length and pick(0, 2) else 1)]
    return (chosen if way == "list" else np.array(chosen)), 1


def _slice(pick: Pick, size: int) -> slice:
    first, last = (pick(-size - 1, size + 1) if pick(0, 1) else None for _ in range(2))
    return slice(first, last, (None, 1, 2, 3)[pick(0, 3)])


SITUATIONS = (
    "ordinary", "float64", "scalar", "empty", "single", "broadcast", "transposed", "gaps", "offset",
    "expanded", "halves", "special", "integers", "bools", "mixed", "numbers",
)  # fmt: skip
"""Float32; float64; 0-d; a size of 0; sizes of 1; shapes that broadcast; four layouts in memory;
ties and zeros; NaN, infinities, the very large and small; integers; bools; several dtypes at once;
Python numbers in place of tensors."""

_INTEGERS = ("int64", "int32", "uint8")
_ALL = ("float32", "float64", *_INTEGERS, "bool")


@dataclass
class Sample:
    """Arguments of one call: arrays become tensors, the rest is passed on as it is."""

    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    """Fixes the gradients from above."""

    @property
    def finite(self) -> bool:
        """Whether no array holds NaN or infinities: only then are second derivatives compared."""
        arrays = arrays_of(read([*self.arguments, self.options]))
        return all(bool(np.isfinite(array).all()) for array in arrays)


def sample(*arguments: Any, **options: Any) -> Sample:
    """A sample of these arguments."""
    return Sample(arguments, options)


class Maker:
    """Makes what an operation needs, in one situation, of integers that `pick` chooses."""

    def __init__(self, pick: Pick, situation: str) -> None:
        self.pick = pick
        self.situation = situation

    def in_situation(self, situation: str) -> Maker:
        """The same choices in another situation."""
        return Maker(self.pick, situation)

    def ordinary_in(self, *situations: str) -> Maker:
        """The same choices; in the ordinary situation where this is one of those given."""
        return self.in_situation("ordinary") if self.situation in situations else self

    def sample(self, *arguments: Any, **options: Any) -> Sample:
        """A sample of these arguments, with a seed of its own."""
        return Sample(arguments, options, self.seed())

    def seed(self) -> int:
        """A seed for random numbers."""
        return self.integer(0, 2**16)

    def random(self) -> np.random.Generator:
        """Random numbers from a seed of their own."""
        return np.random.default_rng(self.seed())

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return self.pick(low, high)

    def choice(self, *options: Any) -> Any:
        """One of the options."""
        return options[self.pick(0, len(options) - 1)]

    def choices(self, options: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        """For each option, one of its values."""
        return {name: self.choice(*values) for name, values in options.items()}

    def flag(self) -> bool:
        """True or False."""
        return bool(self.choice(False, True))

    def shape(self, min_dims: int = 0, max_dims: int = 3) -> Shape:
        """A shape; () in the situation "scalar", whatever the least number of dimensions."""
        if self.situation == "scalar":
            return ()
        ndim = self.integer(max(min_dims, 1) if self.situation == "empty" else min_dims, max_dims)
        if self.situation == "single":
            return (1,) * ndim
        sizes = [self.integer(1, 4) for _ in range(ndim)]
        if self.situation == "empty":
            sizes[self.integer(0, ndim - 1)] = 0
        return tuple(sizes)

    def shapes(self, count: int, max_dims: int = 3) -> list[Shape]:
        """Equal shapes; in the situation "broadcast" ones that only broadcast together."""
        full = self.shape(0, max_dims)
        if self.situation != "broadcast":
            return [full] * count
        found = []
        for _ in range(count):
            kept = full[self.integer(0, len(full)) :]
            found.append(tuple(n if self.integer(0, 2) else 1 for n in kept))
        return found

    def dtype(self) -> str:
        """A dtype by the situation: float32 unless it says otherwise."""
        if self.situation == "integers":
            return str(self.choice(*_INTEGERS))
        if self.situation == "mixed":
            return str(self.choice(*_ALL))
        return {"float64": "float64", "bools": "bool"}.get(self.situation, "float32")

    def floating(self) -> str:
        """A floating-point dtype: float32, or float64 where the situation says so."""
        return "float64" if self.situation == "float64" else "float32"

    def array(
        self, shape: Shape | None = None, numbers: str = "ordinary", dtype: Any = None
    ) -> Array:
        """An array; the situation may replace `numbers`, and says how it lies in memory."""
        size = self.shape() if shape is None else shape
        content = self.situation if self.situation in ("halves", "special") else numbers
        made = filled(size, self.dtype() if dtype is None else dtype, content, self.seed())
        return laid_out(made, self.situation if self.situation in LAYOUTS else "contiguous")

    def arrays(self, count: int, numbers: str = "ordinary", max_dims: int = 3) -> list[Array]:
        """Arrays of shapes that broadcast together."""
        return [self.array(shape, numbers) for shape in self.shapes(count, max_dims)]

    def number(self) -> Any:
        """A Python number."""
        return self.choice(2, -1, 0, 3, True, 0.5, -2.0, 1.0, 2.5)

    def dim(self, ndim: int) -> int:
        """A dimension, counted from either end."""
        span = max(ndim, 1)
        return self.integer(-span, span - 1)

    def axis(self, x: Array) -> tuple[int, int]:
        """A dimension of `x` and its size, which is 1 where there is none."""
        axis = self.dim(x.ndim)
        return axis, x.shape[axis] if x.ndim else 1

    def order(self, count: int) -> list[int]:
        """The numbers from 0 to `count` − 1 in some order."""
        left = list(range(count))
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(count)]

    def dims(self, ndim: int) -> Any:
        """Some of the dimensions, as a tuple."""
        chosen = self.order(max(ndim, 1))[: self.integer(1, max(ndim, 1))]
        return tuple(d - ndim if ndim and self.flag() else d for d in chosen)

    def index(self, shape: Shape, arrays: bool) -> Any:
        """An index expression for a tensor of this shape, perhaps with arrays in it."""
        return index_expression(self.pick, shape, arrays=arrays)


Inputs = Callable[[Maker], Sample]
"""What makes the samples of an operation."""


def parametrized(
    make_sample: Callable[Concatenate[Maker, Options], Sample],
) -> Callable[Options, Inputs]:
    """Makes `f(make, *options)` the function of its options that gives an `Inputs`."""

    def with_options(*arguments: Options.args, **options: Options.kwargs) -> Inputs:
        return lambda make: make_sample(make, *arguments, **options)

    return with_options
