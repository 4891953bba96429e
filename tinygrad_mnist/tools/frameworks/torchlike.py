"""Frameworks with PyTorch's interface: this engine, and PyTorch on its devices and compiled."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .framework import Array, Framework, Function, Pull

__all__ = ["Compiled", "Cuda", "Mps", "Ours", "OursCompiled", "Torch"]


class Torchlike(Framework):
    """Tensors that require gradients, and `autograd.grad`."""

    device = "cpu"

    def owns(self, value: object) -> bool:
        """Whether a value is a Tensor or a Parameter of this framework."""
        return isinstance(value, self.module.Tensor)

    def tensor(self, array: Array) -> Any:
        """A tensor on the device; one of floating point requires a gradient."""
        made = self.module.from_numpy(np.array(array)).to(self.device)
        return made.requires_grad_() if array.dtype.kind == "f" else made

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers; float32 for bfloat16, which NumPy does not have."""
        plain = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        found: Array = plain.numpy(force=True)
        return found

    def is_float(self, tensor: Any) -> bool:
        """Whether a tensor is of floating point."""
        return bool(tensor.is_floating_point())

    def call(self, function: Function, arrays: Sequence[Array]) -> Any:
        """What the function gives."""
        return self._run(function)(*[self.tensor(each) for each in arrays])

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """By `autograd.grad` of the results that require a gradient."""
        tensors = [self.tensor(each) for each in arrays]
        result = self._run(function)(*tensors)
        floats = self.floats(result)

        def pull(above: Sequence[Array]) -> list[Array | None]:
            pairs = [(root, self._above(gradient, root)) for root, gradient
                     in zip(floats, above, strict=True) if root.requires_grad]  # fmt: skip
            wanted = [tensor for tensor in tensors if tensor.requires_grad]
            if not pairs or not wanted:
                return [None] * len(tensors)
            found = iter(
                self.module.autograd.grad(
                    *[[pair[0] for pair in pairs], wanted, [pair[1] for pair in pairs]],
                    retain_graph=True, allow_unused=True,
                )
            )  # fmt: skip
            gradients = [next(found) if tensor.requires_grad else None for tensor in tensors]
            return [None if each is None else self.array(each) for each in gradients]

        return result, pull

    def jvp(
        self, function: Function, arrays: Sequence[Array], tangents: Sequence[Array]
    ) -> list[Array]:
        """By dual tensors of `autograd.forward_ad`."""
        duals = importlib.import_module(f"{self.package}.autograd.forward_ad")
        with duals.dual_level(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")  # PyTorch's own
            inputs = [
                duals.make_dual(self.tensor(array).detach(), self.tensor(tangent).detach())
                if array.dtype.kind == "f" else self.tensor(array)
                for array, tangent in zip(arrays, tangents, strict=True)
            ]  # fmt: skip
            found = []
            for each in self.floats(self._run(function)(*inputs)):
                tangent = duals.unpack_dual(each).tangent
                found.append(np.zeros(each.shape) if tangent is None else self.array(tangent))
            return found

    def gradients(self, function: Function, arrays: Sequence[Array]) -> tuple[Function, int]:
        """By `autograd.grad` that is recorded itself."""
        count, run = len(arrays), self._run(function)
        with self.module.no_grad():
            results = len(self.floats(run(*[self.tensor(each) for each in arrays])))

        def gradients(*given: Any) -> tuple[Any, ...]:
            inputs, above = given[:count], given[count:]
            pairs = [
                (root, gradient)
                for root, gradient in zip(self.floats(run(*inputs)), above, strict=True)
                if root.requires_grad
            ]
            wanted = [each for each in inputs if each.requires_grad]
            found = self.module.autograd.grad(
                [pair[0] for pair in pairs], wanted, [pair[1] for pair in pairs],
                create_graph=True, allow_unused=True,
            )  # fmt: skip
            zeros = self.module.zeros_like
            return tuple([zeros(at) if each is None else each
                          for each, at in zip(found, wanted, strict=True)])  # fmt: skip

        return gradients, results

    def _run(self, function: Function) -> Function:
        return function

    def _above(self, gradient: Array, root: Any) -> Any:
        return self.module.from_numpy(np.array(gradient)).to(root.device, root.dtype)


class Ours(Torchlike):
    """This engine."""

    name = package = "tinygrad_mnist"
    install = "pip install tinygrad_mnist"


class OursCompiled(Ours):
    """This engine, the function compiled."""

    name = "tinygrad_mnist-compiled"
    traced = True

    def _run(self, function: Function) -> Function:
        compiled: Function = self.module.compile(function)
        return compiled


class Torch(Torchlike):
    """PyTorch on the CPU."""

    name = package = "torch"
    install = "pip install 'tinygrad_mnist[reference]'"


class Compiled(Torch):
    """PyTorch on the CPU, the function compiled."""

    name = "torch-compiled"
    traced = True

    def _run(self, function: Function) -> Function:
        compiled: Function = self.module.compile(function)
        return compiled


class Cuda(Torch):
    """PyTorch on a GPU of NVIDIA's or AMD's."""

    name, device = "torch-cuda", "cuda"

    def missing(self) -> str:
        """Why it cannot be used here; empty where it can."""
        found = super().missing()
        if not found and not importlib.import_module(self.package).cuda.is_available():
            found = "torch-cuda: PyTorch finds no CUDA device here"
        return found


class Mps(Torch):
    """PyTorch on a GPU of Apple's."""

    name, device = "torch-mps", "mps"

    def missing(self) -> str:
        """Why it cannot be used here; empty where it can."""
        found = super().missing()
        if not found and not importlib.import_module(self.package).backends.mps.is_available():
            found = "torch-mps: PyTorch finds no GPU of Apple's here"
        return found
