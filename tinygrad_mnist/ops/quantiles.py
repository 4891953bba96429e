"""Statistics in spite of NaN, quantiles, histograms, searches in sorted numbers, covariances."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Dims, DType

from .arguments import (
    ValuesAndIndices,
    check_some_tensor,
    check_tensors,
    named_result,
    not_implemented,
    operation,
    read_dim,
    read_dims,
    with_out,
)
from .arithmetic import lerp
from .arranging import diag
from .casting import cast_to
from .conditional import clamp_min, where
from .elementwise import eq, isnan
from .gather_scatter import gather
from .matmul import mm
from .reductions import _sum, any, nansum, values_at
from .shapes import movedim, permute, reshape, squeeze, unsqueeze
from .sorting import _found, median, places_of, sort


@operation
def nanmean(
    input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType = None
) -> Tensor:
    """`mean` of the numbers that are not NaN.

    >>> torch.nanmean(torch.tensor([1.0, float("nan"), 3.0]))
    tensor(2.)
    """
    if input._array.dtype.kind not in dtypes.FLOATS:
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            + input.dtype.legacy_name
        )
    counted = cast_to(~isnan(input.detach()), input.dtype)
    dims = read_dims(dim, input._array.ndim)
    return nansum(input, dim, keepdim, dtype=dtype) / _sum(counted, dim=dims, keepdim=keepdim)


@overload
def nanmedian(input: Tensor) -> Tensor: ...
@overload
def nanmedian(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@operation
def nanmedian(
    input: Tensor, dim: int | None = None, keepdim: bool = False
) -> Tensor | ValuesAndIndices:
    """`median` of the numbers that are not NaN (NaN where there are none)."""
    x = input._array
    if x.dtype.kind not in dtypes.FLOATS:
        return _renamed(median(input) if dim is None else median(input, dim, keepdim))
    if dim is None:
        kept = reshape(input, -1)[wrap(~np.isnan(x.reshape(-1)))]
        return _renamed(median(kept if kept._array.size else input))
    axis = read_dim(dim, x.ndim)
    if x.ndim == 0 or x.shape[axis] == 0:
        return _renamed(median(input, dim, keepdim))
    return _nanmedian_along(input, axis, keepdim)


def _renamed(found: Tensor | ValuesAndIndices) -> Tensor | ValuesAndIndices:
    """What `median` found, as `nanmedian` names it."""
    if not isinstance(found, tuple):
        return named_as(found, "NanmedianBackward0")
    values, indices = found
    return named_result("nanmedian", named_as(values, "NanmedianBackward1"), indices)


def _nanmedian_along(input: Tensor, axis: int, keepdim: bool) -> ValuesAndIndices:
    indices = places_of(input.detach(), of="nanmedian", dim=axis)
    return values_at("nanmedian", input, axis, indices, keepdim, "NanmedianBackward1")


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(
    name: str,
    input: Tensor,
    q: Tensor | float,
    dim: int | None,
    keepdim: bool,
    how: str,
    skips: bool,
) -> Tensor:
    if input._array.dtype not in (np.float32, np.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    share = q if isinstance(q, Tensor) else wrap(np.asarray(q, input._array.dtype))
    if share._array.ndim > 1:
        raise RuntimeError(
            f"{name}() q must be a scalar or 1D tensor, but got dimension: {share._array.ndim}"
        )
    if share._array.dtype != input._array.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if how not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {how}"
        )
    if not input._array.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if not isinstance(q, Tensor) and not 0 <= q <= 1:
        raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
    if not np.all((share._array >= 0) & (share._array <= 1)):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    note_untraceable(f"{name} finds in NumPy which numbers it takes")
    ndim = input._array.ndim
    axis = 0 if dim is None else read_dim(dim, ndim)
    x = reshape(input, -1) if dim is None or ndim == 0 else movedim(input, axis, -1)
    out = _of_rows(x, share, how, skips)
    if keepdim and dim is None:
        out = reshape(out, (*share._array.shape, *(1,) * ndim))
    elif keepdim and ndim:
        out = unsqueeze(out, axis + share._array.ndim)
    return named_as(out, "SqueezeBackward4")


def _of_rows(x: Tensor, share: Tensor, how: str, skips: bool) -> Tensor:
    """The quantiles along the last dimension, those of each share first."""
    rows = sort(x, -1).values
    holes = np.isnan(rows._array)
    last = np.asarray(rows._array.shape[-1] - 1 - (holes.sum(-1) if skips else 0))
    last = np.maximum(last, 0)[..., None]
    q = reshape(share, -1)
    ranks = q * wrap(last.astype(x._array.dtype))
    if not skips:
        ranks = where(
            wrap(np.asarray(holes.any(-1, keepdims=True))), float(rows._array.shape[-1] - 1), ranks
        )
    rank = ranks._array
    if how == "nearest":
        rank = np.rint(rank)
    below = np.floor(rank) if how != "higher" else np.ceil(rank)
    out = gather(rows, -1, wrap(below.astype(np.int64)))
    if how in ("linear", "midpoint"):
        above = gather(rows, -1, wrap(np.ceil(rank).astype(np.int64)))
        weight = wrap(np.full_like(rank, 0.5)) if how == "midpoint" else ranks - wrap(below)
        out = lerp(out, above, weight)
    out = permute(out, (out._array.ndim - 1, *range(out._array.ndim - 1)))
    return out if share._array.ndim else squeeze(out, 0)


@in_float32
@operation
def quantile(
    input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """The number that a share `q` of the numbers (along `dim`) lies below; NaN where one is NaN.

    `q` is a number or a vector from 0 to 1, whose size comes first in the result.
    `interpolation` says what to give between two numbers.

    >>> torch.quantile(torch.tensor([1.0, 2.0, 4.0]), 0.75)
    tensor(3.)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skips=False)


@in_float32
@operation
def nanquantile(
    input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """`quantile` of the numbers that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skips=True)


@operation
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many numbers lie in each of `bins` equal parts of the range from `min` to `max`.

    Both 0 stand for the smallest and largest number; numbers outside are not counted.

    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    x = input._array
    if x.dtype.kind not in dtypes.FLOATS:
        raise not_implemented("histogram_cpu", x.dtype)
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    low, high = float(min), float(max)
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise RuntimeError("max must be larger than min")
    inside = x[(x >= low) & (x <= high)]
    numbers = ((inside - x.dtype.type(low)) * x.dtype.type(bins / (high - low))).astype(np.int64)
    counts = np.bincount(np.minimum(numbers, bins - 1), minlength=bins)
    return wrap(counts.astype(x.dtype))


class Histogram(NamedTuple):
    """What `histogram` returns: the sums, and the edges of the parts."""

    hist: Tensor
    bin_edges: Tensor


def histogram(
    input: Tensor, bins: int | Tensor, *, range: tuple[float, float] | None = None,
    weight: Tensor | None = None, density: bool = False,
) -> Histogram:  # fmt: skip
    """How many numbers (or of which weight) lie between neighbouring edges, the last included.

    `bins` is the number of equal parts of `range`, or the edges themselves. `density` divides by
    the total and by each part's width.

    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=4, range=(0.0, 3.0)).hist
    tensor([0., 2., 1., 0.])
    """
    check_tensors("histogram", input=input)
    x = input._array.reshape(-1)
    if x.dtype.kind not in dtypes.FLOATS:
        raise not_implemented("histogram_cpu", x.dtype)
    if isinstance(bins, Tensor):
        edges = bins._array
    else:
        low, high = range or ((x.min(), x.max()) if x.size else (0, 0))
        if low == high:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, bins + 1).astype(x.dtype)
    places = np.searchsorted(edges, x, side="right") - 1
    places[x == edges[-1]] = len(edges) - 2
    inside = (places >= 0) & (places < len(edges) - 1)
    shares = None if weight is None else weight._array.reshape(-1)[inside]
    sums = np.bincount(places[inside], shares, len(edges) - 1).astype(x.dtype)
    if density:
        sums = (sums / (sums.sum() * np.diff(edges))).astype(x.dtype)
    found = [_found(input, values=each, name="aten::histogram") for each in (sums, edges)]
    return Histogram(*[named_as(each, "NotImplemented") for each in found])


@with_out
def isin(
    elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:  # fmt: skip
    """Which of the elements are among `test_elements`; with `invert` which are not.

    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2, 5]))
    tensor([False,  True, False])
    """
    check_some_tensor("isin", elements, test_elements)
    for name, each in (("elements", elements), ("test_elements", test_elements)):
        if not isinstance(each, int | float):
            check_tensors("isin", **{name: each})
        if isinstance(each, bool) or getattr(each, "dtype", None) is dtypes.bool:
            raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    if isinstance(elements, Tensor) and isinstance(test_elements, Tensor):
        found = any(eq(elements.unsqueeze(-1), test_elements.reshape(-1)), -1)
    elif isinstance(elements, Tensor):
        found = eq(elements, test_elements)
    else:
        found = any(eq(test_elements, elements))
    return ~found if invert else found


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The coordinates in a tensor of this shape of each place in its flattened numbers.

    >>> torch.unravel_index(torch.tensor([5, 3]), (2, 3))
    (tensor([1, 1]), tensor([2, 0]))
    """
    check_tensors("unravel_index", indices=indices)
    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    given: Any = shape
    sizes = [given] if isinstance(given, int) else list(given)
    for size in sizes:
        if not isinstance(size, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(size)}")
    if min(sizes, default=0) < 0:
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    steps = [math.prod(sizes[d + 1 :]) for d, _ in enumerate(sizes)]
    return tuple([indices // step % size for step, size in zip(steps, sizes, strict=True)])


@operation
def searchsorted(
    sorted_sequence: Tensor, input: Tensor | float, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where to put each number so that the last dimension of `sorted_sequence` stays in order.

    The first such place, or with `right=True` (`side="right"`) the last.

    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 4]))
    tensor([1, 2])
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(
            "torch.searchsorted(): side can only be 'left' or 'right' but got " + side
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    rows = sorted_sequence._array
    given: Any = input
    wanted = given._array if isinstance(given, Tensor) else np.asarray(given)
    if isinstance(given, Tensor) and wanted.dtype != rows.dtype:
        raise RuntimeError(
            "torch.searchsorted(): boundary tensor and input value tensor should have same dtype, "
            f"but got boundary tensor dtype {sorted_sequence.dtype.cpp_name} and input value "
            f"tensor dtype {dtypes.from_numpy_dtype(wanted.dtype).cpp_name}"
        )
    if rows.ndim == 0 or (rows.ndim > 1 and rows.shape[:-1] != wanted.shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(rows.shape)} and input value tensor {list(wanted.shape)}"
        )
    if sorter is not None:
        rows = np.take_along_axis(rows, sorter._array.copy(), -1)
    return wrap(_searched(rows, wanted, "right" if right or side == "right" else "left", out_int32))


def _searched(rows: Array, wanted: Array, side: Any, out_int32: bool) -> Array:
    kind = np.int32 if out_int32 else np.int64
    if rows.ndim == 1:
        return _bisected(rows, wanted, side).astype(kind)
    out = np.empty(wanted.shape, kind)
    for row in np.ndindex(wanted.shape[:-1]):
        out[row] = _bisected(rows[row], wanted[row], side)
    return out


def _bisected(row: Array, wanted: Array, side: Any) -> Array:
    """Where to put the numbers in a vector; among NaN the places that PyTorch's search ends at.

    It goes right wherever a boundary is not seen to be above (`side="left"`: or equal).
    """
    if row.dtype.kind not in dtypes.FLOATS or not (np.isnan(row).any() or np.isnan(wanted).any()):
        return np.asarray(np.searchsorted(row, wanted, side))
    above = np.greater_equal if side == "left" else np.greater
    low, high = np.zeros(wanted.shape, np.int64), np.full(wanted.shape, row.size)
    for _ in range(row.size.bit_length()):
        middle = (low + high) // 2
        ends = above(row[np.minimum(middle, row.size - 1)], wanted)
        low, high = (
            np.where(ends | (low == high), low, middle + 1),
            np.where(ends, middle, high),
        )
    return low


@operation
def bucketize(
    input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """`searchsorted` with its operands exchanged, for one vector of boundaries."""
    if boundaries._array.ndim != 1:
        raise RuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._array.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@operation
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The covariances of variables, one in each row, observed as often as there are columns.

    `fweights` says how often each observation was made, `aweights` how much it counts.

    >>> torch.cov(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input._array.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input._array.ndim} dimensions"
        )
    if input._array.dtype == bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = reshape(input, (1, -1)) if input._array.ndim < 2 else input
    weights = _weights(x, fweights, aweights)
    x = cast_to(x, dtypes.to_floating(x.dtype))
    count: Any = float(x._array.shape[1])
    if weights is None:
        centred = x - _sum(x, dim=(1,), keepdim=True) / count
        free: Any = max(count - correction, 0.0)
        if free == 0:
            warnings.warn(
                "cov(): degrees of freedom is <= 0. Correction should be strictly less than the "
                "number of observations.",
                UserWarning,
                stacklevel=3,
            )
        out = mm(centred, centred.mT) / free
    else:
        total = _sum(weights, dim=(0,), keepdim=False)
        centred = x - _sum(x * weights, dim=(1,), keepdim=True) / total
        free = total - correction
        if aweights is not None and correction:
            free = total - correction * _sum(weights * aweights, dim=(0,), keepdim=False) / total
        out = mm(centred, (centred * weights).mT) / clamp_min(free, 0)
    return squeeze(out)


def _weights(x: Tensor, fweights: Tensor | None, aweights: Tensor | None) -> Tensor | None:
    """The product of both kinds of weights; PyTorch's error for those that do not fit."""
    for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if given is None:
            continue
        if given._array.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{given._array.ndim} dimensions"
            )
        if given._array.dtype.kind not in kinds:
            what = "integral" if kinds == "iu" else "floating point"
            raise RuntimeError(
                f"cov(): expected {name} to have {what} dtype but got {name} with "
                f"{given.dtype.legacy_name} dtype"
            )
        if given._array.size != x._array.shape[1]:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {given._array.size} != {x._array.shape[1]}"
            )
        if np.any(given._array < 0):
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None or aweights is None:
        return fweights if aweights is None else aweights
    return fweights * aweights


@operation
def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables, one in each row: their `cov`, each divided by two deviations.

    >>> torch.corrcoef(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input._array.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input._array.ndim} dimensions"
        )
    covariance = cov(input)
    if covariance._array.ndim == 0:
        return covariance / covariance
    deviation = diag(covariance).sqrt()
    out = covariance / unsqueeze(deviation, 1) / unsqueeze(deviation, 0)
    return out.clamp(-1, 1)
