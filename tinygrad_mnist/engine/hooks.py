"""Functions that users attach to tensors and records, called when a gradient passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_mnist.dtypes import from_numpy_dtype

from .record import Record, TensorBase, wrap

Gradient = Any
Hooks = dict[int, Callable[..., Any]]
Sent = list[tuple[int, Gradient, bool]]
"""What a record sends: for an edge by its number, a gradient, and whether its memory is new."""


def run_hooks(hooks: Hooks, gradient: Gradient) -> Gradient:
    """What the hooks of a tensor make of its gradient; each sees a Tensor."""
    tensor = _as_tensor(gradient)
    for hook in list(hooks.values()):
        tensor = _replaced(tensor, hook(tensor), hook)
    return tensor if isinstance(gradient, TensorBase) else tensor._array


def run_pre_hooks(hooks: Hooks, gradient: Gradient) -> Gradient:
    """What the hooks that run before a record's operation make of its gradient; or None."""
    given: tuple[Any, ...] = (_as_tensor(gradient),)
    for hook in list(hooks.values()):
        given = _all_replaced(given, hook(given), hook)
    if given[0] is None or isinstance(gradient, TensorBase):
        return given[0]
    return given[0]._array


def run_post_hooks(record: Record, sent: Sent, received: Gradient) -> Sent:
    """What the hooks that run after a record's operation make of the gradients it sends."""
    gradients: list[Any] = [None] * len(record.edges)
    for position, gradient, _ in sent:
        gradients[position] = _as_tensor(gradient)
    given: tuple[Any, ...] = tuple(gradients)
    assert record.watch is not None
    for hook in list(record.watch.node_hooks.values()):
        given = _all_replaced(given, hook(given, (_as_tensor(received),)), hook)
    arrays = not isinstance(received, TensorBase)
    return [
        (position, gradient._array if arrays else gradient, False)
        for position, gradient in enumerate(given)
        if gradient is not None
    ]


def send_with_hooks(
    sender: Callable[..., Sent], record: Record, gradient: Gradient, wanted: set[Record] | None
) -> Sent:
    """What `record` sends, with its own hooks called before and after."""
    watch = record.watch
    assert watch is not None
    if watch.pre_hooks:
        gradient = run_pre_hooks(watch.pre_hooks, gradient)
        if gradient is None:
            return []
    sent = sender(record, gradient, wanted)
    return run_post_hooks(record, sent, gradient) if watch.node_hooks else sent


def call_after_accumulation(hooks: Hooks, leaf: Any) -> None:
    """Call the hooks that wait for a leaf's gradient; what they return has no effect."""
    for hook in list(hooks.values()):
        result = hook(leaf)
        if result is not None and not isinstance(result, TensorBase):
            raise TypeError(f"expected Variable, but hook returned '{type(result).__name__}'")


def _as_tensor(gradient: Gradient) -> Any:
    return gradient if isinstance(gradient, TensorBase) else wrap(gradient)


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
