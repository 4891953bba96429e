"""How much is compiled: the limit of recompilations, stances, and dimensions that are marked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.engine.tensor import TensorBase

Function = TypeVar("Function", bound=Callable[..., Any])

STANCES = (
    "default", "eager_then_compile", "aot_eager_then_compile", "force_eager", "eager_on_recompile",
    "fail_on_recompile",
)  # fmt: skip
EAGER: list[str] = []
"""Holds the stance where compiled functions run uncompiled in any case."""


@dataclass
class Config:
    """Settings of `torch.compiler`."""

    recompile_limit: int = 8
    """How many programs are compiled for one function; then it runs uncompiled where none fits."""
    automatic_dynamic_shapes: bool = True
    """Whether sizes that changed become symbols where `compile` was not told."""
    background: bool = False
    """Whether what lies in no cache is compiled by another process, while functions run uncompiled.
    At which call that ends is left to chance, and with it how numbers are rounded from then on."""
    stance: str = "default"
    """What `set_stance` set."""

    @property
    def cache_size_limit(self) -> int:
        """`recompile_limit` by its older name."""
        return self.recompile_limit

    @cache_size_limit.setter
    def cache_size_limit(self, limit: int) -> None:
        self.recompile_limit = limit


config = Config()


class set_stance(contextlib.ContextDecorator):
    """Set what compiled functions do from now on, inside a `with` block, or inside a function.

    "force_eager" runs them uncompiled, "eager_on_recompile" where no program fits; there
    "fail_on_recompile" raises a RuntimeError. "eager_then_compile" compiles from the second call of
    a kind on. `skip_guard_eval_unsafe` and `force_backend` change nothing.

    >>> double = torch.compile(lambda x: 2 * x)
    >>> with torch.compiler.set_stance("force_eager"):
    ...     double(torch.ones(2))
    tensor([2., 2.])
    """

    def __init__(
        self,
        stance: str = "default",
        *,
        skip_guard_eval_unsafe: bool = False,
        force_backend: str | Callable[..., Any] | None = None,
    ) -> None:
        if force_backend is not None and stance != "default":
            raise RuntimeError("non-default stance cannot have force_backend set")
        if stance not in STANCES:
            raise RuntimeError(f"invalid torch.compile stance {stance!r}, not one of {STANCES}")
        if threading.get_ident() in OBSERVERS:
            raise RuntimeError("attempted to set_stance in a torch.compile region")
        self.stance, self._before = stance, config.stance
        _set(stance)

    def __enter__(self) -> None:
        _set(self.stance)

    def __exit__(self, *details: object) -> None:
        _set(self._before)

    def __call__(self, function: Function) -> Function:
        """The function, which sets the stance while it runs."""
        _set(self._before)
        return super().__call__(function)


def _set(stance: str) -> None:
    config.stance = stance
    EAGER[:] = [stance] * (stance == "force_eager")


Dimensions = int | list[int] | tuple[int, ...]


def mark_dynamic(
    t: TensorBase,
    index: Dimensions,
    *,
    hint_override: int | None = None,
    min: int | None = None,
    max: int | None = None,
    specialize_on: Iterable[Any] | None = None,
) -> None:
    """Compile for any size of a dimension of an argument from the first call on.

    Where the function allows no other size, that call is a RuntimeError; after
    `maybe_mark_dynamic` it is not. The other options change nothing.

    >>> x = torch.ones(4, 3)
    >>> torch.compiler.mark_dynamic(x, 0)
    >>> torch.compile(lambda x: x + 1)(x).sum()
    tensor(24.)
    """
    _mark(t, index, "_dynamo_dynamic_indices")


def maybe_mark_dynamic(t: TensorBase, index: Dimensions) -> None:
    """Compile for any size of a dimension, if the function allows that.

    >>> torch.compiler.maybe_mark_dynamic(torch.ones(4, 3), 0)
    """
    _mark(t, index, "_dynamo_weak_dynamic_indices")


def mark_static(t: TensorBase, index: Dimensions | None = None) -> None:
    """Compile anew for each size of a dimension, or of all.

    >>> torch.compiler.mark_static(torch.ones(4, 3), 0)
    """
    _mark(t, tuple(range(t._array.ndim)) if index is None else index, "_dynamo_static_indices")


def _mark(tensor: TensorBase, index: Dimensions, name: str) -> None:
    if not isinstance(index, int | list | tuple):
        raise AssertionError(f"Expected index to be int, list, or tuple, got {type(index)}")
    several = (index,) if isinstance(index, int) else index
    marked: frozenset[int] = getattr(tensor, name, frozenset())
    setattr(tensor, name, marked | {tensor._array.ndim + n if n < 0 else n for n in several})


def marked(tensor: Any, strictly: bool) -> frozenset[int]:
    """The dimensions that were marked to be of any size; `strictly` those that must be."""
    own = tensor.__dict__
    found: frozenset[int] = own.get("_dynamo_dynamic_indices", frozenset())
    return found if strictly else found | own.get("_dynamo_weak_dynamic_indices", frozenset())


def static(tensor: Any) -> frozenset[int]:
    """The dimensions that were marked to be of one size."""
    found: frozenset[int] = tensor.__dict__.get("_dynamo_static_indices", frozenset())
    return found
