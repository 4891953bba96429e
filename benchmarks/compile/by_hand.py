"""The step in NumPy: its derivatives by hand, and by HIPS autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .tasks import Array, Contestant, Epoch, Task, each_batch

Gradients = Callable[[list[Array], Array, Array], tuple[float, list[Array]]]
"""The loss and its derivative by each weight."""


def _softmax_loss(out: Array, y: Array) -> tuple[float, Array]:
    """The mean cross entropy, and its derivative by the logits."""
    rows = np.arange(len(y))
    out -= out.max(1, keepdims=True)
    grad = np.exp(out)
    total = grad.sum(1, keepdims=True)
    loss = (np.log(total[:, 0]) - out[rows, y]).mean()
    grad /= total
    grad[rows, y] -= 1
    grad /= grad.dtype.type(len(y))
    return loss, grad


def _logistic(weights: list[Array], x: Array, y: Array) -> tuple[float, list[Array]]:
    w, b = weights
    loss, grad = _softmax_loss(x @ w + b, y)
    return loss, [x.T @ grad, grad.sum(0)]


def _mlp(weights: list[Array], x: Array, y: Array) -> tuple[float, list[Array]]:
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1.T + b1, 0)
    loss, grad = _softmax_loss(hidden @ w2.T + b2, y)
    inner = grad @ w2
    inner *= hidden > 0
    return loss, [inner.T @ x, inner.sum(0), grad.T @ hidden, grad.sum(0)]


def _columns(x: Array) -> Array:
    """Every 3×3 window of stride 2, the edge padded with 0: (n, h, w, c) → (n, h/2, w/2, 9c)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]
    return np.ascontiguousarray(windows).reshape(*windows.shape[:3], -1)


def _images(columns: Array, shape: tuple[int, ...]) -> Array:
    """Adds every window's numbers to the places that they were taken from."""
    n, h, w, c = shape
    out = np.zeros((n, h + 2, w + 2, c), columns.dtype)
    high, wide = columns.shape[1:3]
    parts = columns.reshape(n, high, wide, c, 3, 3)
    for i in range(3):
        for j in range(3):
            out[:, i : i + 2 * high : 2, j : j + 2 * wide : 2] += parts[..., i, j]
    return out[:, 1:-1, 1:-1]


def _cnn(weights: list[Array], x: Array, y: Array) -> tuple[float, list[Array]]:
    filters = [w.reshape(len(w), -1) for w in weights[::2]]
    images = [x.reshape(-1, 28, 28, 1)]
    columns = []
    for w, b in zip(filters, weights[1::2], strict=True):
        columns.append(_columns(images[-1]))
        images.append(np.maximum(columns[-1] @ w.T + b, 0))
    places = images[-1].shape[1] * images[-1].shape[2]
    loss, last = _softmax_loss(images[-1].mean((1, 2)), y)
    grad = np.broadcast_to(last[:, None, None] / last.dtype.type(places), images[-1].shape)
    grads: list[Array] = []
    for layer in (2, 1, 0):
        grad = (grad * (images[layer + 1] > 0)).reshape(-1, images[layer + 1].shape[-1])
        flat = columns[layer].reshape(len(grad), -1)
        grads = [(grad.T @ flat).reshape(weights[2 * layer].shape), grad.sum(0), *grads]
        if layer:
            gathered = (grad @ filters[layer]).reshape(columns[layer].shape)
            grad = _images(gathered, images[layer].shape)
    return loss, grads


_GRADIENTS: dict[str, Gradients] = {"logistic": _logistic, "mlp": _mlp, "cnn": _cnn}


def _train(task: Task, gradients: Gradients) -> Epoch:
    weights = [array.copy() for array in task.weights.values()]
    speeds = [np.zeros_like(w) for w in weights]

    def step(x: Array, y: Array) -> float:
        loss, grads = gradients(weights, x, y)
        for w, speed, grad in zip(weights, speeds, grads, strict=True):
            if task.momentum:
                speed *= task.momentum
                speed += grad
                grad = speed
            w -= task.lr * grad
        return loss

    return each_batch(step, list(task.x), list(task.y))


def _with_autograd(task: Task) -> Epoch:
    from autograd import value_and_grad

    def loss_of(weights: list[Any], x: Array, y: Array) -> Any:
        import autograd.numpy as anp

        out = _forward(task.model, weights, x)
        out = out - anp.max(out, axis=1, keepdims=True)
        logs = out - anp.log(anp.sum(anp.exp(out), axis=1, keepdims=True))
        return -anp.mean(logs[np.arange(len(y)), y])

    return _train(task, value_and_grad(loss_of))


def _forward(model: str, weights: list[Any], x: Array) -> Any:
    import autograd.numpy as anp

    if model == "logistic":
        return anp.dot(x, weights[0]) + weights[1]
    if model == "mlp":
        hidden = anp.maximum(anp.dot(x, weights[0].T) + weights[1], 0)
        return anp.dot(hidden, weights[2].T) + weights[3]
    image: Any = x.reshape(-1, 28, 28, 1)
    for n in (0, 2, 4):
        padded = anp.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), "constant")
        high, wide = (image.shape[1] + 1) // 2, (image.shape[2] + 1) // 2
        windows = [
            padded[:, i : i + 2 * high : 2, j : j + 2 * wide : 2]
            for i in range(3)
            for j in range(3)
        ]
        turned = anp.transpose(weights[n], (2, 3, 1, 0))
        filters = anp.reshape(turned, (-1, turned.shape[-1]))
        columns = anp.concatenate(windows, axis=3)
        image = anp.maximum(anp.dot(columns, filters) + weights[n + 1], 0)
    return anp.mean(image, axis=(1, 2))


NUMPY = Contestant("NumPy by hand", lambda task: _train(task, _GRADIENTS[task.model]))
AUTOGRAD = Contestant("HIPS autograd", _with_autograd)
