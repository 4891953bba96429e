"""Numbers brought to mean 0 and variance 1, group by group, and the derivative of that.

Statistics are taken in double precision, and each result is rounded once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dispatch
from .losses import NO_WEIGHT
from .softmax import sum_of

Array = np.ndarray[Any, Any]

_GIVEN = "Array(T, 3, 'C', readonly=True, aligned=False)"


def standardised(
    x: Array, dim: tuple[int, ...], eps: float, weight: Array | None = None,
    bias: Array | None = None,
) -> Array:  # fmt: skip
    """(x − mean) / √(variance + eps): over the last dimensions, or over all but the second.

    Times a weight, plus a bias: for each place in the last dimensions, or in the second.

    >>> import numpy as np
    >>> standardised(np.array([[1.0, 3.0]]), (1,), 0.0)
    array([[-1.,  1.]])
    """
    if x.size and dispatch.base.ready(x.size, x.dtype) and x.flags.c_contiguous:
        groups, out = _groups(x.shape, dim), np.empty(x.shape, x.dtype)
        factors, shifts = _in_row(weight, x.dtype), _in_row(bias, x.dtype)
        along = not _by_channel(x.shape, dim)
        _standardised_loop(x.reshape(groups), eps, factors, shifts, along, out.reshape(groups))
        return out
    centred, inverse, _ = _moments(x, dim, eps)
    shape = [1, -1, *[1] * (x.ndim - 2)] if _by_channel(x.shape, dim) else x.shape[dim[0] :]
    result: Array = centred * inverse
    result = result if weight is None else result * weight.reshape(shape)
    result = result if bias is None else result + bias.reshape(shape)
    rounded: Array = result.astype(x.dtype)
    return rounded


def _in_row(given: Array | None, dtype: np.dtype[Any]) -> Array:
    """For the loops, no weight is a weight of no elements."""
    row: Array = NO_WEIGHT[dtype] if given is None else np.ascontiguousarray(given)
    return row.reshape(row.size)


def standardised_backward(grad: Array, x: Array, dim: tuple[int, ...], eps: float) -> Array:
    """The gradient of `standardised`'s x: (g − mean g − out · mean (g · out)) / √(variance + eps).

    `grad` is the gradient of the result, in the shape of `x`.
    """
    contiguous = x.flags.c_contiguous and grad.flags.c_contiguous
    if x.size and dispatch.base.ready(x.size, x.dtype) and contiguous and grad.dtype is x.dtype:
        groups, out = _groups(x.shape, dim), np.empty(x.shape, x.dtype)
        _backward_loop(grad.reshape(groups), x.reshape(groups), eps, out.reshape(groups))
        return out
    centred, inverse, count = _moments(x, dim, eps)
    out = centred * inverse
    given = grad.astype(np.float64)
    along = given - given.sum(dim, keepdims=True) / count
    along -= out * ((given * out).sum(dim, keepdims=True) / count)
    result: Array = (along * inverse).astype(x.dtype)
    return result


def _moments(x: Array, dim: tuple[int, ...], eps: float) -> tuple[Array, Array, int]:
    """x − mean, 1 / √(variance + eps), and of how many numbers, in double precision."""
    count = math.prod([x.shape[d] for d in dim]) or 1
    wide = x.astype(np.float64)
    centred: Array = wide - wide.sum(dim, keepdims=True) / count
    variance = (centred * centred).sum(dim, keepdims=True) / count
    return centred, 1 / np.sqrt(variance + eps), count


def _by_channel(shape: tuple[int, ...], dim: tuple[int, ...]) -> bool:
    """Whether a group is a channel, the second dimension, and not the last dimensions."""
    return dim[0] == 0 and len(dim) == len(shape) - 1


def _groups(shape: tuple[int, ...], dim: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape in which the numbers of a group are those of one place in the second dimension."""
    if _by_channel(shape, dim):
        return shape[0], shape[1], math.prod(shape[2:])
    lead = len(shape) - len(dim)
    return 1, math.prod(shape[:lead]), math.prod(shape[lead:])


@dispatch.base.part(fastmath={"reassoc", "contract"})
def squares_of(row: Array, mean: float) -> float:
    """Σ (x − mean)² of a row."""
    total = 0.0
    for j in range(row.size):
        centred = row[j] - mean
        total += centred * centred
    return total


@dispatch.base.part(fastmath={"reassoc", "contract"})
def products_of(grad: Array, row: Array, mean: float) -> float:
    """Σ g · (x − mean) of a row."""
    total = 0.0
    for j in range(row.size):
        total += grad[j] * (row[j] - mean)
    return total


@dispatch.base.part()
def moments_of(x: Array, eps: float, means: Array, inverses: Array) -> None:
    """The mean of each group, and 1 / √(variance + eps)."""
    count = x.shape[0] * x.shape[2]
    means[:], inverses[:] = 0, 0
    if x.shape[2] == 1:
        for n in range(x.shape[0]):
            for c in range(x.shape[1]):
                means[c] += x[n, c, 0]
        for c in range(x.shape[1]):
            means[c] /= count
        for n in range(x.shape[0]):
            for c in range(x.shape[1]):
                centred = x[n, c, 0] - means[c]
                inverses[c] += centred * centred
    else:
        for c in range(x.shape[1]):
            for n in range(x.shape[0]):
                means[c] += sum_of(x[n, c])
            means[c] /= count
            for n in range(x.shape[0]):
                inverses[c] += squares_of(x[n, c], means[c])
    for c in range(x.shape[1]):
        inverses[c] = 1 / math.sqrt(inverses[c] / count + eps)


@dispatch.base.loop(f"void({_GIVEN}, float64, const T[::1], const T[::1], boolean, T[:, :, ::1])")
def _standardised_loop(
    x: Array, eps: float, weight: Array, bias: Array, along: bool, out: Array
) -> None:
    """Weights and biases are one for each of the second dimension, or `along` the last."""
    means, inverses = np.empty(x.shape[1]), np.empty(x.shape[1])
    moments_of(x, eps, means, inverses)
    if x.shape[2] == 1 and not along:
        shifts = np.zeros(x.shape[1])
        for c in range(weight.size):
            inverses[c] *= weight[c]
        for c in range(bias.size):
            shifts[c] = bias[c]
        for n in range(x.shape[0]):
            for c in range(x.shape[1]):
                out[n, c, 0] = (x[n, c, 0] - means[c]) * inverses[c] + shifts[c]
        return
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            given, row, mean, inverse = x[n, c], out[n, c], means[c], inverses[c]
            shift = 0.0
            if not along:
                inverse *= weight[c] if weight.size else 1.0
                shift = np.float64(bias[c]) if bias.size else 0.0
            if along and weight.size and bias.size:
                for j in range(given.size):
                    row[j] = (given[j] - mean) * inverse * weight[j] + bias[j]
                continue
            for j in range(given.size):
                row[j] = (given[j] - mean) * inverse + shift
            if along:
                for j in range(weight.size):
                    row[j] *= weight[j]
                for j in range(bias.size):
                    row[j] += bias[j]


@dispatch.base.loop(f"void({_GIVEN}, {_GIVEN}, float64, T[:, :, ::1])")
def _backward_loop(grad: Array, x: Array, eps: float, out: Array) -> None:
    count, channels, size = x.shape
    means, inverses = np.empty(channels), np.empty(channels)
    moments_of(x, eps, means, inverses)
    gradients, products = np.zeros(channels), np.zeros(channels)
    if size == 1:
        for n in range(count):
            for c in range(channels):
                gradients[c] += grad[n, c, 0]
                products[c] += grad[n, c, 0] * (x[n, c, 0] - means[c])
        for c in range(channels):
            gradients[c] /= count
            products[c] *= inverses[c] * inverses[c] / count
        for n in range(count):
            for c in range(channels):
                along = (x[n, c, 0] - means[c]) * products[c]
                out[n, c, 0] = (grad[n, c, 0] - gradients[c] - along) * inverses[c]
        return
    for n in range(count):
        for c in range(channels):
            gradients[c] += sum_of(grad[n, c])
            products[c] += products_of(grad[n, c], x[n, c], means[c])
    for n in range(count):
        for c in range(channels):
            given, row, to = grad[n, c], x[n, c], out[n, c]
            mean, inverse = means[c], inverses[c]
            shift = gradients[c] / (count * size)
            scale = products[c] * inverse * inverse / (count * size)
            for j in range(size):
                to[j] = (given[j] - shift - (row[j] - mean) * scale) * inverse
