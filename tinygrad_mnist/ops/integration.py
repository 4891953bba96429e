"""Areas below curves, by the trapezoidal rule."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.record import TensorBase, named_as
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, read_dim
from .cumulative import cumsum, diff
from .indexing import narrow
from .reductions import sum as total
from .shapes import reshape

__all__ = [
    "cumulative_trapezoid",
    "trapezoid",
    "trapz",
]


def _doubled_areas(name: str, y: Tensor, x: Any, dx: Any, dim: int) -> tuple[Tensor, int]:
    """Twice the area between each two neighbours along a dimension, and that dimension."""
    check_tensors(name, y=y)
    axis = read_dim(dim, y._array.ndim)
    size = y._array.shape[axis]
    along = axis - y._array.ndim
    if isinstance(x, TensorBase) and x._array.ndim == 1:
        if x._array.size != size:
            raise RuntimeError(f"{name}(): There must be one `x` value for each sample point")
        x = reshape(x, [-1 if d == axis else 1 for d in range(y._array.ndim)])
    if size < 2:
        return narrow(y, axis, 0, 0), along
    heights = narrow(y, axis, 1, size - 1) + narrow(y, axis, 0, size - 1)
    if not isinstance(x, TensorBase):
        return heights * dx, along
    return heights * (diff(x, dim=along) if x._array.ndim >= -along else 1), along


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """Σ (yᵢ + yᵢ₊₁) / 2 · (xᵢ₊₁ − xᵢ) along `dim`; without `x`, the steps are `dx`.

    >>> import tinygrad_mnist as torch
    >>> torch.trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    areas, along = _doubled_areas("trapezoid", y, x, dx, dim)
    out = total(areas, along) / 2.0
    return named_as(out, "DivBackward1" if x is not None else "MulBackward1")


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The areas of `trapezoid`, added up from the first on.

    >>> import tinygrad_mnist as torch
    >>> torch.cumulative_trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    areas, along = _doubled_areas("cumulative_trapezoid", y, x, dx, dim)
    out = cumsum(areas, along) / 2.0
    return named_as(out, "DivBackward1" if x is not None else "CumsumBackward0")


trapz = trapezoid
