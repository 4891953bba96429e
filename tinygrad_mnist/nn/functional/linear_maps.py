"""Maps by a table of weights: linear, bilinear and embedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels
from tinygrad_mnist._tensor.creation import from_numpy, zeros
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import AUTOCAST, as_given, lowered
from tinygrad_mnist.engine.calls import call, call_unary
from tinygrad_mnist.engine.node import NO_ATTRIBUTES, must_not_change, named_as
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.casting import copied
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.gather_scatter import largest_unsigned
from tinygrad_mnist.ops.indexing import _index
from tinygrad_mnist.ops.matmul import _mm, matmul
from tinygrad_mnist.ops.shapes import expand, unsqueeze


@primitive(grad_fn="AddmmBackward0")
def _linear(mat1: Array, weight: Array, bias: Array) -> Any:
    """x Wᵀ + b"""
    out = kernels.matmul(mat1, weight.T)
    out += bias
    return out


_linear.derivatives(
    mat1=lambda g, weight: _mm(g, weight),
    weight=lambda g, mat1: _mm(g.T, mat1),
    bias=lambda g: g,
)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, for `input` (…, in), `weight` (out, in) or (in), `bias` (out): (…, out).

    Raises RuntimeError when sizes or types do not fit.

    >>> F = torch.nn.functional
    >>> F.linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5]))
    tensor([[11.5000]])
    """
    if AUTOCAST:
        input, weight, bias = lowered(input, weight, bias)
    if bias is None:
        check_tensors("linear", input=input, weight=weight)
        return matmul(input, weight.T)
    in_order = isinstance(input, Tensor) and isinstance(weight, Tensor) and isinstance(bias, Tensor)
    if not in_order:
        check_tensors("linear", input=input, weight=weight, bias=bias)
    x, w, b = input._array, weight._array, bias._array
    alike = x.dtype is w.dtype is b.dtype and x.ndim == w.ndim == 2
    if alike and x.shape[1:] == w.shape[1:] and b.shape == w.shape[:1]:
        return call(_linear, (input, weight, bias), NO_ATTRIBUTES)
    if w.ndim == 1 and b.ndim == 0 and x.ndim != 2:
        return matmul(input, weight) + bias
    _check_linear(input, weight, bias)
    if x.ndim == 2:
        return call(_linear, (input, weight, bias), NO_ATTRIBUTES)
    rows = _linear(input.reshape(math.prod(x.shape[:-1]), w.shape[1]), weight, bias)
    return named_as(rows.reshape(*x.shape[:-1], w.shape[0]), "ViewBackward0")


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor) -> None:
    """RuntimeError, as PyTorch words it, unless the three fit together."""
    x, w = input._array, weight._array
    if x.ndim == 0 or w.ndim == 0:
        raise RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {x.ndim}D and {w.ndim}D"
        )
    if w.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {w.ndim}D")
    if w.ndim == 1:
        raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
    if not x.dtype == w.dtype == bias._array.dtype:
        name, other = ("self", bias) if bias.dtype != weight.dtype else ("mat1", input)
        raise RuntimeError(
            f"{name} and mat2 must have the same dtype, but got {other.dtype.legacy_name} and "
            f"{weight.dtype.legacy_name}"
        )
    rows, (outputs, inputs) = math.prod(x.shape[:-1]), w.shape
    if x.shape[-1] != inputs:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and "
            f"{inputs}x{outputs})"
        )
    if bias._array.shape != (outputs,):
        expand(bias, rows, outputs)


@as_given
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x₁ᵀ W x₂ + b for `input1` (…, n), `input2` (…, m), `weight` (out, n, m), `bias` (out).

    Raises RuntimeError when sizes do not fit.
    """
    check_tensors("bilinear", input1=input1, input2=input2, weight=weight)
    if bias is not None:
        check_tensors("bilinear", bias=bias)
    _check_bilinear(input1._array, input2._array, weight._array, bias)
    lead = input1.shape[:-1]
    rows = math.prod(lead)
    first = input1.reshape(rows, 1, 1, input1.size(-1))
    second = input2.reshape(rows, 1, input2.size(-1))
    half = matmul(first, weight).squeeze(2)
    out = matmul(half, second.transpose(1, 2)).reshape(*lead, weight.size(0))
    return named_as(out, "ViewBackward0") if bias is None else out + bias


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
    sizes = {"input1": first.shape[-1], "input2": second.shape[-1]}
    if bias is not None:
        sizes["bias"] = bias.size(0)
    for (name, given), wanted in zip(
        sizes.items(), (*weight.shape[1:], weight.shape[0]), strict=False
    ):
        if given != wanted:
            raise RuntimeError(
                f"bilinear(): {name} size does not match weight size: got {given} but expected "
                f"{wanted}"
            )


# Embedding


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """weight[input]: rows of `weight` (rows, size) by their numbers (…), of shape (…, size).

    The row `padding_idx` gets no gradient. With `max_norm`, rows that are looked up and longer
    (by their `norm_type` norm) are first shortened to it, in `weight` itself. With
    `scale_grad_by_freq` a row's gradient is divided by how often it is looked up. Raises
    IndexError for a number out of range, RuntimeError for numbers that are not int64 or int32.

    >>> table = torch.tensor([[0.0, 0.5], [1.0, 1.5]])
    >>> torch.nn.functional.embedding(torch.tensor([1, 1]), table)
    tensor([[1.0000, 1.5000],
            [1.0000, 1.5000]])
    """
    _check_embedding(input, weight, sparse)
    count = weight._array.shape[0]
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= count
    numbers = input._array
    if largest_unsigned(numbers) >= count:
        raise IndexError("index out of range in self")
    if max_norm is not None:
        note_untraceable()
        _shorten(weight, np.unique(numbers), max_norm, norm_type)
    if numbers.ndim:
        rows = must_not_change(call_unary(_index, weight, {"key": (copied(numbers),)}), input)
    else:
        rows = weight[input]
    if scale_grad_by_freq:
        note_untraceable()
        _, position, found = np.unique(numbers, return_inverse=True, return_counts=True)
        often = found[position].reshape(*numbers.shape, 1).astype(rows._array.dtype)
        rows = rows.detach() + (rows - rows.detach()) / from_numpy(often)
    if padding_idx is not None:
        rows = where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)
    return named_as(rows, "EmbeddingBackward0")


_INTEGERS = (np.dtype(np.int64), np.dtype(np.int32))


def _check_embedding(input: Any, weight: Any, sparse: bool) -> None:
    if not (isinstance(weight, Tensor) and isinstance(input, Tensor)):
        check_tensors("embedding", weight=weight, indices=input)
    if weight._array.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if input._array.dtype not in _INTEGERS:
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {input.type()} instead (while checking arguments for embedding)"
        )
    if sparse:
        raise NotImplementedError(
            "embedding(sparse=True) is not supported: leave it out, the gradient is then dense"
        )


@no_grad()
def _shorten(weight: Tensor, rows: Any, max_norm: float, order: float) -> None:
    """Scale the rows that are longer than `max_norm`, in place."""
    table = weight._array
    lengths = np.linalg.norm(table[rows].astype(np.float64), order, axis=1)
    for row, length in zip(rows.tolist(), lengths.tolist(), strict=True):
        if length > max_norm:
            weight[row] *= max_norm / (length + 1e-7)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at each class number, 0 elsewhere, of shape (…, num_classes), int64.

    With -1 the classes go up to the largest number. Raises RuntimeError for numbers that are not
    int64 or out of range.

    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    check_tensors("one_hot", input=tensor)
    numbers = tensor._array
    if numbers.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if numbers.size == 0 and num_classes <= 0:
        raise RuntimeError(
            "Can not infer total number of classes from empty tensor."
            if num_classes == -1
            else "num_classes should be positive"
        )
    if numbers.size and numbers.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        note_untraceable()
        num_classes = int(numbers.max()) + 1
    if numbers.size and numbers.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    everywhere = zeros(*numbers.shape, num_classes, dtype=dtypes.int64)
    return everywhere.scatter(-1, unsqueeze(tensor, -1), 1)
