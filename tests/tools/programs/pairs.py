"""Tensors that live on both engines, and what must be the same about them at any time."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)
NEAR = 1e-9
"""Two float64 numbers agree when they differ by this much of the largest number around them."""
FACTS = ("requires_grad", "grad_fn", "output_nr", "is_leaf", "retains_grad", "_version")


class Differs(AssertionError):
    """The engines have come apart."""


@dataclass(eq=False)
class Pair:
    """One tensor of a program, on this engine and on PyTorch."""

    name: str
    ours: Any
    theirs: Any
    hooks: list[tuple[Any, Any]] = field(default_factory=list)

    def on(self, engine: Any) -> Any:
        return self.ours if engine is tinygrad_mnist else self.theirs

    def __repr__(self) -> str:
        return self.name

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.theirs.shape)

    @property
    def floating(self) -> bool:
        return self.theirs.is_floating_point()

    @property
    def history_lost(self) -> bool:
        """Whether it is a view of what was changed where that could not be followed."""
        return attempt(lambda engine: self.theirs.grad_fn, torch)[1] is not None

    def shares_memory(self, other: "Pair") -> bool:
        mine, others = self.theirs, other.theirs
        same_base = (mine if mine._base is None else mine._base) is (
            others if others._base is None else others._base
        )
        return same_base or bool(np.may_share_memory(numbers(mine), numbers(others)))

    def magnitude(self) -> float:
        size, error = attempt(lambda engine: magnitude(numbers(self.theirs)), torch)
        return size if error is None else float("inf")


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.numpy(force=True))


def magnitude(array: np.ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0)) if array.dtype != bool else 1.0


def check_same(what: str, ours: Any, theirs: Any) -> None:
    if ours != theirs:
        raise Differs(f"{what}: {ours!r}, PyTorch has {theirs!r}")


def check_numbers(what: str, ours: Any, theirs: Any) -> None:
    """Shapes and dtypes equal, numbers near; NaN and infinities at the same places.

    None stands for no gradient.
    """
    if ours is None or theirs is None:
        check_same(what, ours, theirs)
        return
    check_same(f"shape of {what}", tuple(ours.shape), tuple(theirs.shape))
    check_same(f"dtype of {what}", str(ours.dtype), str(theirs.dtype))
    mine, other = numbers(ours), numbers(theirs)
    tolerance = NEAR * max(1.0, magnitude(other))
    if not np.allclose(mine, other, rtol=0, atol=tolerance, equal_nan=True):
        raise Differs(f"{what}:\n{mine}\nPyTorch has\n{other}")


def check_pair(pair: Pair) -> None:
    """Everything that a program could observe of a tensor."""
    ours, theirs, name = pair.ours, pair.theirs, pair.name
    for fact in FACTS:
        mine, my_error = attempt(lambda engine, f=fact: getattr(pair.on(engine), f), tinygrad_mnist)
        other, error = attempt(lambda engine, f=fact: getattr(pair.on(engine), f), torch)
        if check_errors(my_error, error):
            return
        if fact == "grad_fn":
            mine, other = type(mine).__name__, type(other).__name__
        check_same(f"{name}.{fact}", mine, other)
    check_numbers(name, ours, theirs)
    check_same(f"{name}._is_view()", ours._is_view(), theirs._is_view())
    if theirs.is_leaf or theirs.retains_grad:
        check_gradient(pair)


def check_gradient(pair: Pair) -> None:
    mine, other = pair.ours.grad, pair.theirs.grad
    check_same(f"{pair.name}.grad is None", mine is None, other is None)
    if other is not None:
        check_numbers(f"{pair.name}.grad", mine, other)
        check_same(f"{pair.name}.grad.requires_grad", mine.requires_grad, other.requires_grad)


def attempt(call: Any, engine: Any) -> tuple[Any, BaseException | None]:
    """What a step gives on one engine, or the error that it raises there; warnings are not kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(engine), None
        except Exception as error:
            return None, error


def check_errors(ours: BaseException | None, theirs: BaseException | None) -> bool:
    """Whether both raised; what catches PyTorch's error must catch ours."""
    if ours is None and theirs is None:
        return False
    if ours is None or theirs is None or not isinstance(ours, type(theirs)):
        raise Differs(f"ours raised {ours!r}, PyTorch {theirs!r}") from (ours or theirs)
    return True
