"""The entries of PyTorch's table of operations, what we have for each, and sample inputs."""

from __future__ import annotations

import itertools
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import tinygrad_mnist as ours

pytest.importorskip("expecttest", reason="PyTorch's tables of operations need expecttest")
pytest.importorskip("scipy", reason="PyTorch's tables of operations need scipy")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

PER_TYPE = {torch.float32: 2, torch.float64: 4, torch.int64: 2}
"""How many samples of each type are run at most: the table's, evenly spread."""
DRAWN = 60
"""How many samples of the table are looked at."""
MOST_DIMENSIONS = 64
"""NumPy's limit."""


class Unsupported(Exception):
    """A sample of a type or layout that this engine does not carry."""


def full_name(entry: Any) -> str:
    """An entry's name in the table, its variant after a point."""
    return f"{entry.name}.{entry.variant_test_name}" if entry.variant_test_name else entry.name


def counterpart(entry: Any) -> Callable[..., Any]:
    """What the table calls, with `torch` standing for our package.

    A Python function of the table is run as it is, with its import changed. Raises the error of
    the name that we do not have.
    """
    called = entry.op
    ours_by_name = _public(ours, entry.name)
    in_python = isinstance(called, types.FunctionType)
    if in_python and called.__module__.endswith(("invocations", "definitions.linalg")):
        scope = {**called.__globals__, "torch": ours, "wrapper_set_seed": _seeded}
        return types.FunctionType(
            called.__code__, scope, called.__name__, called.__defaults__, called.__closure__
        )
    return ours_by_name


def _public(engine: Any, name: str) -> Callable[..., Any]:
    """What an engine has by that name: a function, or where PyTorch has none a method."""
    owner = engine
    if not _in_torch(name):
        owner, name = engine.Tensor, name.rpartition(".")[2]
    for part in name.split("."):
        owner = getattr(owner, part)
    found: Callable[..., Any] = owner
    return found


def _in_torch(name: str) -> bool:
    owner = torch
    for part in name.split("."):
        owner = getattr(owner, part, None)
    return owner is not None


def _seeded(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The table's own `wrapper_set_seed`, for our random streams."""
    ours.manual_seed(42)
    return operation(*args, **kwargs)


def absence(entry: Any) -> BaseException | None:
    """The error for an entry that we do not have; None for one that we have."""
    try:
        counterpart(entry)
    except (AttributeError, NotImplementedError) as error:
        return error
    return None


def _is_public(entry: Any) -> bool:
    name = entry.name
    private = any(part.startswith("_") for part in name.split(".")) and not name.startswith("__")
    return not private and (_in_torch(name) or hasattr(torch.Tensor, name.rpartition(".")[2]))


ENTRIES = {full_name(entry): entry for entry in op_db if _is_public(entry)}
ABSENT = {name: error for name, entry in ENTRIES.items() if (error := absence(entry)) is not None}
CARRIED = [name for name in ENTRIES if name not in ABSENT]


def samples(entry: Any, dtype: torch.dtype) -> Iterator[Any]:
    """A bounded number of the table's sample inputs that both engines can read."""
    if not entry.supports_dtype(dtype, "cpu"):
        return
    torch.manual_seed(0)
    grad = dtype.is_floating_point and entry.supports_autograd
    table = entry.sample_inputs_func(
        entry, "cpu", dtype, grad
    )  # without PyTorch's tracking of tests
    drawn = list(itertools.islice(table, DRAWN))
    step = -(-len(drawn) // PER_TYPE[dtype]) or 1
    for sample in drawn[::step]:
        arguments = (sample.input, sample.args, sample.kwargs)
        try:
            translated(arguments)
        except Unsupported:
            continue
        yield arguments


def error_inputs(entry: Any) -> Iterator[Any]:
    """The inputs that the table says are refused, as far as both engines can read them."""
    if entry.error_inputs_func is None:
        return
    for wrong in entry.error_inputs_func(entry, "cpu"):
        sample = wrong.sample_input
        arguments = (sample.input, sample.args, sample.kwargs)
        if "out" in sample.kwargs:
            continue
        try:
            translated(arguments)
        except Unsupported:
            continue
        yield arguments


def copied(value: Any) -> Any:
    """Arguments for one call of PyTorch's: tensors copied, so that no call sees another's."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return _rebuilt(value, copied)


def translated(value: Any) -> Any:
    """Arguments for one call of ours, from PyTorch's; Unsupported where we have no such thing."""
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, torch.dtype | torch.memory_format):
        return _named(str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return ours.device(str(value))
    if isinstance(value, torch.Size):
        return ours.Size(value)
    if isinstance(value, complex):
        raise Unsupported("complex")
    if isinstance(value, torch.layout | torch.Generator) or callable(value):
        if value is torch.strided:
            return ours.strided
        raise Unsupported(type(value).__name__)
    return _rebuilt(value, translated)


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    if type(value) in (tuple, list):
        return type(value)([change(each) for each in value])
    if isinstance(value, dict):
        return {name: change(each) for name, each in value.items()}
    return value


def _named(name: str) -> Any:
    try:
        return getattr(ours, name)
    except AttributeError:
        raise Unsupported(name) from None


def _tensor(value: torch.Tensor) -> Any:
    if value.layout is not torch.strided or value.is_complex() or value.device.type != "cpu":
        raise Unsupported(str(value.layout))
    if value.ndim > MOST_DIMENSIONS:
        raise Unsupported(f"{value.ndim} dimensions")
    _named(str(value.dtype).removeprefix("torch."))
    made = ours.from_numpy(value.detach().clone().numpy(force=True).copy(order="K"))
    return made.requires_grad_(value.requires_grad)
