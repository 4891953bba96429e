"""Jacobian matrices of a function of tensors: by finite differences, and by its gradients.

A matrix has a row for each number of one input and a column for each number of one result, as
PyTorch's gradcheck prints them, and is float64 whatever the tensors are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import tinygrad_mnist
from tinygrad_mnist.autograd import grad
from tinygrad_mnist.engine.tensor import Tensor

__all__ = ["Analytic", "Jacobian", "NotReentrant", "analytic", "numeric", "numeric_along"]

Function = Callable[..., Any]
Jacobian = np.ndarray[Any, Any]


class NotReentrant(Exception):
    """Two backward passes gave gradients that differ by `difference`."""

    def __init__(self, difference: float) -> None:
        super().__init__(difference)
        self.difference = difference


class Analytic(NamedTuple):
    """The Jacobians of one result with respect to each input, and what is wrong with them."""

    jacobians: list[Jacobian]
    wrong_size: bool
    wrong_dtype: bool


def _numbers(results: Any) -> list[Jacobian]:
    """The numbers of each result as a vector of float64."""
    several = results if isinstance(results, tuple | list) else (results,)
    return [
        np.asarray(each.detach().numpy() if isinstance(each, tinygrad_mnist.Tensor) else each)
        .astype(np.float64)
        .reshape(-1)
        for each in several
    ]


def numeric(function: Function, inputs: Sequence[Any], i: int, eps: float) -> list[Jacobian]:
    """The Jacobian of each result with respect to input `i`, by central differences.

    The input's memory is changed, one number at a time, and restored.
    """
    array = inputs[i].detach().numpy()
    columns = []
    for index in np.ndindex(array.shape):
        step = np.zeros(array.shape)
        step[index] = eps
        columns.append(_difference(function, inputs, array, step, eps))
    if not columns:
        return [np.zeros((0, each.size)) for each in _numbers(function(*inputs))]
    return [np.stack(rows) for rows in zip(*columns, strict=True)]


def numeric_along(
    function: Function, inputs: Sequence[Any], i: int, direction: Jacobian, eps: float
) -> list[Jacobian]:
    """The derivative of each result as input `i` moves in `direction`, by a central difference."""
    array = inputs[i].detach().numpy()
    return _difference(function, inputs, array, eps * direction.reshape(array.shape), eps)


def _difference(
    function: Function, inputs: Sequence[Any], array: Any, step: Jacobian, eps: float
) -> list[Jacobian]:
    kept = array.copy()
    try:
        array[...] = kept - step
        below = _numbers(function(*inputs))
        array[...] = kept + step
        above = _numbers(function(*inputs))
    finally:
        array[...] = kept
    return [(b - a) / (2 * eps) for a, b in zip(below, above, strict=True)]


def analytic(
    result: Tensor, inputs: Sequence[Tensor], above: Jacobian | None, nondet_tol: float
) -> Analytic:
    """The Jacobians of `result` by its gradients, one column for each of its numbers.

    Given a gradient from `above`, there is one column alone. Raises NotReentrant where a second
    pass differs by more than `nondet_tol`.
    """
    size = result.numel()
    rows = np.eye(size) if above is None else above.reshape(1, size)
    passes = [_backward(result, inputs, row) for row in rows]
    again = [_backward(result, inputs, row) for row in rows]
    pairs = [pair for found in passes for pair in zip(found, inputs, strict=True)]
    wrong_size = any(g is not None and g.shape != x.shape for g, x in pairs)
    wrong_dtype = any(g is not None and g.dtype is not x.dtype for g, x in pairs)
    if wrong_size:
        return Analytic([], True, wrong_dtype)
    first, second = _stacked(passes, inputs), _stacked(again, inputs)
    apart = max([np.abs(a - b).max(initial=0) for a, b in zip(first, second, strict=True)])
    if apart > nondet_tol:
        raise NotReentrant(float(apart))
    return Analytic(first, False, wrong_dtype)


def _backward(result: Tensor, inputs: Sequence[Tensor], row: Jacobian) -> Any:
    numbers = row.reshape(tuple(result.shape)).astype(result.dtype.numpy)
    above = tinygrad_mnist.from_numpy(np.asarray(numbers))
    return grad(result, inputs, above, retain_graph=True, allow_unused=True)


def _stacked(passes: list[Any], inputs: Sequence[Tensor]) -> list[Jacobian]:
    """For each input, its gradients side by side as columns; an unused input has zeros."""
    return [
        np.stack([_flat(found[i], tensor) for found in passes], axis=1)
        if passes
        else np.zeros((tensor.numel(), 0))
        for i, tensor in enumerate(inputs)
    ]


def _flat(gradient: Any, tensor: Tensor) -> Jacobian:
    if gradient is None:
        return np.zeros(tensor.numel())
    numbers: Jacobian = gradient.detach().numpy().astype(np.float64).reshape(-1)
    return numbers
