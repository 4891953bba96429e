"""Making samples: arguments for an operation, in each of the situations that break things."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.index_expressions import Pick, index_expression
from tinygrad_mnist.tools.parity.layouts import LAYOUTS, filled, laid_out
from tinygrad_mnist.tools.parity.twins import arrays_of, read

__all__ = ["SITUATIONS", "Maker", "Sample", "sample"]

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

SITUATIONS = (
    "ordinary",
    "float64",
    "scalar",
    "empty",
    "single",
    "broadcast",
    "transposed",
    "gaps",
    "offset",
    "expanded",
    "halves",
    "special",
    "integers",
    "bools",
    "mixed",
    "numbers",
)
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

    def sample(self, *arguments: Any, **options: Any) -> Sample:
        """A sample of these arguments, with a seed of its own."""
        return Sample(arguments, options, self.seed())

    def seed(self) -> int:
        """A seed for random numbers."""
        return self.integer(0, 2**16)

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return self.pick(low, high)

    def choice(self, *options: Any) -> Any:
        """One of the options."""
        return options[self.pick(0, len(options) - 1)]

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
