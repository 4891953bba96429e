"""PyTorch on the CPU: eager in two styles, `torch.compile` in two."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Job

from .contestant import Contestant, Training
from .torchlike import first_weights, functional, loss_of, module, module_step, training, update


def _functional(job: Job) -> Training:
    import torch

    step, weights = functional(torch, job)
    return training(torch, step, weights.values)


def _modules(job: Job) -> Training:
    import torch

    step, model = module_step(torch, job)
    return training(torch, step, model.parameters)


def compiled_whole(job: Job, device: str = "cpu") -> Training:
    """`torch.compile` of the whole step, its gradients taken by `torch.func`."""
    import torch

    weights = first_weights(torch, job, device)
    speeds = {name: torch.zeros_like(w) for name, w in weights.items()}

    def loss(weights: Any, x: Any, y: Any) -> Any:
        return loss_of(torch, job.model, weights, x, y)

    @torch.compile(fullgraph=True, dynamic=False)
    def step(weights: Any, speeds: Any, x: Any, y: Any) -> Any:
        grads, value = torch.func.grad_and_value(loss)(weights, x, y)
        update(torch, job, weights, speeds, grads)
        return value

    return training(torch, lambda x, y: step(weights, speeds, x, y), weights.values, device)


def _compiled_parts(job: Job) -> Training:
    """`torch.compile` of the loss and of the optimiser's step, as its documentation has it."""
    import torch

    model = module(torch, job)
    optimizer = torch.optim.SGD(model.parameters(), lr=job.lr, momentum=job.momentum)

    @torch.compile(fullgraph=True, dynamic=False)
    def loss(x: Any, y: Any) -> Any:
        logits = model(x)
        return torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))

    compiled_update = torch.compile(optimizer.step)

    def step(x: Any, y: Any) -> Any:
        value = loss(x, y)
        value.backward()
        compiled_update()
        optimizer.zero_grad()
        return value.detach()

    return training(torch, step, model.parameters)


CONTESTANTS = (
    Contestant("PyTorch, functional", "torch", _functional),
    Contestant("PyTorch, nn + optim", "torch", _modules),
    Contestant("torch.compile, whole step", "torch", compiled_whole),
    Contestant("torch.compile, loss and update", "torch", _compiled_parts),
)
