"""A recorded computation replayed in PyTorch, whose own autograd then gives every gradient.

An operation is replayed by PyTorch's function of its name, or by a line of a short table. One that
PyTorch has no counterpart of passes gradients on by the engine's own formulas, so that the chain
goes on; what lies behind it is told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import restore_reduced_dims
from tinygrad_mnist.engine.unbroadcast import unbroadcast_array

from .counterparts import counterpart
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
    """For each entry, the operations without counterpart that its gradient came through."""


def gradients(
    entries: Sequence[Entry], starts: Mapping[int, Array], wide: bool = False
) -> Replayed:
    """The gradient of Σ start · result with respect to each entry, by PyTorch's autograd.

    `wide` computes in float64. Needs PyTorch: ModuleNotFoundError where it is not installed.
    """
    torch = pytorch()
    results: list[Any] = []
    with torch.enable_grad():
        for entry in entries:
            results.append(_replayed(torch, entry, results, wide))
        roots = {at: g for at, g in starts.items() if getattr(results[at], "requires_grad", False)}
        torch.autograd.backward(
            [results[at] for at in roots],
            [torch.from_numpy(np.array(g, ndmin=0)).to(results[at].dtype)
             for at, g in roots.items()],
        )  # fmt: skip
    found = [getattr(result, "grad", None) for result in results]
    return Replayed([None if g is None else g.numpy() for g in found], _behind(entries))


def _replayed(torch: Any, entry: Entry, results: list[Any], wide: bool) -> Any:
    """The entry's result as a tensor (or several), whose gradient is kept."""
    if entry.primitive is None:
        return _leaf(torch, entry.output, wide)
    inputs = [_given(torch, each, results, wide) for each in entry.inputs]
    call = counterpart(entry.primitive)
    known = all(each is not None or given is None
                for each, given in zip(inputs, entry.inputs, strict=True))  # fmt: skip
    if call is None or not known:
        result = _by_own_formulas(torch, entry, inputs, wide)
    else:
        attributes = {name: _setting(torch, each) for name, each in entry.attributes.items()}
        if wide and attributes.get("dtype") in (torch.float16, torch.bfloat16, torch.float32):
            attributes["dtype"] = torch.float64
        result = call(torch, inputs, attributes)
    if isinstance(result, torch.Tensor) and result.requires_grad:
        result = result.clone() if result.is_leaf or any(result is x for x in inputs) else result
        result.retain_grad()
    return result


def _leaf(torch: Any, array: Any, wide: bool) -> Any:
    if array is None:
        return None
    tensor = torch.from_numpy(np.array(array))
    if not tensor.is_floating_point():
        return tensor
    return (tensor.double() if wide else tensor).requires_grad_()


def _given(torch: Any, each: Any, results: list[Any], wide: bool) -> Any:
    if isinstance(each, At):
        return results[each.entry]
    if isinstance(each, np.ndarray):
        tensor = torch.from_numpy(np.array(each))
        return tensor.double() if wide and tensor.is_floating_point() else tensor
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


def _behind(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """For each entry, the operations without counterpart between it and the end."""
    behind: list[set[str]] = [set() for _ in entries]
    for at in range(len(entries) - 1, -1, -1):
        own = _without_counterpart(entries[at])
        for each in entries[at].inputs:
            if isinstance(each, At):
                behind[each.entry] |= behind[at] | own
    return [tuple(sorted(names)) for names in behind]


def _without_counterpart(entry: Entry) -> set[str]:
    """The operation's name, if PyTorch has nothing alike."""
    op = entry.primitive
    if op is None or counterpart(op) is not None:
        return set()
    function = entry.attributes.get("function")
    return {op.name if function is None else function.__name__}


# What has no counterpart


def _by_own_formulas(torch: Any, entry: Entry, inputs: list[Any], wide: bool) -> Any:
    """The recorded result, whose gradient goes on by the engine's formulas."""
    if entry.output is None:
        return None
    tensors = [each if isinstance(each, torch.Tensor) else None for each in inputs]
    output = torch.from_numpy(np.array(entry.output))
    output = output.double() if wide and output.is_floating_point() else output

    class Own(torch.autograd.Function):  # type: ignore[misc, name-defined, unused-ignore]
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            return output

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            found = own_gradients(entry, g.numpy(), [None if t is None else t.detach().numpy()
                                                     for t in tensors])  # fmt: skip
            return tuple([
                None if t is None or at not in found else torch.tensor(found[at]).to(t.dtype)
                for at, t in enumerate(tensors)
            ])  # fmt: skip

    apply: Any = Own.apply
    return apply(*tensors)


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
        with np.errstate(all="ignore"):
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
