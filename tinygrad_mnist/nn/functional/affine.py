"""The affine map x Wᵀ + b, and the bilinear one."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.record import Array, label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.linalg import matmul

__all__ = ["bilinear", "linear"]


@primitive(grad_fn="AddmmBackward0")
def _linear(input: Array, weight: Array, bias: Array) -> Any:
    """x Wᵀ + b"""
    return kernels.matmul(input, weight.T) + bias


_linear.derivatives(
    input=lambda g, weight: g @ weight,
    weight=lambda g, input: g.T @ input,
    bias=lambda g: g,
)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, for `input` (…, in), `weight` (out, in) or (in), `bias` (out): (…, out).

    Raises RuntimeError when sizes or types do not fit.

    >>> import tinygrad_mnist as torch
    >>> F = torch.nn.functional
    >>> F.linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5]))
    tensor([[11.5000]])
    """
    if bias is None:
        check_tensors("linear", input=input, weight=weight)
        return matmul(input, weight.T)
    check_tensors("linear", input=input, weight=weight, bias=bias)
    x, w, b = input._array, weight._array, bias._array
    if w.ndim == 1 and b.ndim == 0 and x.ndim != 2:
        return matmul(input, weight) + bias
    _check(x, w, b)
    if x.ndim == 2:
        return _linear(input, weight, bias)
    rows = _linear(input.reshape(math.prod(x.shape[:-1]), w.shape[1]), weight, bias)
    return label(rows.reshape(*x.shape[:-1], w.shape[0]), "ViewBackward0")


def _check(x: Array, weight: Array, bias: Array) -> None:
    """RuntimeError, as PyTorch words it, unless the three fit together."""
    if x.ndim == 0 or weight.ndim == 0:
        raise RuntimeError(
            "both arguments to linear need to be at least 1D, but they are "
            f"{x.ndim}D and {weight.ndim}D"
        )
    if weight.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {weight.ndim}D")
    if weight.ndim == 1:
        raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
    if not x.dtype == weight.dtype == bias.dtype:
        _refuse_types(x, weight, bias)
    rows, (outputs, inputs) = math.prod(x.shape[:-1]), weight.shape
    if x.shape[-1] != inputs:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and "
            f"{inputs}x{outputs})"
        )
    if bias.shape != (outputs,):
        _check_bias(list(bias.shape), [rows, outputs])


def _refuse_types(x: Array, weight: Array, bias: Array) -> None:
    names = [dtypes.from_numpy_dtype(array.dtype).legacy_name for array in (x, weight, bias)]
    if names[2] != names[1]:
        pair = f"self and mat2 must have the same dtype, but got {names[2]} and {names[1]}"
    else:
        pair = f"mat1 and mat2 must have the same dtype, but got {names[0]} and {names[1]}"
    raise RuntimeError(pair)


def _check_bias(have: list[int], want: list[int]) -> None:
    if len(have) > 2:
        raise RuntimeError(
            f"expand: the bias has {len(have)} dimensions, {have}; the product has two, {want}"
        )
    for back in range(1, len(have) + 1):
        if have[-back] not in (1, want[-back]):
            raise RuntimeError(
                f"The expanded size of the tensor ({want[-back]}) must match the existing size "
                f"({have[-back]}) at non-singleton dimension {len(want) - back}.  "
                f"Target sizes: {want}.  Tensor sizes: {have}"
            )


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x₁ᵀ W x₂ + b for `input1` (…, n), `input2` (…, m), `weight` (out, n, m), `bias` (out).

    Raises RuntimeError when sizes do not fit.
    """
    check_tensors("bilinear", input1=input1, input2=input2, weight=weight)
    _check_bilinear(input1._array, input2._array, weight._array, bias)
    lead = input1.shape[:-1]
    rows = math.prod(lead)
    first = input1.reshape(rows, 1, 1, input1.size(-1))
    second = input2.reshape(rows, 1, input2.size(-1))
    half = matmul(first, weight).squeeze(2)
    out = matmul(half, second.transpose(1, 2)).reshape(*lead, weight.size(0))
    if bias is not None:
        out = out + bias
    return label(out, "AddBackward0" if bias is not None else "ViewBackward0")


def _check_bilinear(first: Array, second: Array, weight: Array, bias: Tensor | None) -> None:
    if first.ndim != second.ndim:
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {first.ndim} and {second.ndim}"
        )
    for d, (n, m) in enumerate(zip(first.shape[:-1], second.shape[:-1], strict=True)):
        if n != m:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {d}: got {n} and {m}"
            )
    for number, given, wanted in (
        (1, first.shape[-1], weight.shape[1]),
        (2, second.shape[-1], weight.shape[2]),
    ):
        if given != wanted:
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: got {given} but "
                f"expected {wanted}"
            )
    if bias is not None and bias.size(0) != weight.shape[0]:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.size(0)} but expected "
            f"{weight.shape[0]}"
        )
