"""tinygrad_mnist as an engine to record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist import autograd
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.node import AccumulateGrad, Record
from tinygrad_mnist.engine.observing import observe
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.hardware import settings
from tinygrad_mnist.tools.scripts.torch_names import answer_torch_imports

from .engine import Array, NoteOperation

__all__ = ["TinygradMnist"]


class TinygradMnist:
    """This engine, with `import torch` answered by it."""

    def prepare(self, number_of_threads: int, seed: int) -> None:
        """As `Engine.prepare`."""
        answer_torch_imports()
        settings.set_num_threads(number_of_threads)
        tinygrad_mnist.manual_seed(seed)

    def replace_calls(self, backward: Callable[..., Any], grad: Callable[..., Any]) -> None:
        """As `Engine.replace_calls`."""
        autograd.backward = partial(backward, autograd.backward)
        autograd.grad = partial(grad, autograd.grad)

    def is_tensor(self, value: Any) -> bool:
        """As `Engine.is_tensor`."""
        return isinstance(value, TensorBase)

    def array(self, tensor: Any) -> Array:
        """As `Engine.array`."""
        return np.array(tensor._array)

    def leaves(self, roots: Iterable[Any]) -> list[Any]:
        """As `Engine.leaves`."""
        records = [record for root in roots if (record := current_record(root)) is not None]
        ends = [each for each in topological_order(records) if isinstance(each, AccumulateGrad)]
        return [leaf for end in ends if (leaf := end.variable) is not None]

    def overwrite(self, tensor: Any, array: Array) -> None:
        """As `Engine.overwrite`."""
        tensor._array[...] = array

    def watch_operations(self, note: NoteOperation | None) -> None:
        """As `Engine.watch_operations`."""
        if note is None:
            observe.set(None)
            return

        def observer(op: Any, inputs: Any, attributes: Any, output: Any) -> None:
            if isinstance(output, TensorBase):
                note(_Name(op.name, output._record), output)  # type: ignore[arg-type]

        observe.set(observer)

    def has_gpu(self) -> bool:
        """As `Engine.has_gpu`."""
        return False

    def wait(self) -> None:
        """Nothing: an operation that was called has been computed."""


class _Name:
    """An operation's name, asked for when what it is part of is complete.

    A composed operation names its last record as PyTorch does, after the record was made.
    """

    def __init__(self, name: str, record: Record | None) -> None:
        self.name = name
        self.record = record

    def __str__(self) -> str:
        return self.name if self.record is None else self.record.name()
