"""Copies of a module on several devices: there is one device, so the module itself computes."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.tensor import Tensor

from .modules.module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


class DataParallel(Module):
    """A module that PyTorch would copy to every GPU: without one, `module` is called as it is.

    >>> net = torch.nn.DataParallel(torch.nn.Linear(2, 1))
    >>> list(net.state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Tensor:
        """What the module gives."""
        found: Tensor = self.module(*inputs, **kwargs)
        return found


class DistributedDataParallel(Module):
    """Refused: a module whose copies in many processes share their gradients."""

    def __init__(self, module: Module, *arguments: Any, **named: Any) -> None:
        raise ValueError(
            "DistributedDataParallel: Default process group has not been initialized, and cannot "
            "be here: train in one process, with the module itself."
        )


def data_parallel(
    module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Tensor:  # fmt: skip
    """What the module gives for `inputs`, one or a tuple."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    found: Tensor = module(*given, **(module_kwargs or {}))
    return found
