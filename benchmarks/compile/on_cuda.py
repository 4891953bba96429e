"""The step on a GPU: PyTorch eager, compiled, and replayed as a graph; JAX.

Weights and batches lie in the GPU's memory from the beginning. Calls only launch work there: an
epoch has ended when its last loss, asked for by `float`, has arrived.
"""

from __future__ import annotations

from typing import Any

import torch

from .tasks import Contestant, Epoch, Task
from .torchlike import compiled_whole, functional, over
from .with_jax import JAX

DEVICE = "cuda"
WARM_UP = 3
"""Steps before a graph is captured, as PyTorch's documentation has it."""


def is_there() -> bool:
    """Whether PyTorch finds a GPU."""
    return torch.cuda.is_available()


def prepare() -> str:
    """Let PyTorch compute products in float32, as the others do, and give the GPU's name."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.cuda.get_device_name()


def _eager(task: Task) -> Epoch:
    return over(torch, task, functional(torch, task, DEVICE), DEVICE)


def _graph(task: Task) -> Epoch:
    """The step captured once; each batch is copied to where the graph reads, then it is replayed.

    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
    """
    x = torch.zeros(task.x.shape[1:], device=DEVICE)
    y = torch.zeros(task.y.shape[1:], dtype=torch.int64, device=DEVICE)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        warming = functional(torch, task, DEVICE)
        for _ in range(WARM_UP):
            warming(x, y)
    torch.cuda.current_stream().wait_stream(aside)
    step, graph = functional(torch, task, DEVICE), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(x, y)

    def replayed(batch: Any, labels: Any) -> Any:
        x.copy_(batch)
        y.copy_(labels)
        graph.replay()
        return loss

    return over(torch, task, replayed, DEVICE)


def _in_jax(contestant: Contestant) -> Contestant:
    """A contestant of JAX whose arrays and products are a GPU's."""

    def make(task: Task) -> Epoch:
        import jax

        def there(call: Any, *arguments: Any) -> Any:
            with (
                jax.default_device(jax.devices(DEVICE)[0]),
                jax.default_matmul_precision("highest"),
            ):
                return call(*arguments)

        epoch = there(contestant.make, task)
        return lambda: there(epoch)

    return Contestant(f"{contestant.name}, GPU", make)


ON_CUDA = (
    Contestant("PyTorch, functional, GPU", _eager),
    Contestant("torch.compile, whole step, GPU", lambda task: compiled_whole(task, DEVICE)),
    Contestant("PyTorch, CUDA graph, GPU", _graph),
    *map(_in_jax, JAX),
)
