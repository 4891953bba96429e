"""The table of operations: what each is tried on, and how near PyTorch it must be."""

from dataclasses import replace

from . import (
    activations,
    classification,
    comparisons,
    creation,
    distances,
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
    resampling,
    running,
    scattering,
    shapes,
    sorting,
    special,
)
from .families import NOT_A_TENSOR
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


_TAKE_ANYTHING = ("is_tensor", "typename")


def _with_errors(row: Operation) -> Operation:
    """A row that names no wrong arguments is tried on a text in place of its first tensor."""
    called_otherwise = row.function is not None or row.name.startswith("Tensor.")
    if row.errors or not row.public or called_otherwise or row.name in _TAKE_ANYTHING:
        return row
    return replace(row, errors=NOT_A_TENSOR[:1])


OPERATIONS: tuple[Operation, ...] = spelled(
    _with_errors(row)
    for row in (
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
        *distances.OPERATIONS,
        *images.OPERATIONS,
        *resampling.OPERATIONS,
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
