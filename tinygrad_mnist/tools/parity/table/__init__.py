"""The table of operations: what each is tried on, and how near PyTorch it must be."""

from dataclasses import replace

from tinygrad_mnist.tools.parity.samples import SITUATIONS, Maker, Sample, sample

from . import (
    elementwise,
    indexing,
    losses,
    matrices,
    networks,
    recurrent,
    reductions,
    shapes,
    tensors,
)
from .families import NOT_A_TENSOR
from .operation import Operation, find, gradient_of, in_place, with_aliases

__all__ = ["OPERATIONS", "SITUATIONS", "Maker", "Operation", "Sample", "find", "gradient_of",
           "sample"]  # fmt: skip

_TAKE_ANYTHING = ("is_tensor", "typename")
_GRADIENT_HERE_ALONE = ("acosh", "asinh", "atanh")
"""Not tried in place, where PyTorch has no derivatives of these."""


def _with_errors(row: Operation) -> Operation:
    """A row that names no wrong arguments is tried on a text in place of its first tensor."""
    called_otherwise = row.function is not None or row.name.startswith("Tensor.")
    if row.errors or not row.public or called_otherwise or row.name in _TAKE_ANYTHING:
        return row
    return replace(row, errors=NOT_A_TENSOR[:1])


OPERATIONS: tuple[Operation, ...] = tuple(
    with_aliases(_with_errors(row))
    for row in (
        *elementwise.NUMBERS,
        *elementwise.COMPARISONS,
        *reductions.OPERATIONS,
        *matrices.OPERATIONS,
        *matrices.FACTORS,
        *shapes.OPERATIONS,
        *indexing.OPERATIONS,
        *elementwise.ACTIVATIONS,
        *losses.OPERATIONS,
        *networks.OPERATIONS,
        *recurrent.OPERATIONS,
        *tensors.OPERATIONS,
        *in_place(row for row in elementwise.NUMBERS if row.name not in _GRADIENT_HERE_ALONE),
        *in_place(elementwise.COMPARISONS, gradients=False),
        *in_place(reductions.RUNNING),
        *in_place(matrices.OPERATIONS),
        *in_place(shapes.REARRANGING),
        *in_place(indexing.OPERATIONS),
    )
)
"""Every row, in the order of the report."""
