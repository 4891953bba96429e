"""tinygrad_mnist: eager, a compiled step, and a compiled loop over the steps of an epoch."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Array, Job

from .contestant import Contestant, Training
from .torchlike import module_step, training


def _engine() -> Any:
    import tinygrad_mnist
    from tinygrad_mnist import kernels

    kernels.warm_up()
    return tinygrad_mnist


def _eager(job: Job) -> Training:
    torch = _engine()
    step, model = module_step(torch, job)
    return training(torch, step, model.parameters)


def _compiled(job: Job) -> Training:
    torch = _engine()
    step, model = module_step(torch, job)
    return training(torch, torch.compile(step), model.parameters)


def _scan(job: Job) -> Training:
    torch = _engine()
    step, model = module_step(torch, job)
    compiled = torch.compile(step)

    def place(x: Array, y: Array) -> Any:
        return torch.from_numpy(x), torch.from_numpy(y)

    def run(batches: Any) -> float:
        return float(torch.compiler.scan(compiled, batches)[-1])

    return Training(place, run, training(torch, step, model.parameters).weights)


COMPILED = Contestant("tinygrad_mnist, compiled", "tinygrad_mnist", _compiled)
SCAN = Contestant("tinygrad_mnist, scan", "tinygrad_mnist", _scan)
CONTESTANTS = (
    COMPILED,
    SCAN,
    Contestant("tinygrad_mnist, eager", "tinygrad_mnist", _eager),
)
