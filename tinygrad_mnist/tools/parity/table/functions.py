"""Operations that a program defines itself."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .families import binary
from .maker import sample
from .operation import Operation

__all__ = ["OPERATIONS"]


@functools.cache
def _product(engine: Any) -> Any:
    """x · y, with formulas of its own."""

    class Product(engine.autograd.Function):  # type: ignore[misc]
        """x · y"""

        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            return g * y, g * x

    return Product


def _applied(engine: Any, x: Any, y: Any) -> Any:
    return _product(engine).apply(x, y)


OPERATIONS = [
    Operation("autograd.Function", binary(), _applied, primitives=("nothing",),
              errors=(sample(np.ones(2, np.float32), np.ones(3, np.float32)),),
              situations=("ordinary", "float64", "scalar", "empty", "single", "transposed",
                          "gaps", "offset", "expanded", "halves", "special")),
]  # fmt: skip
