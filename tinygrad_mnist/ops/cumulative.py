"""Running sums, products and extremes, the product of all, differences, areas below curves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.calls import call_unary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import OBSERVERS, note_constant
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import DType
from tinygrad_mnist.kernels import rows

from .arguments import (
    ValuesAndIndices,
    check_tensors,
    named_result,
    not_implemented,
    operation,
    read_dim,
)
from .casting import cast_to, clone, zeros
from .conditional import where
from .elementwise import exp, log, ne
from .gather_scatter import gather
from .indexing import ALL, _index, narrow
from .joining import _cat, cat
from .reductions import sum as total
from .shapes import reshape

_product_of: Any = np.multiply.reduce
_WIDE = np.float64
"""The type in which PyTorch adds up and multiplies floating-point numbers one after the other."""


def _refuse_bools(name: str, input: Array) -> None:
    if input.dtype == bool and input.size:
        raise not_implemented(name, input.dtype)


@primitive
def _cumsum(input: Array, *, dim: int, reverse: bool) -> Any:
    """Σ of the x up to each place (or from it on)"""
    if input.ndim == 0:
        return input.copy()
    _refuse_bools("cumsum_out_cpu", input)
    if dim == input.ndim - 1 and (running := rows.running_sum(input, reverse)) is not None:
        return running
    x = np.flip(input, dim) if reverse else input
    total = x.cumsum(dim, _WIDE if x.dtype.kind in dtypes.FLOATS else x.dtype)
    total += 0  # it begins with 0, and 0 + -0 is 0
    return (np.flip(total, dim) if reverse else total).astype(input.dtype)


_cumsum.derivatives(input=lambda g, dim, reverse: _cumsum(g, dim=dim, reverse=not reverse))


@primitive
def _cumprod(input: Array, *, dim: int) -> Any:
    """Π of the x up to each place"""
    if input.ndim == 0:
        return input.copy()
    _refuse_bools("cumprod_out_cpu", input)
    kind = _WIDE if input.dtype.kind in dtypes.FLOATS else input.dtype
    return np.cumprod(input, axis=dim, dtype=kind).astype(input.dtype)


def _part(x: Any, dim: int, start: int | None, stop: int | None) -> Any:
    return x[(slice(None),) * dim + (slice(start, stop),)]


def _joined(parts: list[Any], dim: int) -> Any:
    """Arrays or Tensors one after the other."""
    starts = np.cumsum([0] + [part.shape[dim] for part in parts])
    return _cat(*parts, dim=dim, starts=tuple(starts.tolist()))


def _products_before(x: Any, dim: int) -> Any:
    """Π of the x before each place."""
    array = x._array if isinstance(x, Tensor) else x
    one = note_constant(np.ones_like(_part(array, dim, 0, 1)))
    return _joined([one, _part(_cumprod(x, dim=dim), dim, 0, array.shape[dim] - 1)], dim)


def _cumprod_rule(g: Any, x: Any, dim: int) -> Any:
    """Π of the x before · Σ over later indices of g · Π of the x between, without division.

    The sum s obeys sₖ = gₖ + xₖ₊₁ · sₖ₊₁.
    """
    array = g._array if isinstance(g, Tensor) else g
    if array.size <= 1:
        return g
    size = array.shape[dim]
    sums = [_part(g, dim, size - 1, size)]
    for k in range(size - 2, -1, -1):
        sums.append(_part(g, dim, k, k + 1) + _part(x, dim, k + 1, k + 2) * sums[-1])
    return _products_before(x, dim) * _joined(sums[::-1], dim)


_cumprod.derivatives(input=lambda g, input, dim: _cumprod_rule(g, input, dim))


@primitive(reduces=True, grad_fn="ProdBackward1")
def _prod(input: Array, *, dim: tuple[int, ...], keepdim: bool) -> Any:
    """Π x"""
    if input.ndim == 1 and dim and not keepdim:
        return _product_of_all(input)
    return _product_of(input, axis=dim, keepdims=keepdim, dtype=input.dtype)


def _product_of_all(x: Array) -> Any:
    """Π of a vector: of its 16 parts, side by side, as long as these are long."""
    rest = x.dtype.type(1)
    while x.size > 1024:
        whole = x.size // 16 * 16
        rest = rest * _product_of(x[whole:], dtype=x.dtype)
        x = _product_of(x[:whole].reshape(16, -1), axis=0, dtype=x.dtype)
    return rest * _product_of(x, dtype=x.dtype)


def _product_rule(g: Any, input: Any, out: Any, dim: tuple[int, ...]) -> Any:
    """g · the product of the others: out / x, or without division where some x is 0."""
    array = input._array if isinstance(input, Tensor) else input
    if array.ndim == 0:
        return g
    if not OBSERVERS and array.all():
        return g * out / input
    (axis,) = dim
    before = _products_before(input, axis)
    after = _reversed(_products_before(_reversed(input, axis), axis), axis)
    undivided = g * (before * after)
    if not OBSERVERS:
        return undivided
    # what is observed must hold for other numbers too
    every = tuple(range(array.ndim))
    some_zero = _prod(where(input == 0, 0.0, 1.0), dim=every, keepdim=True) == 0
    return where(some_zero, undivided, g * out / input)


def _reversed(x: Any, dim: int) -> Any:
    if isinstance(x, Tensor):
        backwards = note_constant(np.arange(x._array.shape[dim])[::-1].copy())
        return _index(x, key=(ALL,) * dim + (backwards,))
    return np.flip(x, dim)


_prod.derivatives(input=_product_rule)


def _accumulated(
    name: str, op: Any, input: Tensor, dim: int, dtype: DType, **attributes: Any
) -> Tensor:
    if dtype is None and input._array.dtype.kind not in dtypes.FLOATS:
        dtype = dtypes.int64
    x = input if dtype is None else cast_to(input, dtype)
    return call_unary(op, x, {"dim": read_dim(dim, x._array.ndim), **attributes})


@operation
def cumsum(input: Tensor, dim: int, *, dtype: DType = None) -> Tensor:
    """The sums of the numbers up to each along `dim`; integers and bools sum to int64.

    >>> torch.cumsum(torch.tensor([1, 2, 3]), dim=0)
    tensor([1, 3, 6])
    """
    return _accumulated("cumsum", _cumsum, input, dim, dtype, reverse=False)


@operation
def cumprod(input: Tensor, dim: int, *, dtype: DType = None) -> Tensor:
    """The products of the numbers up to each along `dim`; integers and bools give int64.

    >>> torch.cumprod(torch.tensor([1, 2, 3]), dim=0)
    tensor([1, 2, 6])
    """
    return _accumulated("cumprod", _cumprod, input, dim, dtype)


@in_float32
@operation
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *,
    dtype: DType = None,
) -> Tensor:  # fmt: skip
    """The product of all numbers, or along `dim`; integers and bools give int64.

    >>> torch.prod(torch.tensor([[1, 2], [3, 4]]), dim=1)
    tensor([ 2, 12])
    """
    if dtype is None and input._array.dtype.kind not in dtypes.FLOATS:
        dtype = dtypes.int64
    x = input if dtype is None else cast_to(input, dtype)
    if dim is None:
        flat = reshape(x, -1) if x._array.ndim > 1 else x
        out = _prod(flat, dim=tuple(range(flat._array.ndim)), keepdim=False)
        return named_as(out, "ProdBackward0")
    axis = read_dim(dim, x._array.ndim)
    return _prod(x, dim=(axis,) if x._array.ndim else (), keepdim=keepdim)


@primitive
def _running_places(input: Array, *, dim: int, largest: bool) -> Any:
    """where the largest, or smallest, of the numbers up to each is: the last such place"""
    x, function = input, np.maximum if largest else np.minimum
    reached = function.accumulate(x, axis=dim)
    counted = np.arange(x.shape[dim]).reshape([-1 if d == dim else 1 for d in range(x.ndim)])
    found = np.where((x == reached) | (x != x), counted, 0)
    return np.maximum.accumulate(found, axis=dim)


def _running_extreme(name: str, function: Any, input: Tensor, dim: int) -> ValuesAndIndices:
    axis = read_dim(dim, input._array.ndim)
    title = f"{name.capitalize()}Backward0"
    x = input._array
    if x.ndim == 0:
        return named_result(name, named_as(clone(input), title), zeros(cast_to(input.detach(),
                            dtypes.int64)))  # fmt: skip
    indices = _running_places(input.detach(), dim=axis, largest=function is np.maximum)
    return named_result(name, named_as(gather(input, axis, indices), title), indices)


@operation
def cummax(input: Tensor, dim: int) -> ValuesAndIndices:
    """The largest of the numbers up to each along `dim`, and where it is (the last such place)."""
    return _running_extreme("cummax", np.maximum, input, dim)


@operation
def cummin(input: Tensor, dim: int) -> ValuesAndIndices:
    """The smallest of the numbers up to each along `dim`, and where it is (the last such place)."""
    return _running_extreme("cummin", np.minimum, input, dim)


def _check_joined(shape: tuple[int, ...], joined: tuple[int, ...], axis: int) -> None:
    """RuntimeError where what is put before or behind does not fit beside the input of `diff`."""
    if len(joined) != len(shape):
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    for dim, (want, have) in enumerate(zip(shape, joined, strict=True)):
        if want != have and dim != axis:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input "
                f"except along the differencing dimension; input.size({dim}) = {want}, but got "
                f"tensor.size({dim}) = {have}"
            )


@operation
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The differences of neighbours along `dim`, taken `n` times.

    >>> torch.diff(torch.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if input._array.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    axis = read_dim(dim, input._array.ndim)
    for name, part in (("prepend", prepend), ("append", append)):
        if part is not None:
            check_tensors("diff", **{name: part})
            _check_joined(input._array.shape, part._array.shape, axis)
    if n == 0:
        return named_as(clone(input), "CopyBackwards")
    parts = [part for part in (prepend, input, append) if part is not None]
    out = cat(parts, axis) if len(parts) > 1 else input
    for _ in range(min(n, out._array.shape[axis])):
        later, earlier = _part(out, axis, 1, None), _part(out, axis, 0, -1)
        out = ne(later, earlier) if out._array.dtype == bool else later - earlier
    return out


# Logarithms of running sums


@primitive(grad_fn="LogcumsumexpBackward0")
def _logcumsumexp(input: Array, *, dim: int, reverse: bool) -> Any:
    """ln Σ eˣ over the x up to each place (or from it on)"""
    x = np.flip(input, dim) if reverse else input
    total = np.logaddexp.accumulate(x.astype(np.float64), axis=dim)
    return (np.flip(total, dim) if reverse else total).astype(input.dtype)


def _logcumsumexp_rule(g: Any, input: Any, out: Any, dim: int, reverse: bool) -> Any:
    """Σ g · e^(x − out) over the later indices, in logarithms; g's signs apart."""

    def part(size: Any) -> Any:
        share = where(out == -math.inf, -math.inf, log(size) - out)
        return exp(_logcumsumexp(share, dim=dim, reverse=not reverse) + input)

    return part(where(g > 0, g, 0.0)) - part(where(g < 0, -g, 0.0))


_logcumsumexp.derivatives(input=_logcumsumexp_rule)


@operation
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """ln Σ eˣ over the numbers up to each along `dim`.

    >>> torch.logcumsumexp(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor([1000.0000, 1000.6932])
    """
    axis = read_dim(dim, input._array.ndim)
    if input._array.dtype.kind not in dtypes.FLOATS:
        raise not_implemented("logcumsumexp_out_cpu", input._array.dtype)
    if input._array.ndim == 0:
        return named_as(clone(input), "LogcumsumexpBackward0")
    return _logcumsumexp(input, dim=axis, reverse=False)


# Areas below curves, by the trapezoidal rule


def _doubled_areas(
    name: str, y: Tensor, x: Tensor | None, dx: float, dim: int
) -> tuple[Tensor, int]:
    """Twice the area between each two neighbours along a dimension, and that dimension."""
    axis = read_dim(dim, y._array.ndim)
    size = y._array.shape[axis]
    along = axis - y._array.ndim
    if isinstance(x, Tensor) and x._array.ndim == 1:
        if x._array.size != size:
            raise RuntimeError(f"{name}(): There must be one `x` value for each sample point")
        x = reshape(x, [-1 if d == axis else 1 for d in range(y._array.ndim)])
    if size < 2:
        return narrow(y, axis, 0, 0), along
    heights = narrow(y, axis, 1, size - 1) + narrow(y, axis, 0, size - 1)
    if not isinstance(x, Tensor):
        return heights * dx, along
    return heights * (diff(x, dim=along) if x._array.ndim >= -along else 1), along


@operation
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Σ (yᵢ + yᵢ₊₁) / 2 · (xᵢ₊₁ − xᵢ) along `dim`; without `x`, the steps are `dx`.

    >>> torch.trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    areas, along = _doubled_areas("trapezoid", y, x, dx, dim)
    out = total(areas, along) / 2.0
    return named_as(out, "DivBackward1" if x is not None else "MulBackward1")


@operation
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1
) -> Tensor:
    """The areas of `trapezoid`, added up from the first on.

    >>> torch.cumulative_trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    areas, along = _doubled_areas("cumulative_trapezoid", y, x, dx, dim)
    out = cumsum(areas, along) / 2.0
    return named_as(out, "DivBackward1" if x is not None else "CumsumBackward0")


trapz = trapezoid
