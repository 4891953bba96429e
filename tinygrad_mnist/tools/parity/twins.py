"""One set of inputs, made into tensors of either engine.

Inputs are NumPy arrays, tensors of either engine, dtypes of either engine, and whatever else a
function takes; lists, tuples and dicts of them too. Each engine gets tensors of its own memory,
laid out alike: transposed where the given array is, with strides of 0 where it has them. PyTorch's
lie on a GPU where those given do. What is passed twice is one tensor in each engine as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import tinygrad_mnist

__all__ = ["Given", "Twin", "arrays_of", "pytorch", "read", "twin"]

Array = np.ndarray[Any, Any]
Engine = Any
"""The module `tinygrad_mnist`, or `torch`."""


def pytorch() -> Engine:
    """The module torch; ModuleNotFoundError, with what to do, where it is not installed."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "comparing with PyTorch needs PyTorch, which is not installed: "
            "pip install 'tinygrad_mnist[reference]'"
        ) from error
    return torch


class Given(NamedTuple):
    """A tensor to be: its numbers as they lie in memory, and whether it requires a gradient."""

    array: Array
    requires_grad: bool
    device: Any = "cpu"
    """Where PyTorch's lies; this engine's lies with the CPU."""


class Twin(NamedTuple):
    """The inputs of one engine: arguments, and the tensors in them by place ("0", "1[2]")."""

    arguments: tuple[Any, ...]
    tensors: dict[str, Any]


def read(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """`value` with every array and tensor in it replaced by a `Given`.

    An array of floating point is to require a gradient; a tensor keeps what it says itself.
    """
    seen = {} if seen is None else seen
    if isinstance(value, list | tuple):
        return type(value)(read(each, seen) for each in value) if _plain(value) else value
    if isinstance(value, dict):
        return {key: read(each, seen) for key, each in value.items()}
    if isinstance(value, slice):
        return slice(*[read(each, seen) for each in (value.start, value.stop, value.step)])
    if isinstance(value, np.ndarray):
        return seen.setdefault(id(value), Given(value, value.dtype.kind == "f"))
    if hasattr(value, "requires_grad") and hasattr(value, "detach"):
        given = Given(value.numpy(force=True), bool(value.requires_grad), value.device)
        return seen.setdefault(id(value), given)
    return value


def _plain(value: Any) -> bool:
    """Whether `value` is a list or tuple itself: a Size or a named tuple passes as it is."""
    return type(value) in (list, tuple)


def arrays_of(value: Any) -> list[Array]:
    """The arrays of every `Given` in `value`, in order."""
    if isinstance(value, Given):
        return [value.array]
    if isinstance(value, list | tuple):
        return [array for each in value for array in arrays_of(each)]
    if isinstance(value, dict):
        return arrays_of(list(value.values()))
    return []


def twin(engine: Engine, inputs: Any, absolute: bool = False) -> Twin:
    """What `read` gave, as arguments for `engine`; with `absolute`, of absolute values."""
    tensors: dict[str, Any] = {}
    made: dict[int, Any] = {}

    def build(value: Any, place: str) -> Any:
        if isinstance(value, Given):
            if id(value) not in made:
                made[id(value)] = tensors[place] = _tensor(engine, value, absolute)
            return made[id(value)]
        if _plain(value):
            return type(value)(build(each, f"{place}[{i}]") for i, each in enumerate(value))
        if isinstance(value, dict):
            return {key: build(each, f"{place}[{key!r}]") for key, each in value.items()}
        if isinstance(value, slice):
            parts = (value.start, value.stop, value.step)
            return slice(*[build(each, place) for each in parts])
        return _dtype(engine, value)

    arguments = tuple(build(each, str(i)) for i, each in enumerate(inputs))
    return Twin(arguments, tensors)


def _tensor(engine: Engine, given: Given, absolute: bool) -> Any:
    array, overlapping = _copied(given.array, absolute)
    if engine is tinygrad_mnist and overlapping:
        array.flags.writeable = False
    tensor = engine.from_numpy(array)
    if engine is not tinygrad_mnist:
        tensor = tensor.to(str(given.device))
    return tensor.requires_grad_() if given.requires_grad else tensor


def _copied(array: Array, absolute: bool) -> tuple[Array, bool]:
    """A copy with the same strides, and whether different indices share a number in it."""
    change = np.abs if absolute and array.dtype.kind == "f" else np.array
    steps, sizes = array.strides, array.shape
    if 0 in sizes or any(step < 0 or step % array.itemsize for step in steps):
        return np.array(change(array), order="C"), False
    extent = sum((n - 1) * step for n, step in zip(sizes, steps, strict=True)) // array.itemsize
    memory = np.lib.stride_tricks.as_strided(array, (extent + 1,), (array.itemsize,))
    copied = np.lib.stride_tricks.as_strided(change(memory), sizes, steps)
    return copied, any(n > 1 and step == 0 for n, step in zip(sizes, steps, strict=True))


def _dtype(engine: Engine, value: Any) -> Any:
    """A dtype of either engine as that of `engine`; anything else as it is."""
    text = repr(value)
    if type(value).__name__ != "dtype" or not text.startswith("torch."):
        return value
    return getattr(engine, text.removeprefix("torch."))
