"""What recording needs to know of an engine: PyTorch, in its own process, or tinygrad_mnist."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.tools.scripts.import_hook import (
    answer_torch_imports,
    answer_torchvision_imports,
)

__all__ = ["Array", "Engine", "ReportOperation", "engine_called"]

Array = np.ndarray[Any, Any]
ReportOperation = Callable[[Any, Any], None]
"""What is told of each operation: its name, and its result."""


class Engine:
    """An engine whose doings are recorded; `module` is the package that programs import."""

    module: Any
    tensor_class: type[Any]
    has_gpu = False
    """Whether it finds a GPU that scripts can ask for."""
    _unheld = 0
    """How many references are counted of a leaf that the graph alone holds, and its name."""

    def prepare(self, threads: int, seed: int) -> None:
        """Make it start as the other engine does: threads, random numbers."""
        self.module.set_num_threads(threads)
        self.module.manual_seed(seed)

    def replace_calls(self, backward: Callable[..., Any], grad: Callable[..., Any]) -> None:
        """Wrap `autograd.backward` and `autograd.grad`: each is called with what it wraps."""
        autograd = self.module.autograd
        autograd.backward = functools.partial(backward, autograd.backward)
        autograd.grad = functools.partial(grad, autograd.grad)

    def is_tensor(self, value: Any) -> bool:
        """Whether the value is a tensor of this engine."""
        return isinstance(value, self.tensor_class)

    def leaves(self, roots: Iterable[Any]) -> list[Any]:
        """The leaves that the roots were computed from, but for those the graph alone still holds.

        Of these the program cannot learn anything, and this engine keeps none of them.
        """
        roots = list(roots)
        found = {id(root): root for root in roots if root.grad_fn is None and root.requires_grad}
        waiting = [root.grad_fn for root in roots if root.grad_fn is not None]
        seen = set(waiting)
        while waiting:
            node = waiting.pop()
            variable = getattr(node, "variable", None)
            if variable is not None and sys.getrefcount(variable) > self._unheld:
                found.setdefault(id(variable), variable)
            for following, _ in node.next_functions:
                if following is not None and following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return list(found.values())

    def array(self, tensor: Any) -> Array:
        """A copy of a tensor's numbers."""
        raise NotImplementedError

    def overwrite(self, tensor: Any, array: Array) -> None:
        """Put numbers into a tensor behind autograd's back."""
        raise NotImplementedError

    def observe_operations(self, report: ReportOperation | None) -> None:
        """Tell `report` of every operation from now on; None ends it."""
        raise NotImplementedError

    def wait(self) -> None:
        """Until everything asked for is computed."""


def engine_called(name: str) -> Engine:
    """The engine called "torch" or "tinygrad_mnist"."""
    return _PyTorch() if name == "torch" else _TinygradMnist()


class _PyTorch(Engine):
    """PyTorch, with torchvision answered where it is missing."""

    def __init__(self) -> None:
        import torch

        self.module, self.tensor_class = torch, torch.Tensor
        self.has_gpu = torch.cuda.is_available()
        # A GPU's convolutions keep all 24 bits of a float32's mantissa.
        torch.backends.cudnn.allow_tf32 = False
        self._observing: Any = None

    def prepare(self, threads: int, seed: int) -> None:
        answer_torchvision_imports()
        super().prepare(threads, seed)

    @functools.cached_property
    def _unheld(self) -> int:  # type: ignore[override]
        product = self.module.ones(1, requires_grad=True) * 1
        variable = product.grad_fn.next_functions[0][0].variable
        return sys.getrefcount(variable)

    def array(self, tensor: Any) -> Array:
        dense = tensor.detach().to_dense().cpu() if tensor.is_sparse else tensor.detach().cpu()
        if dense.dtype in (self.module.bfloat16, self.module.float16):
            dense = dense.float()
        return np.array(dense.numpy())

    def overwrite(self, tensor: Any, array: Array) -> None:
        tensor.data.copy_(self.module.from_numpy(array.copy()))

    def observe_operations(self, report: ReportOperation | None) -> None:
        if self._observing is not None:
            self._observing.__exit__(None, None, None)
        self._observing = None if report is None else _observing_mode(self.module, report)
        if self._observing is not None:
            self._observing.__enter__()

    def wait(self) -> None:
        if self.module.cuda.is_initialized():
            self.module.cuda.synchronize()


def _observing_mode(torch: Any, report: ReportOperation) -> Any:
    """A mode that tells of every operation that PyTorch dispatches."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Observing(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            first = result[0] if isinstance(result, tuple | list) and result else result
            if isinstance(first, torch.Tensor):
                report(func.overloadpacket.__name__, first)
            return result

    return Observing()


class _TinygradMnist(Engine):
    """This engine, with `import torch` answered by it."""

    module = tinygrad_mnist
    tensor_class = TensorBase

    def prepare(self, threads: int, seed: int) -> None:
        answer_torch_imports()
        super().prepare(threads, seed)

    def array(self, tensor: Any) -> Array:
        return np.array(tensor._array)

    def overwrite(self, tensor: Any, array: Array) -> None:
        tensor._array[...] = array

    def observe_operations(self, report: ReportOperation | None) -> None:
        def observer(op: Any, inputs: Any, attributes: Any, output: Any) -> None:
            if report is not None and isinstance(output, TensorBase):
                report(_Name(op.name, output), output)

        observe.set(None if report is None else observer)


class _Name:
    """An operation's name, asked for when what it is part of is complete.

    A composed operation names its last record as PyTorch does, after the record was made.
    """

    def __init__(self, name: str, tensor: TensorBase) -> None:
        self.name = name
        self.record: Any = tensor._record

    def __str__(self) -> str:
        return self.name if self.record is None else str(self.record.name())
