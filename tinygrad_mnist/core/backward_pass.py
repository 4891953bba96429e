"""The backward pass: from a result's record to the leaves, newest record first.

So each record is visited after all that use it, when its gradient is complete. With `create_graph`
gradients are tensors, and the same formulas leave records; otherwise they are plain arrays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from .record import Record, TensorBase, state, wrap

Gradient = Any
Node = TypeVar("Node", bound=Record)


def topological_order(roots: Iterable[Node]) -> list[Node]:
    """All records that lead up to `roots`, newest first."""
    seen: set[Any] = set(roots)
    found = list(seen)
    for record in found:
        for source in record.inputs:
            if source is not None and source not in seen:
                seen.add(source)
                found.append(source)
    return sorted(found, key=operator.attrgetter("sequence"), reverse=True)


def backward(tensor: Any, gradient: Any = None, create_graph: bool = False) -> None:
    """Add the gradients of `tensor`, from above `gradient` or 1, to the leaves' `.grad`."""
    first: Any = wrap(np.ones_like(tensor._array)) if gradient is None else gradient
    arrived: dict[Record, Gradient] = {tensor._record: first if create_graph else first._array}
    before, state.grad_enabled = state.grad_enabled, create_graph
    try:
        for record in topological_order(list(arrived)):
            complete = arrived.pop(record, None)
            if complete is not None and record.primitive is None:
                accumulate_grad(record, complete)
            elif complete is not None:
                for source, part in vjp(record, complete):
                    arrived[source] = arrived[source] + part if source in arrived else part
    finally:
        state.grad_enabled = before


def accumulate_grad(leaf: Any, gradient: Gradient) -> None:
    """Add a gradient to a leaf's `.grad`, which is a tensor with memory of its own."""
    found = gradient if isinstance(gradient, TensorBase) else wrap(gradient.copy())
    leaf.grad = found if leaf.grad is None else leaf.grad + found


def vjp(record: Record, gradient: Gradient) -> list[tuple[Record, Gradient]]:
    """For each input that needs one, its gradient by its formula: a vector-Jacobian product."""
    op: Any = record.primitive
    if op.reduces:
        gradient = restore_reduced_dims(gradient, record)
    found = []
    for position, source in enumerate(record.inputs):
        formula = op.formula(position)
        if source is not None and formula is not None:
            values = [_unpack(record, which, gradient) for which in formula.saved]
            known = {**record.attributes, "shape": source.shape, "position": position}
            keywords = {name: known[name] for name in formula.keywords}
            result = formula.function(gradient, *values, **keywords)
            found.append((source, unbroadcast(result, source)))
    return found


def _unpack(record: Any, which: int, gradient: Gradient) -> Any:
    """A saved value: beside a tensor, as a tensor with the record that it came from."""
    value, is_result = record.saved[which], which == len(record.inputs)
    if isinstance(gradient, TensorBase) and isinstance(value, np.ndarray):
        value = wrap(value, record if is_result else record.inputs[which])
    return restore_reduced_dims(value, record) if is_result and record.primitive.reduces else value


def restore_reduced_dims(value: Any, record: Any) -> Any:
    """A reduction's result, or its gradient, with the reduced dimensions put back with size 1."""
    dims = record.attributes["dim"]
    shape = tuple([1 if d in dims else size for d, size in enumerate(record.inputs[0].shape)])
    return value if value.shape == shape else value.reshape(shape)


def unbroadcast(gradient: Gradient, source: Record) -> Gradient:
    """A gradient in the shape and type of what it is for, which no formula need mention.

    What was broadcast is summed, what was reduced is stretched, a reshape or cast is undone.
    """
    have, shape = gradient.shape, source.shape
    if have != shape and broadcasts(have, shape):
        gradient = gradient * np.ones(shape, source.dtype)
    elif have != shape:
        over = summed_over(have, shape)
        gradient = (gradient.sum(over) if over else gradient).reshape(shape)
    return gradient if isinstance(gradient, TensorBase) else np.asarray(gradient, source.dtype)


def broadcasts(have: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether sizes of 1 in `have` stretch to give `shape`."""
    lead = len(shape) - len(have)
    return lead >= 0 and all(n in (1, want) for n, want in zip(have, shape[lead:], strict=True))


def summed_over(have: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions that broadcasting `shape` to `have` added or stretched; none for a reshape."""
    lead = len(have) - len(shape)
    if math.prod(have) == math.prod(shape) or lead < 0:
        return ()
    stretched = [lead + d for d, want in enumerate(shape) if want == 1 and have[lead + d] != 1]
    return (*range(lead), *stretched)
