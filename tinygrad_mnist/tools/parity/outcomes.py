"""What a function does on one engine: results, gradients of both orders, warnings, its error."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .twins import Array, Engine, twin

__all__ = ["Outcome", "observe"]

Draw = Callable[[Any, int, int], Any]
"""Draws numbers in a tensor's shape, for a purpose; their number among those of that purpose."""

ABOVE, ASIDE = range(2)
"""What random numbers are for: the gradients that arrive from above, the directions in which
gradients are differentiated again."""


@dataclass
class Outcome:
    """What there is to compare, by name: "value", "gradient of input 0", …"""

    error: Exception | None = None
    values: dict[str, Any] = field(default_factory=dict)
    """Results, and inputs that the function changed: arrays, or plain Python values."""
    gradients: dict[str, Array | None] = field(default_factory=dict)
    second: dict[str, Array] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """What must be the same word for word: shapes, dtypes, whether a result requires a gradient."""
    warned: set[str] = field(default_factory=set)
    """The classes of the warnings that were given."""


def observe(
    engine: Engine, function: Callable[..., Any], inputs: tuple[Any, ...], *, seed: int,
    gradients: bool = True, second_order: bool = False, absolute: bool = False,
) -> Outcome:  # fmt: skip
    """Call `function` on `engine` with `inputs` (as `twins.read` gives them) and go backward.

    The gradients from above are random numbers that `seed` fixes. With `absolute`, inputs and
    these are replaced by their absolute values.
    """
    seen = Outcome()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            given = twin(engine, inputs, absolute)
            before = {place: _numbers(tensor) for place, tensor in given.tensors.items()}
            results = _results(function(*given.arguments))
            _note_values(seen, results, given.tensors, before)
            if gradients:
                draw = functools.partial(_direction, engine, seed, absolute)
                _differentiate(engine, seen, results, given.tensors, draw, second_order)
        except Exception as error:
            seen.error = error
    seen.warned = {warning.category.__name__ for warning in caught}
    return seen


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "requires_grad") and hasattr(value, "detach")


def _numbers(tensor: Any) -> Array:
    """A tensor's numbers, in an array of its own; float32 for bfloat16, which NumPy has not."""
    tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    return np.array(tensor.numpy(force=True))


def _results(result: Any, name: str = "value") -> dict[str, Any]:
    """What a function returned, each part by its place: "value", "value[1]", "value['x']"."""
    if isinstance(result, dict):
        parts = list(result.items())
    elif isinstance(result, list | tuple) and type(result).__name__ != "Size":
        parts = list(enumerate(result))
    else:
        return {name: result}
    found: dict[str, Any] = {f"number of results in {name}": len(parts)}
    for key, part in parts:
        found.update(_results(part, f"{name}[{key!r}]"))
    return found


def _note_values(
    seen: Outcome, results: dict[str, Any], tensors: dict[str, Any], before: dict[str, Array]
) -> None:
    for name, result in results.items():
        if _is_tensor(result):
            seen.values[name] = _numbers(result)
            seen.facts[f"shape of {name}"] = tuple(result.shape)
            seen.facts[f"dtype of {name}"] = str(result.dtype)
            seen.facts[f"{name} requires grad"] = bool(result.requires_grad)
        elif isinstance(result, float):
            seen.values[name] = np.asarray(result)
        else:
            seen.facts[name] = tuple(result) if isinstance(result, tuple) else result
            if type(result).__name__ == "dtype":
                seen.facts[name] = repr(result)
    for place, tensor in tensors.items():
        after = _numbers(tensor)
        if after.shape != before[place].shape or not np.array_equal(
            after, before[place], equal_nan=after.dtype.kind == "f"
        ):
            seen.values[f"input {place} afterwards"] = after


def _direction(
    engine: Engine, seed: int, absolute: bool, tensor: Any, purpose: int, position: int
) -> Any:
    """Random numbers in the shape of a tensor, the same for both engines."""
    random = np.random.default_rng([seed, purpose, position])
    drawn = random.standard_normal(tuple(tensor.shape)).astype(_numbers(tensor).dtype)
    return engine.from_numpy(np.asarray(np.abs(drawn) if absolute else drawn)).to(
        tensor.device, tensor.dtype
    )


def _differentiate(
    engine: Engine, seen: Outcome, results: dict[str, Any], tensors: dict[str, Any], draw: Draw,
    second_order: bool,
) -> None:  # fmt: skip
    roots = [each for each in results.values() if _is_tensor(each) and each.requires_grad]
    wanted = {place: tensor for place, tensor in tensors.items() if tensor.requires_grad}
    if not roots or not wanted:
        return
    above = [draw(root, ABOVE, i) for i, root in enumerate(roots)]
    if second_order:
        above = [each.requires_grad_() for each in above]
    found = engine.autograd.grad(
        roots, list(wanted.values()), above, create_graph=second_order, allow_unused=True
    )
    for place, gradient in zip(wanted, found, strict=True):
        name = f"gradient of input {place}"
        seen.gradients[name] = None if gradient is None else _numbers(gradient)
        seen.facts[f"shape of the {name}"] = None if gradient is None else tuple(gradient.shape)
        seen.facts[f"dtype of the {name}"] = None if gradient is None else str(gradient.dtype)
    if second_order:
        names = [f"input {place}" for place in wanted]
        names += [f"the gradient from above of result {i}" for i in range(len(above))]
        _differentiate_again(engine, seen, found, dict(zip(names, [*wanted.values(), *above],
                                                           strict=True)), draw)  # fmt: skip


def _differentiate_again(
    engine: Engine, seen: Outcome, firsts: Any, wanted: dict[str, Any], draw: Draw
) -> None:
    """One product with the derivative of the gradients; what they do not depend on counts as 0."""
    roots, aside = [], []
    for position, gradient in enumerate(firsts):
        if gradient is not None and gradient.requires_grad:
            roots.append(gradient)
            aside.append(draw(gradient, ASIDE, position))
    found: Any = [None] * len(wanted)
    if roots:
        found = engine.autograd.grad(roots, list(wanted.values()), aside, allow_unused=True)
    for (name, tensor), gradient in zip(wanted.items(), found, strict=True):
        zero = np.zeros(tuple(tensor.shape), _numbers(tensor).dtype)
        seen.second[f"second order, {name}"] = zero if gradient is None else _numbers(gradient)
