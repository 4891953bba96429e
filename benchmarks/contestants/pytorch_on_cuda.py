"""PyTorch on a GPU: eager, compiled, and a step captured once as a CUDA graph and replayed.

Weights and batches lie in the GPU's memory beforehand; products are computed in float32, not in
TF32. Calls only launch work there: an epoch has ended when its last loss, asked for, has arrived.
"""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Job

from .contestant import Contestant, Training
from .pytorch import compiled_whole
from .torchlike import functional, training

DEVICE = "cuda"
WARM_UP = 3
"""Steps before a graph is captured, as PyTorch's documentation has it."""


def _pytorch() -> Any:
    import torch

    if not torch.cuda.is_available():
        raise NotImplementedError("PyTorch finds no CUDA device here")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch


def _eager(job: Job) -> Training:
    torch = _pytorch()
    step, weights = functional(torch, job, DEVICE)
    return training(torch, step, weights.values, DEVICE)


def _compiled(job: Job) -> Training:
    _pytorch()
    return compiled_whole(job, DEVICE)


def _graph(job: Job) -> Training:
    """Each batch is copied to where the graph reads, then the graph is replayed.

    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
    """
    torch = _pytorch()
    x = torch.from_numpy(job.x[0]).to(DEVICE)
    y = torch.from_numpy(job.y[0]).to(DEVICE)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        warming, _ = functional(torch, job, DEVICE)
        for _ in range(WARM_UP):
            warming(x, y)
    torch.cuda.current_stream().wait_stream(aside)
    (step, weights), graph = functional(torch, job, DEVICE), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(x, y)

    def replayed(batch: Any, labels: Any) -> Any:
        x.copy_(batch)
        y.copy_(labels)
        graph.replay()
        return loss

    return training(torch, replayed, weights.values, DEVICE)


CONTESTANTS = (
    Contestant("PyTorch, functional, GPU", "torch", _eager),
    Contestant("torch.compile, whole step, GPU", "torch", _compiled),
    Contestant("PyTorch, CUDA graph, GPU", "torch", _graph),
)
