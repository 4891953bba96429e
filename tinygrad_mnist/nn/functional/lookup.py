"""Embedding: rows of a table, looked up by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import from_numpy, zeros
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.record import TensorBase, label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.casting import decides
from tinygrad_mnist.ops.choosing import where
from tinygrad_mnist.ops.shapes import unsqueeze

__all__ = ["embedding", "one_hot"]


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """weight[input]: rows of `weight` (rows, size) by their numbers (…), of shape (…, size).

    The row `padding_idx` gets no gradient. With `max_norm`, rows that are looked up and longer
    (by their `norm_type` norm) are first shortened to it, in `weight` itself. With
    `scale_grad_by_freq` a row's gradient is divided by how often it is looked up. Raises
    IndexError for a number out of range, RuntimeError for numbers that are not int64 or int32.

    >>> import tinygrad_mnist as torch
    >>> table = torch.tensor([[0.0, 0.5], [1.0, 1.5]])
    >>> torch.nn.functional.embedding(torch.tensor([1, 1]), table)
    tensor([[1.0000, 1.5000],
            [1.0000, 1.5000]])
    """
    _check(input, weight, sparse)
    count = weight.size(0)
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= count
    numbers = input._array
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
        raise IndexError("index out of range in self")
    if max_norm is not None:
        decides()
        _shorten(weight, np.unique(numbers), max_norm, norm_type)
    rows = weight[input]
    if scale_grad_by_freq:
        decides()
        _, position, found = np.unique(numbers, return_inverse=True, return_counts=True)
        often = found[position].reshape(*numbers.shape, 1).astype(rows._array.dtype)
        rows = rows.detach() + (rows - rows.detach()) / from_numpy(often)
    if padding_idx is not None:
        rows = where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)
    return label(rows, "EmbeddingBackward0")


def _check(input: Any, weight: Any, sparse: bool) -> None:
    for name, position, given in (("weight", 1, weight), ("indices", 2, input)):
        if not isinstance(given, TensorBase):
            raise TypeError(
                f"embedding(): argument '{name}' (position {position}) must be Tensor, "
                f"not {type(given).__name__}"
            )
    if weight._array.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if input._array.dtype not in (np.int64, np.int32):
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

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if not isinstance(tensor, TensorBase):
        raise TypeError(
            f"one_hot(): argument 'input' (position 1) must be Tensor, not {type(tensor).__name__}"
        )
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
        decides()
        num_classes = int(numbers.max()) + 1
    if numbers.size and numbers.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    everywhere = zeros(*numbers.shape, num_classes, dtype=dtypes.int64)
    return everywhere.scatter(-1, unsqueeze(tensor, -1), 1)
