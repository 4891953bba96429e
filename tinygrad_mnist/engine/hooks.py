"""Hooks: functions that users attach to tensors and records, called when a gradient arrives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

from tinygrad_mnist.dtypes import from_numpy_dtype

from .tensor import TensorBase, wrap

Gradient = Any
Functions = dict[int, Callable[..., Any]]
Gradients = list[tuple[int, Gradient, bool]]
"""A record's gradients: for an input by its number, a gradient, and whether its memory is new."""


class Bundle(dict[int, Any]):
    """The gradients of several outputs, by number, on their way to their operation's record."""

    __slots__ = ("outputs",)

    def __init__(self, gradients: dict[int, Any], outputs: int) -> None:
        super().__init__(gradients)
        self.outputs = outputs
        """How many outputs the operation has."""

    def __add__(self, other: Bundle) -> Bundle:
        """This bundle itself, which each backward pass makes anew, with the other's gradients."""
        for position, gradient in other.items():
            self[position] = self[position] + gradient if position in self else gradient
        return self


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away."""

    numbers: ClassVar = itertools.count()

    def __init__(self, hooks: Functions, number: int) -> None:
        self.hooks = hooks
        self.id = number

    @classmethod
    def of(cls, hooks: Functions, hook: Callable[..., Any]) -> RemovableHandle:
        """Add `hook` to `hooks`; the handle that takes it away again."""
        number = next(cls.numbers)
        hooks[number] = hook
        return cls(hooks, number)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *details: object) -> None:
        self.remove()


class Hooks:
    """The hooks of a record: functions to call with its gradient, or to keep it (`retain_grad`)."""

    __slots__ = ("grad", "metadata", "node_hooks", "outputs", "post_hooks", "pre_hooks",
                 "retains_grad", "tensor_hooks")  # fmt: skip

    def __init__(self) -> None:
        self.tensor_hooks: Functions = {}
        self.pre_hooks: Functions = {}
        """Called before the record's backward formulas; the next ones after them."""
        self.node_hooks: Functions = {}
        self.post_hooks: Functions = {}
        """Of a leaf: called when its `.grad` has been accumulated."""
        self.outputs: dict[int, Functions] = {}
        """The tensor hooks of an operation's outputs, where it has several."""
        self.metadata: dict[Any, Any] = {}
        self.retains_grad = False
        self.grad: Any = None


def as_tensor(gradient: Gradient) -> Any:
    """A gradient as a Tensor, which hooks see."""
    return gradient if isinstance(gradient, TensorBase) else wrap(gradient)


def run_hooks(hooks: Functions, gradient: Gradient) -> Gradient:
    """What the hooks of a tensor make of its gradient; of None, where none came."""
    tensor = None if gradient is None else as_tensor(gradient)
    for hook in list(hooks.values()):
        tensor = _replaced(tensor, hook(tensor), hook)
    return _like(gradient, tensor)


def run_pre_hooks(hooks: Functions, gradient: Gradient) -> Gradient:
    """What the hooks that run before a record's operation make of its gradient; or None."""
    given = _received(gradient)
    for hook in list(hooks.values()):
        given = _all_replaced(given, hook(given), hook)
    if isinstance(gradient, Bundle):
        some = next(iter(gradient.values()))
        kept = {at: _like(some, each) for at, each in enumerate(given) if each is not None}
        return Bundle(kept, gradient.outputs) if kept else None
    return _like(gradient, given[0])


def _received(gradient: Gradient) -> tuple[Any, ...]:
    """What a record received, as its hooks see it: for each of its outputs a Tensor or None."""
    if not isinstance(gradient, Bundle):
        return (as_tensor(gradient),)
    return tuple([as_tensor(gradient[at]) if at in gradient else None
                  for at in range(gradient.outputs)])  # fmt: skip


def _like(gradient: Gradient, tensor: Any) -> Gradient:
    """What hooks made of a gradient, in its own form: a Tensor, or an array."""
    return tensor if tensor is None or isinstance(gradient, TensorBase) else tensor._array


def run_post_hooks(hooks: Functions, count: int, found: Gradients, received: Gradient) -> Gradients:
    """What the hooks that run after a record's operation make of its `count` inputs' gradients."""
    gradients: list[Any] = [None] * count
    for position, gradient, _ in found:
        gradients[position] = as_tensor(gradient)
    given: tuple[Any, ...] = tuple(gradients)
    above = _received(received)
    for hook in list(hooks.values()):
        given = _all_replaced(given, hook(given, above), hook)
    some = next(iter(received.values())) if isinstance(received, Bundle) else received
    return [
        (position, _like(some, gradient), False)
        for position, gradient in enumerate(given)
        if gradient is not None
    ]


def run_post_accumulate_hooks(hooks: Functions, leaf: Any) -> None:
    """Call the hooks that wait for a leaf's gradient; RuntimeError if one returns a tensor."""
    given = leaf
    for hook in list(hooks.values()):
        given = _replaced(given, hook(given), hook)
    if given is not leaf:
        raise RuntimeError("Tensor post accumulate grad hooks should return None.")


def _all_replaced(given: tuple[Any, ...], result: Any, hook: Any) -> tuple[Any, ...]:
    """The gradients after a hook that was given several, and may return as many."""
    if result is None:
        return given
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(given):
        raise RuntimeError(
            f"hook '{_name(hook)}' has returned an incorrect number of values "
            f"(got {len(results)}, but expected {len(given)})"
        )
    pairs = zip(given, results, strict=True)
    return tuple([None if b is None else _replaced(a, b, hook) for a, b in pairs])


def _replaced(given: Any, result: Any, hook: Any) -> Any:
    """What a hook returned in place of a gradient; TypeError or RuntimeError if it cannot be."""
    if result is None:
        return given
    if given is None:
        raise RuntimeError("can't replace a None gradient with a non-None value")
    if not isinstance(result, TensorBase):
        raise TypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
    was, now = given._array, result._array
    if was.dtype != now.dtype:
        before, after = [from_numpy_dtype(each.dtype).legacy_name for each in (was, now)]
        raise RuntimeError(
            f"hook '{_name(hook)}' has changed the type of value "
            f"(was torch.{before}Tensor got torch.{after}Tensor)"
        )
    if was.shape != now.shape:
        raise RuntimeError(f"hook '{_name(hook)}' has changed the size of value")
    return result


def _name(hook: Any) -> str:
    return getattr(hook, "__name__", "<unknown>")
