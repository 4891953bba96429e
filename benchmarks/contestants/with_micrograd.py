"""micrograd, number by number: the logistic model, one image a step: what tensors gain."""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from benchmarks.jobs import Array, Job

from .contestant import Contestant, Training, step_by_step

_LARGEST = 1


def _exp(x: Any) -> Any:
    out = type(x)(math.exp(x.data), (x,), "exp")

    def backward() -> None:
        x.grad += out.data * out.grad

    out._backward = backward
    return out


def _log(x: Any) -> Any:
    out = type(x)(math.log(x.data), (x,), "log")

    def backward() -> None:
        x.grad += out.grad / x.data

    out._backward = backward
    return out


def _sum(values: list[Any]) -> Any:
    """By halves: micrograd's walk is recursive, and a chain of 784 additions too deep for it."""
    while len(values) > 1:
        pairs = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[len(values) // 2 * 2 :]
    return values[0]


def _loss(weights: list[list[Any]], bias: list[Any], x: Array, label: int) -> Any:
    inputs = [(i, float(pixel)) for i, pixel in enumerate(x) if pixel]
    logits = [_sum([weights[i][c] * pixel for i, pixel in inputs]) + b for c, b in enumerate(bias)]
    highest = max(logit.data for logit in logits)
    total = reduce(add, [_exp(logit - highest) for logit in logits])
    return _log(total) + highest - logits[label]


def _start(job: Job) -> Training:
    from micrograd.engine import Value

    if job.model != "logistic" or job.batch > _LARGEST:
        raise NotImplementedError("it works number by number: the logistic model, one image a step")
    weights = [[Value(float(w)) for w in row] for row in job.weights["weights"]]
    bias = [Value(float(b)) for b in job.weights["bias"]]

    def step(x: Array, y: Array) -> float:
        loss = _loss(weights, bias, x[0], int(y[0]))
        loss.backward()
        for value in (*bias, *(w for row in weights for w in row)):
            value.data -= job.lr * value.grad
            value.grad = 0
        return float(loss.data)

    def arrays() -> list[Array]:
        table = np.array([[w.data for w in row] for row in weights], np.float32)
        return [table, np.array([b.data for b in bias], np.float32)]

    return step_by_step(step, lambda array: array, arrays)


CONTESTANTS = (Contestant("micrograd", "micrograd", _start),)
