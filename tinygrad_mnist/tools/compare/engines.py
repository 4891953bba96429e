"""What recording needs to know of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

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

__all__ = ["Engine", "NoteOperation", "PyTorch", "TinygradMnist", "sample"]

Array = np.ndarray[Any, Any]
NoteOperation = Callable[[str, Any], None]
"""What is told of each operation: its name, and its result."""

_SAMPLE = 1024


class Engine(Protocol):
    """An engine whose doings are recorded."""

    def prepare(self, threads: int, seed: int) -> None:
        """Make it start as the other engine does: threads, random numbers."""

    def replace_calls(self, backward: Callable[..., Any], grad: Callable[..., Any]) -> None:
        """Wrap `autograd.backward` and `autograd.grad`: each is called with what it wraps."""

    def is_tensor(self, value: Any) -> bool:
        """Whether the value is a tensor of this engine."""

    def array(self, tensor: Any) -> Array:
        """A copy of a tensor's numbers."""

    def leaves(self, roots: Iterable[Any]) -> list[Any]:
        """The leaves that the roots were computed from."""

    def overwrite(self, tensor: Any, array: Array) -> None:
        """Put numbers into a tensor behind autograd's back."""

    def watch_operations(self, note: NoteOperation | None) -> None:
        """Tell `note` of every operation from now on; None ends it."""

    def has_gpu(self) -> bool:
        """Whether it finds a GPU that scripts can ask for."""

    def wait(self) -> None:
        """Until everything asked for is computed."""


def sample(array: Array) -> Array:
    """At most a thousand of an array's numbers, evenly spread: what is kept of a result."""
    flat = array.reshape(-1)
    return np.array(flat[:: max(1, -(-flat.size // _SAMPLE))])


class PyTorch:
    """PyTorch itself."""

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self._watching: Any = None

    def prepare(self, number_of_threads: int, seed: int) -> None:
        """As `Engine.prepare`; a GPU's convolutions keep all 24 bits of a float32's mantissa."""
        self.torch.set_num_threads(number_of_threads)
        self.torch.manual_seed(seed)
        self.torch.backends.cudnn.allow_tf32 = False

    def replace_calls(self, backward: Callable[..., Any], grad: Callable[..., Any]) -> None:
        """As `Engine.replace_calls`."""
        autograd = self.torch.autograd
        autograd.backward = partial(backward, autograd.backward)
        autograd.grad = partial(grad, autograd.grad)

    def is_tensor(self, value: Any) -> bool:
        """As `Engine.is_tensor`."""
        return isinstance(value, self.torch.Tensor)

    def array(self, tensor: Any) -> Array:
        """As `Engine.array`."""
        dense = tensor.detach().to_dense().cpu() if tensor.is_sparse else tensor.detach().cpu()
        if dense.dtype in (self.torch.bfloat16, self.torch.float16):
            dense = dense.float()
        return np.array(dense.numpy())

    def leaves(self, roots: Iterable[Any]) -> list[Any]:
        """As `Engine.leaves`."""
        found: list[Any] = []
        waiting = [root.grad_fn for root in roots if root.grad_fn is not None]
        found += [root for root in roots if root.grad_fn is None and root.requires_grad]
        seen = set(waiting)
        while waiting:
            node = waiting.pop()
            variable = getattr(node, "variable", None)
            if variable is not None:
                found.append(variable)
            for following, _ in node.next_functions:
                if following is not None and following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return found

    def overwrite(self, tensor: Any, array: Array) -> None:
        """As `Engine.overwrite`."""
        tensor.data.copy_(self.torch.from_numpy(array.copy()))

    def watch_operations(self, note: NoteOperation | None) -> None:
        """As `Engine.watch_operations`."""
        if self._watching is not None:
            self._watching.__exit__(None, None, None)
            self._watching = None
        if note is not None:
            self._watching = _watching_mode(self.torch, note)
            self._watching.__enter__()

    def has_gpu(self) -> bool:
        """As `Engine.has_gpu`."""
        return bool(self.torch.cuda.is_available())

    def wait(self) -> None:
        """As `Engine.wait`."""
        if self.torch.cuda.is_initialized():
            self.torch.cuda.synchronize()


def _watching_mode(torch: Any, note: NoteOperation) -> Any:
    """A mode that tells of every operation that PyTorch dispatches."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watching(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            first = result[0] if isinstance(result, tuple | list) and result else result
            if isinstance(first, torch.Tensor):
                note(func.overloadpacket.__name__, first)
            return result

    return Watching()


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
