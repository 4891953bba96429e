"""The table of operations: what each is tried on, and how near PyTorch it must be."""

from . import (
    activations,
    classification,
    comparisons,
    creation,
    elementwise,
    in_place,
    indexing,
    layers,
    linalg,
    losses,
    random_numbers,
    reductions,
    scattering,
    shapes,
)
from .maker import SITUATIONS, Maker, Sample, sample
from .operation import Operation, find, gradient_of

__all__ = [
    "OPERATIONS",
    "SITUATIONS",
    "Maker",
    "Operation",
    "Sample",
    "find",
    "gradient_of",
    "sample",
]

OPERATIONS: tuple[Operation, ...] = (
    *elementwise.OPERATIONS,
    *comparisons.OPERATIONS,
    *reductions.OPERATIONS,
    *linalg.OPERATIONS,
    *shapes.OPERATIONS,
    *indexing.OPERATIONS,
    *scattering.OPERATIONS,
    *activations.OPERATIONS,
    *classification.OPERATIONS,
    *losses.OPERATIONS,
    *layers.OPERATIONS,
    *in_place.OPERATIONS,
    *in_place.in_place(elementwise.OPERATIONS),
    *in_place.in_place(comparisons.OPERATIONS, gradients=False),
    *creation.OPERATIONS,
    *random_numbers.OPERATIONS,
)
"""Every row, in the order of the report."""
