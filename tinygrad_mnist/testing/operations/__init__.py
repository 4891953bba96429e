"""The table of operations: what each is tried on, and how near PyTorch it must be."""

from . import (
    activations,
    classification,
    comparisons,
    creation,
    elementwise,
    functions,
    images,
    in_place,
    indexing,
    joining,
    layers,
    linalg,
    losses,
    moments,
    queries,
    random_numbers,
    rearranging,
    reductions,
    running,
    scattering,
    shapes,
    sorting,
    special,
)
from .maker import SITUATIONS, Maker, Sample, sample
from .operation import Operation, find, gradient_of
from .spellings import spelled

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

OPERATIONS: tuple[Operation, ...] = spelled(
    (
        *elementwise.OPERATIONS,
        *special.OPERATIONS,
        *comparisons.OPERATIONS,
        *reductions.OPERATIONS,
        *moments.OPERATIONS,
        *running.OPERATIONS,
        *sorting.OPERATIONS,
        *linalg.OPERATIONS,
        *shapes.OPERATIONS,
        *joining.OPERATIONS,
        *rearranging.OPERATIONS,
        *indexing.OPERATIONS,
        *scattering.OPERATIONS,
        *activations.OPERATIONS,
        *classification.OPERATIONS,
        *losses.OPERATIONS,
        *images.OPERATIONS,
        *layers.OPERATIONS,
        *functions.OPERATIONS,
        *in_place.OPERATIONS,
        *in_place.in_place(elementwise.OPERATIONS),
        *in_place.in_place(special.IN_PLACE),
        *in_place.in_place(comparisons.OPERATIONS, gradients=False),
        *in_place.in_place(running.OPERATIONS),
        *in_place.in_place(linalg.OPERATIONS),
        *in_place.in_place(rearranging.OPERATIONS),
        *in_place.in_place(scattering.OPERATIONS),
        *creation.OPERATIONS,
        *random_numbers.OPERATIONS,
        *queries.OPERATIONS,
    )
)
"""Every row, in the order of the report."""
