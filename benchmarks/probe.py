"""In a process of its own: what one thing costs in one engine, as a line of JSON.

python -m benchmarks.probe chain ENGINE LENGTH    seconds of a backward pass along a chain
python -m benchmarks.probe graph ENGINE           MiB that a recorded forward pass holds
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import jobs
from .contestants import numpylike, torchlike, with_mygrad

TORCHLIKE = {"tinygrad_mnist": "tinygrad_mnist", "PyTorch": "torch"}
FACTOR = 1.0000001


def memory() -> float:
    """What this process holds, in MiB."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def _recorded(start: Any, length: int) -> Any:
    """A chain of multiplications, each of the last one's result."""
    for _ in range(length):
        start = start * FACTOR
    return start


def backward_of_chain(engine: str, length: int) -> Callable[[], object]:
    """The backward pass of a number that was multiplied so often; the chain is recorded."""
    if engine in TORCHLIKE:
        torch = importlib.import_module(TORCHLIKE[engine])
        torch.set_num_threads(1)
        backward: Callable[[], object]
        backward = _recorded(torch.tensor(1.0, requires_grad=True), length).backward
    elif engine == "MyGrad":
        backward = _recorded(importlib.import_module("mygrad").tensor(1.0), length).backward
    elif engine == "micrograd":
        backward = _recorded(
            importlib.import_module("micrograd.engine").Value(1.0), length
        ).backward
    elif engine == "HIPS autograd":
        make_vjp = importlib.import_module("autograd").make_vjp
        vjp, _ = make_vjp(lambda x: _recorded(x, length))(1.0)
        backward = functools.partial(vjp, 1.0)
    else:
        _, vjp = importlib.import_module("jax").vjp(lambda x: _recorded(x, length), 1.0)
        backward = functools.partial(vjp, 1.0)
    return backward


def recorder(engine: str) -> Callable[[jobs.Job], Any]:
    """Records the loss of a job's first batch; what it gives holds all that backward needs."""

    def in_torch(job: jobs.Job) -> Any:
        torch = importlib.import_module(TORCHLIKE[engine])
        torch.set_num_threads(1)
        weights = {k: w.requires_grad_() for k, w in torchlike.first_weights(torch, job).items()}
        x, y = torch.from_numpy(job.x[0]), torch.from_numpy(job.y[0])
        return weights, torchlike.loss_of(torch, job.model, weights, x, y)

    def in_mygrad(job: jobs.Job) -> Any:
        mg = importlib.import_module("mygrad")
        losses = importlib.import_module("mygrad.nnet.losses")
        weights = {name: mg.tensor(array) for name, array in job.weights.items()}
        out = with_mygrad.forward(mg, job.model, weights, job.x[0])
        return weights, losses.softmax_crossentropy(out, job.y[0])

    def in_autograd(job: jobs.Job) -> Any:
        make_vjp = importlib.import_module("autograd").make_vjp
        anp = importlib.import_module("autograd.numpy")

        def loss(weights: Any) -> Any:
            return numpylike.loss_of(anp, None, job.model, weights, job.x[0], job.y[0])

        return make_vjp(loss)(job.weights)

    return in_torch if engine in TORCHLIKE else in_mygrad if engine == "MyGrad" else in_autograd


def held_by_graph(engine: str) -> float:
    """MiB that the convolutional network's forward pass holds at a batch of 256."""
    rng = np.random.default_rng(0)
    pixels = rng.random((256, jobs.PIXELS), np.float32)
    labels = rng.integers(0, jobs.CLASSES, len(pixels))
    small, large = (jobs.make(f"cnn-{n}x1", pixels, labels) for n in (1, 256))
    record = recorder(engine)
    record(small)
    before = memory()
    kept = record(large)
    held = memory() - before
    del kept
    return held


def main(cost: str, engine: str, length: str = "0") -> None:
    """Print the figure, or why there is none."""
    try:
        if cost == "graph":
            told: dict[str, Any] = {"number": held_by_graph(engine)}
        else:
            backward = backward_of_chain(engine, int(length))
            begin = time.perf_counter()
            backward()
            told = {"number": time.perf_counter() - begin}
    except ModuleNotFoundError as error:
        told = {"missing": f"{error.name} is not installed; the extra `benchmark` brings it"}
    except Exception as error:
        told = {"missing": type(error).__name__}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
