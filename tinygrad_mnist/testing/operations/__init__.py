"""The table of operations: what each is tried on, and how near PyTorch it must be."""

from . import classification, elementwise, indexing, linalg, reductions, shapes
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
    *reductions.OPERATIONS,
    *linalg.OPERATIONS,
    *shapes.OPERATIONS,
    *indexing.OPERATIONS,
    *classification.OPERATIONS,
)
"""Every row, in the order of the report."""
