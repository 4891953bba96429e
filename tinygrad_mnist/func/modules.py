"""Modules of one kind as one function of many parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn.modules.module import Module
from tinygrad_mnist.ops.joining import stack


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of models of one class, each stacked: for `vmap`.

    Raises RuntimeError for no models, and for models that differ in class or mode.

    >>> models = [torch.nn.Linear(2, 1) for _ in range(3)]
    >>> parameters, buffers = torch.func.stack_module_state(models)
    >>> parameters["weight"].shape
    torch.Size([3, 1, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) != 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if len({type(model) for model in models}) != 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return (
        {name: _stacked(name, [each[name] for each in parameters]) for name in parameters[0]},
        {name: _stacked(name, [each[name] for each in buffers]) for name in buffers[0]},
    )


def _stacked(name: str, tensors: list[Tensor]) -> Tensor:
    if len({each.requires_grad for each in tensors}) != 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    return stack([each.detach() for each in tensors]).requires_grad_(tensors[0].requires_grad)
