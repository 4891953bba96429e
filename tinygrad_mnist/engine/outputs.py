"""Operations of several outputs: one record for the operation, and one for each output.

An output's record passes its gradient on in a `Bundle`; the operation's record, older than theirs,
is visited when all have passed, with the sum of the bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mnist.core.record import Array

from .node import OutputRecord, Record, make_record
from .primitive import Primitive
from .tensor import Tensor


def _never_computed() -> None:
    """The body of primitives of which only records are left."""


def only_recorded(vjp: Callable[[Any, Any], list[Any]]) -> Primitive:
    """A primitive that is never called: its records are made by hand."""
    op = Primitive(_never_computed)
    op.vjp = vjp
    return op


def _with_the_others(record: Any, gradient: Any) -> list[Any]:
    """g, as one of the gradients of all outputs."""
    return [record.bundle(gradient)]


def _each_to_its_own(record: Any, bundle: Any) -> list[Any]:
    """g of the output that this input is."""
    return [bundle.get(position) for position in range(bundle.outputs)]


_OUTPUT = only_recorded(_with_the_others)
EACH_TO_ITS_OWN = only_recorded(_each_to_its_own)


def output_record(node: Record, array: Array, position: int, outputs: int) -> Record:
    """The record of one of so many outputs of `node`."""
    attributes = {"position": position, "outputs": outputs}
    return make_record(_OUTPUT, (node,), array, (), attributes, OutputRecord)


def share_record(
    op: Primitive,
    inputs: tuple[Any, ...],
    results: Sequence[Tensor],
    attributes: dict[str, Any],
    name: str,
) -> None:
    """Make the results outputs of one record, which is called `name`."""
    attributes |= {"outputs": len(results)}
    node = make_record(op, inputs, results[0]._array, (), attributes, Record.named(name))
    for position, result in enumerate(results):
        result._record = output_record(node, result._array, position, len(results))


def joined_as(results: tuple[Tensor, ...], name: str) -> None:
    """Have results that were computed one by one count as outputs of one operation."""
    records = tuple([result._record for result in results])
    if all(record is not None for record in records):
        share_record(EACH_TO_ITS_OWN, records, results, {}, name)
