"""Operations of several outputs: one record for the operation, and one for each output.

An output's record passes its gradient on in a `Bundle`; the operation's record, older than theirs,
is visited when all have passed, with the sum of the bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mnist.core.record import Array, next_sequence

from .calls import call_view
from .node import OutputRecord, Record, make_record
from .observer import OBSERVERS
from .primitive import Primitive
from .tensor import TENSOR_TYPE, Tensor
from .views import forbid_change


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
_new = object.__new__


def views_of(
    op: Primitive, x: Tensor, attributes: list[dict[str, Any]], reason: str
) -> tuple[Tensor, ...]:
    """The views that `op` makes of x by some attributes, not to be changed in place for a reason.

    `share_record` gives them their records.
    """
    views: list[Any] = []
    array, body = x._array, op.body
    for named in attributes:
        part = body(array, **named)
        if OBSERVERS or not views:
            view = call_view(op, x, part, named, op.record_type)
            base, version, (before, _, _), why = forbid_change(view, reason)._view
            counter = view._counter
        else:  # written out: a hot path
            view = _new(TENSOR_TYPE[0])
            view._array, view._record, view._counter = part, None, counter
            view._view = (base, version, (before, op, named), why)
        views.append(view)
    return tuple(views)


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
    inputs, count = (node,), len(results)
    for position, result in enumerate(results):  # `output_record`, written out: a hot path
        result._record = record = _new(OutputRecord)
        record.primitive, record.inputs = _OUTPUT, inputs
        record.shape, record.dtype = result._array.shape, result._array.dtype
        record.saved, record.hooks = (), None
        record.attributes = {"position": position, "outputs": count}
        record.sequence = next_sequence()


def joined_as(results: tuple[Tensor, ...], name: str) -> None:
    """Have results that were computed one by one count as outputs of one operation."""
    records = tuple([result._record for result in results])
    if all(record is not None for record in records):
        share_record(EACH_TO_ITS_OWN, records, results, {}, name)
