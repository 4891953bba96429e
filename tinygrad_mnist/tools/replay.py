"""A recorded computation replayed in PyTorch, whose own autograd then gives every gradient.

An operation is replayed by PyTorch's function of its name, or by a line of a short table. One that
PyTorch has no counterpart of, or cannot compute so, passes on the gradients that it gave in the
recorded pass, so that the chain goes on; what lies behind it is told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import restore_reduced_dims
from tinygrad_mnist.engine.unbroadcast import unbroadcast_array

from .counterparts import Call, counterpart
from .parity.twins import pytorch

__all__ = ["At", "Entry", "Replayed", "gradients", "own_gradients"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class At:
    """The result of an earlier entry, as an input."""

    entry: int


@dataclass(frozen=True)
class Entry:
    """One operation of a recorded computation, or (no primitive) a tensor that it began with."""

    primitive: Any
    inputs: tuple[Any, ...]
    """For each input of the primitive an `At`, an array, a number or None."""
    attributes: Mapping[str, Any]
    output: Array | None
    given: Mapping[int, Array] = field(default_factory=dict)
    """The gradients that the recorded pass gave to inputs, by their positions."""


@dataclass(frozen=True)
class Replayed:
    """What PyTorch found: the gradient at each entry, and what stands in its way."""

    gradients: list[Array | None]
    behind: list[tuple[str, ...]]
    """For each entry, the operations that its gradient came through as it was recorded."""


def gradients(
    entries: Sequence[Entry],
    starts: Mapping[int, Array],
    arrived: Mapping[int, Array] | None = None,
) -> Replayed:
    """The gradient of Σ start · result with respect to each entry, by PyTorch's autograd.

    It is the gradient at the recorded numbers: each result takes these before it is used, so that
    roundings on the way forward, which a long computation may enlarge, count for nothing. With
    `arrived`, the gradients of the recorded pass, each operation goes on from these, too. Needs
    PyTorch: ModuleNotFoundError where it is not installed.
    """
    torch, arrived = pytorch(), arrived or {}
    try:
        return _gradients(torch, entries, starts, arrived, set())
    except (RuntimeError, TypeError, ValueError, IndexError):
        alone = {at for at in range(len(entries)) if not _can_go_back(torch, entries, at)}
        return _gradients(torch, entries, starts, arrived, alone)


def _gradients(
    torch: Any,
    entries: Sequence[Entry],
    starts: Mapping[int, Array],
    arrived: Mapping[int, Array],
    alone: set[int],
) -> Replayed:
    results: list[Any] = []
    found: dict[int, Array] = {}
    with torch.enable_grad():
        for at, entry in enumerate(entries):
            result = None if at in alone else _replayed(torch, entry, results)
            if result is None and entry.primitive is not None:
                alone.add(at)
            result = _leaf(torch, entry.output) if result is None else result
            results.append(result)
            if isinstance(result, torch.Tensor) and result.requires_grad:
                result.register_hook(_noting(torch, found, at, arrived.get(at)))
        begun = [*starts.items(), *_given(entries, alone)]
        begun = [(at, g) for at, g in begun if getattr(results[at], "requires_grad", False)]
        given = [torch.from_numpy(np.array(g)).to(results[at].dtype) for at, g in begun]
        torch.autograd.backward([results[at] for at, _ in begun], given)
    return Replayed([found.get(at) for at in range(len(entries))], _behind(entries, alone))


def _given(entries: Sequence[Entry], alone: set[int]) -> Iterator[tuple[int, Array]]:
    """What operations that PyTorch does not go back through gave to their inputs, as recorded."""
    for at in sorted(alone):
        for position, gradient in entries[at].given.items():
            source = entries[at].inputs[position]
            if isinstance(source, At):
                yield source.entry, gradient


def _can_go_back(torch: Any, entries: Sequence[Entry], at: int) -> bool:
    """Whether PyTorch has the derivatives of one operation, tried by itself."""
    entry = entries[at]
    if entry.primitive is None or entry.output is None:
        return True
    sources = sorted({each.entry for each in entry.inputs if isinstance(each, At)})
    inputs = [At(sources.index(x.entry)) if isinstance(x, At) else x for x in entry.inputs]
    small = [Entry(None, (), {}, entries[source].output) for source in sources]
    small.append(replace(entry, inputs=tuple(inputs)))
    start = {len(sources): np.ones_like(entry.output)}
    try:
        _gradients(torch, small, start, {}, set())
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False
    return True


def _noting(torch: Any, found: dict[int, Array], at: int, recorded: Array | None) -> Any:
    """Called with a complete gradient: notes it, and gives the recorded one in its place."""

    def note(gradient: Any) -> Any:
        found[at] = gradient.numpy().copy()
        return None if recorded is None else torch.from_numpy(np.array(recorded))

    return note


def _replayed(torch: Any, entry: Entry, results: list[Any]) -> Any:
    """The entry's result as a tensor, or several; None where PyTorch cannot compute it."""
    if entry.primitive is None:
        return None
    inputs = [_input(torch, each, results) for each in entry.inputs]
    call = counterpart(entry.primitive)
    known = all(each is not None or given is None
                for each, given in zip(inputs, entry.inputs, strict=True))  # fmt: skip
    if call is None or not known:
        return None
    result = _called(torch, call, entry, inputs)
    if isinstance(result, torch.Tensor) and result.requires_grad:
        recorded = entry.output
        if recorded is not None and not entry.primitive.view and recorded.shape == result.shape:
            result.data.copy_(torch.from_numpy(np.array(recorded)))
        result = result.clone() if any(result is x for x in inputs) else result
    return result


def _called(torch: Any, call: Call, entry: Entry, inputs: list[Any]) -> Any:
    """What PyTorch computes; numbers as tensors, and of the result's shape, where these must be.

    None where it refuses all that.
    """
    attributes = {name: _setting(torch, each) for name, each in entry.attributes.items()}
    kinds = [x.dtype for x in inputs if isinstance(x, torch.Tensor) and x.is_floating_point()]
    types = {bool: torch.bool, int: torch.int64, float: kinds[0] if kinds else torch.float64}
    tensors = [torch.tensor(x, dtype=types[type(x)]) if type(x) in types else x for x in inputs]
    shape = () if entry.output is None else entry.output.shape
    wide = [x.broadcast_to(shape) if getattr(x, "ndim", None) == 0 else x for x in tensors]
    for given in (inputs, tensors, wide):
        with suppress(RuntimeError, TypeError, ValueError, AttributeError, IndexError):
            return call(torch, given, attributes)
    return None


def _leaf(torch: Any, array: Any) -> Any:
    if array is None:
        return None
    tensor = torch.from_numpy(np.array(array))
    return tensor.requires_grad_() if tensor.is_floating_point() else tensor


def _input(torch: Any, each: Any, results: list[Any]) -> Any:
    if isinstance(each, At):
        return results[each.entry]
    if isinstance(each, np.ndarray):
        return torch.from_numpy(np.array(each))
    return each.item() if isinstance(each, np.generic) else each


def _setting(torch: Any, value: Any) -> Any:
    """An attribute as PyTorch takes it: arrays as tensors, NumPy's types as its own."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    if isinstance(value, np.dtype):
        return torch.from_numpy(np.empty(0, value)).dtype
    if isinstance(value, tuple):
        return tuple([_setting(torch, each) for each in value])
    return value


def _behind(entries: Sequence[Entry], alone: set[int]) -> list[tuple[str, ...]]:
    """For each entry, the operations between it and the end that PyTorch did not go through."""
    behind: list[set[str]] = [set() for _ in entries]
    for at in range(len(entries) - 1, -1, -1):
        own = {_name(entries[at])} if at in alone else set()
        for each in entries[at].inputs:
            if isinstance(each, At):
                behind[each.entry] |= behind[at] | own
    return [tuple(sorted(names)) for names in behind]


def _name(entry: Entry) -> str:
    function = entry.attributes.get("function")
    name: str = entry.primitive.name if function is None else function.__name__
    return name


def own_gradients(
    entry: Entry,
    g: Array | None,
    values: Sequence[Array | None],
    output: Array | None = None,
    absolute: bool = False,
) -> dict[int, Array]:
    """The gradients of an entry's inputs by the engine's formulas, by the inputs' positions.

    `values` are the inputs (None: as the entry has them). Where an operation has no formulas, these
    are the gradients that the recorded pass gave. With `absolute`, sums over what was broadcast are
    of absolute terms.
    """
    op = entry.primitive
    if op.vjp is not None:
        return dict(entry.given)
    known = [given if value is None else value
             for value, given in zip(values, entry.inputs, strict=True)]  # fmt: skip
    saved = [*known, entry.output if output is None else output]
    record = _Plain(entry, tuple([np.shape(each) for each in known]))
    if op.reduces:
        g, saved[-1] = restore_reduced_dims(g, record), restore_reduced_dims(saved[-1], record)
    found = {}
    for position, value in enumerate(known):
        formula = op.formula(position)
        if formula is None or not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            continue
        attributes = {**entry.attributes, "shape": value.shape, "position": position}
        keywords = {name: attributes[name] for name in formula.keywords}
        with np.errstate(all="ignore"), suppress(NotImplementedError):
            result = formula.function(g, *[saved[which] for which in formula.saved], **keywords)
            result = np.abs(result) if absolute else np.asarray(result)
            found[position] = unbroadcast_array(result, value.shape)
    return found


class _Plain:
    """As much of a record as `restore_reduced_dims` reads."""

    def __init__(self, entry: Entry, shapes: tuple[tuple[int, ...], ...]) -> None:
        self.primitive, self.attributes = entry.primitive, entry.attributes
        self.inputs = [_Shaped(shape) for shape in shapes]


@dataclass(frozen=True)
class _Shaped:
    shape: tuple[int, ...]
