"""HIPS autograd: NumPy's interface, derivatives taken by it."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Array, Job

from . import numpylike
from .contestant import Contestant, Training
from .numpy_by_hand import train


def _start(job: Job) -> Training:
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import erf

    def loss_of(weights: dict[str, Any], x: Array, y: Array) -> Any:
        return numpylike.loss_of(anp, erf, job.model, weights, x, y)

    return train(job, value_and_grad(loss_of))


CONTESTANTS = (Contestant("HIPS autograd", "autograd", _start),)
