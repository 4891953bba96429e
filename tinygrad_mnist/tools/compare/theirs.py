"""PyTorch as an engine to record; imported in the process that runs it, nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from .engine import Array, NoteOperation

__all__ = ["PyTorch"]


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
