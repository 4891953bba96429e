"""The step in NumPy alone, its derivatives by hand: what each engine has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.jobs import Array, Job

from . import numpylike
from .contestant import Contestant, Training, step_by_step

Weights = dict[str, Array]
Gradients = Callable[[Weights, Array, Array], tuple[float, Weights]]
"""The loss and its derivative by each weight."""


def _softmax_loss(out: Array, y: Array) -> tuple[float, Array]:
    """The mean cross entropy, and its derivative by the logits."""
    rows = np.arange(len(y))
    out -= out.max(1, keepdims=True)
    grad = np.exp(out)
    total = grad.sum(1, keepdims=True)
    loss = float((np.log(total[:, 0]) - out[rows, y]).mean())
    grad /= total
    grad[rows, y] -= 1
    grad /= grad.dtype.type(len(y))
    return loss, grad


def _logistic(weights: Weights, x: Array, y: Array) -> tuple[float, Weights]:
    loss, grad = _softmax_loss(x @ weights["weights"] + weights["bias"], y)
    return loss, {"weights": x.T @ grad, "bias": grad.sum(0)}


def _mlp(weights: Weights, x: Array, y: Array) -> tuple[float, Weights]:
    layers, outs = numpylike.pairs(weights), [x]
    for weight, bias in layers:
        out = outs[-1] @ weight.T
        out += bias
        outs.append(np.maximum(out, 0, out=out) if len(outs) < len(layers) else out)
    loss, grad = _softmax_loss(outs.pop(), y)
    grads = {}
    for n in reversed(range(len(layers))):
        grads[f"{n}.weight"], grads[f"{n}.bias"] = grad.T @ outs[n], grad.sum(0)
        if n:
            grad = grad @ layers[n][0]
            grad *= outs[n] > 0
    return loss, grads


def _images(columns: Array, shape: tuple[int, ...]) -> Array:
    """Adds every window's numbers to the places that they were taken from."""
    n, h, w, c = shape
    out = np.zeros((n, h + 2, w + 2, c), columns.dtype)
    high, wide = columns.shape[1:3]
    for k, part in enumerate(np.split(columns, 9, axis=3)):
        i, j = divmod(k, 3)
        out[:, i : i + 2 * high : 2, j : j + 2 * wide : 2] += part
    return out[:, 1:-1, 1:-1]


def _cnn(weights: Weights, x: Array, y: Array) -> tuple[float, Weights]:
    layers = numpylike.pairs(weights)
    filters = [w.transpose(2, 3, 1, 0).reshape(-1, len(w)) for w, _ in layers]
    images, columns = [x.reshape(-1, 28, 28, 1)], []
    for kernel, (_, bias) in zip(filters, layers, strict=True):
        columns.append(np.concatenate(numpylike.windows(np, images[-1]), axis=3))
        images.append(np.maximum(columns[-1] @ kernel + bias, 0))
    places = images[-1].shape[1] * images[-1].shape[2]
    loss, last = _softmax_loss(images[-1].mean((1, 2)), y)
    grad = np.broadcast_to(last[:, None, None] / last.dtype.type(places), images[-1].shape)
    grads = {}
    for n in (2, 1, 0):
        grad = (grad * (images[n + 1] > 0)).reshape(-1, images[n + 1].shape[-1])
        flat = columns[n].reshape(len(grad), -1).T @ grad
        kernel = flat.reshape(3, 3, -1, grad.shape[1])
        grads[f"{n}.weight"], grads[f"{n}.bias"] = kernel.transpose(3, 2, 0, 1), grad.sum(0)
        if n:
            grad = _images((grad @ filters[n].T).reshape(columns[n].shape), images[n].shape)
    return loss, grads


GRADIENTS: dict[str, Gradients] = {"logistic": _logistic, "mlp": _mlp, "cnn": _cnn}


def train(job: Job, gradients: Gradients) -> Training:
    """The training of whoever gives NumPy's arrays as gradients."""
    weights = {name: array.copy() for name, array in job.weights.items()}
    speeds = {name: np.zeros_like(w) for name, w in weights.items()}

    def step(x: Array, y: Array) -> float:
        loss, grads = gradients(weights, x, y)
        for name, weight in weights.items():
            grad = grads[name]
            if job.momentum:
                speeds[name] *= job.momentum
                speeds[name] += grad
                grad = speeds[name]
            weight -= job.lr * grad
        return loss

    return step_by_step(step, lambda array: array, lambda: list(weights.values()))


def _start(job: Job) -> Training:
    if job.model not in GRADIENTS:
        raise NotImplementedError(f"no derivatives by hand were written for the {job.model}")
    return train(job, GRADIENTS[job.model])


def accuracy(model: str, weights: Weights, x: Array, y: Array) -> float:
    """The part of examples of which the largest logit is the right one."""
    out: Any = numpylike.forward(np, None, model, weights, x)
    return float((out.argmax(1) == y).mean())


CONTESTANTS = (Contestant("NumPy by hand", "numpy", _start),)
