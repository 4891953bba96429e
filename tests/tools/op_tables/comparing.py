"""One call on both engines: results, types, records, gradients of both orders, or the error."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import tinygrad_mnist as ours
from tests.tools.op_tables.entries import copied, translated

NEAR = {torch.float32: 1e-5, torch.float64: 1e-9}
"""How far a number may be from PyTorch's, relative to it and absolute."""
FACTS = ("dtype", "shape", "requires_grad")
"""What must be as PyTorch's in a result; a gradient may be recorded or not where it is linear."""
UNFILLED = ("empty", "empty_like", "empty_permuted", "empty_strided", "new_empty")
"""Operations whose numbers mean nothing."""

UNDECIDED = ("kthvalue", "mode", "topk")
"""Operations that may name any of several equal numbers by its index, which comes second."""


class Calls:
    """The same call on both engines: PyTorch's side first, ours second."""

    def __init__(self, theirs: Callable[..., Any], own: Callable[..., Any], arguments: Any) -> None:
        self.arguments = (copied(arguments), translated(arguments))
        self.results: list[Any] = []
        self.errors: list[Exception | None] = []
        engines = zip((torch, ours), (theirs, own), self.arguments, strict=True)
        for engine, function, (first, rest, named) in engines:
            engine.manual_seed(3)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self.results.append(function(first, *rest, **named))
                self.errors.append(None)
            except Exception as error:  # whatever is raised is compared
                self.results.append(None)
                self.errors.append(error)

    def wrong_error(self) -> str | None:
        """How the errors differ: their classes, or that just one side raises."""
        theirs, own = self.errors
        if isinstance(own, type(theirs)):
            return None
        return f"ours {own!r}, PyTorch {theirs!r}"

    def wrong_result(self, name: str) -> str | None:
        """How results, types, records, gradients differ: the first difference."""
        theirs, own = (_flat(result) for result in self.results)
        if len(theirs) != len(own):
            return f"{len(own)} results, PyTorch {len(theirs)}"
        plain = name.partition(".")[0]
        for number, (have, want) in enumerate(zip(own, theirs, strict=True)):
            numbers = plain not in UNFILLED and (number == 0 or plain not in UNDECIDED)
            if wrong := _different(have, want, numbers):
                return wrong
        return self._wrong_records(theirs, own)

    def _wrong_records(self, theirs: list[Any], own: list[Any]) -> str | None:
        names = [
            [type(t.grad_fn).__name__ for t in side if hasattr(t, "grad_fn")]
            for side in (theirs, own)
        ]
        return None if names[0] == names[1] else f"grad_fn {names[1]}, PyTorch {names[0]}"

    def wrong_gradients(self, twice: bool) -> str | None:
        """How gradients differ, and with `twice` the gradients of gradients."""
        outputs = [_recorded(result) for result in self.results]
        leaves = [_recorded(arguments) for arguments in self.arguments]
        for order in (1, 2) if twice else (1,):
            if not outputs[0] or not leaves[0]:
                return None
            found, errors = self._gradients(outputs, leaves, again=twice and order == 1)
            if type(errors[0]) is not type(errors[1]):
                return f"order {order}: ours {errors[1]!r}, PyTorch {errors[0]!r}"
            for place, (want, have) in enumerate(zip(*found, strict=True)):
                if wrong := _different_gradient(have, want):
                    return f"gradient {place} of order {order}: {wrong}"
            outputs = found
        return None

    def _gradients(self, outputs: Any, leaves: Any, again: bool) -> tuple[list[Any], list[Any]]:
        """What both engines give, and the errors; what needs no gradient gives zeros (None)."""
        found: list[Any] = []
        errors: list[Any] = []
        for engine, results, inputs in zip((torch, ours), outputs, leaves, strict=True):
            draw = np.random.default_rng(0)
            above = [draw.standard_normal(() if r is None else tuple(r.shape)) for r in results]
            kept = [n for n, r in enumerate(results) if r is not None and r.requires_grad]
            seeds = [engine.tensor(np.asarray(above[n]), dtype=results[n].dtype) for n in kept]
            found.append((None,) * len(inputs))
            errors.append(None)
            try:
                if kept:
                    roots = [results[n] for n in kept]
                    found[-1] = engine.autograd.grad(
                        roots, inputs, seeds, allow_unused=True, create_graph=again
                    )
            except (RuntimeError, NotImplementedError) as error:
                errors[-1] = error
        return found, errors


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size | ours.Size):
        return [leaf for each in value for leaf in _flat(each)]
    if isinstance(value, dict):
        return _flat(list(value.values()))
    return [value]


def _recorded(value: Any) -> list[Any]:
    return [
        t for t in _flat(value) if isinstance(t, torch.Tensor | ours.Tensor) and t.requires_grad
    ]


def _different(
    have: Any, want: Any, numbers: bool = True, facts: tuple[str, ...] = FACTS
) -> str | None:
    if not isinstance(want, torch.Tensor):
        close = isinstance(want, float) and bool(np.isclose(have, want, equal_nan=True))
        same = have == want if not isinstance(want, torch.dtype) else str(have) == str(want)
        return None if same or close else f"{have!r}, PyTorch {want!r}"
    if not isinstance(have, ours.Tensor):
        return f"a {type(have).__name__} instead of a Tensor"
    for what in facts:
        one, other = str(getattr(have, what)), str(getattr(want, what))
        if one != other:
            return f"{what} {one}, PyTorch {other}"
    near = NEAR.get(want.dtype, 0.0)
    x, y = have.detach().numpy(), want.detach().numpy(force=True)
    if not numbers or np.allclose(x, y, near, near, equal_nan=True):
        return None
    worst = np.argwhere(~np.isclose(x, y, near, near, equal_nan=True))[0]
    return f"{x[tuple(worst)]} at {worst.tolist()}, PyTorch {y[tuple(worst)]}"


def _different_gradient(have: Any, want: Any) -> str | None:
    """As `_different`; no gradient at all counts as one of zeros."""
    if have is None or want is None:
        other = want if have is None else have
        if other is None or not other.detach().numpy().any():
            return None
        return f"{'ours' if have is None else 'that of PyTorch'} is missing"
    return _different(have, want, facts=("dtype", "shape"))
