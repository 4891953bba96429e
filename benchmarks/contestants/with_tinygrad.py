"""tinygrad on its CPU device (which needs clang): one step under `TinyJit`."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import HEADS, LAYERS, Array, Job

from . import numpylike
from .contestant import Contestant, Training, step_by_step


def _forward(model: str, w: dict[str, Any], x: Any) -> Any:
    if model == "transformer":
        return _transformer(w, x)
    if model == "logistic":
        return x @ w["weights"] + w["bias"]
    *inner, last = numpylike.pairs(w)
    if model == "mlp":
        for weight, bias in inner:
            x = x.linear(weight.T, bias).relu()
        return x.linear(last[0].T, last[1])
    x = x.reshape(-1, 1, 28, 28)
    for weight, bias in (*inner, last):
        x = x.conv2d(weight, bias, stride=2, padding=1).relu()
    return x.avg_pool2d((4, 4)).flatten(1)


def _transformer(w: dict[str, Any], tokens: Any) -> Any:
    def norm(name: str, x: Any) -> Any:
        return x.layernorm(eps=1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(name: str, x: Any) -> Any:
        return x.linear(w[f"{name}.weight"].T, w[f"{name}.bias"])

    count, length = tokens.shape
    x = w["token"][tokens] + w["place"]
    for n in range(LAYERS):
        parts = linear(f"{n}.qkv", norm(f"{n}.norm1", x)).chunk(3, -1)
        q, k, v = (p.reshape(count, length, HEADS, -1).transpose(1, 2) for p in parts)
        heads = q.scaled_dot_product_attention(k, v, is_causal=True)
        x = x + linear(f"{n}.out", heads.transpose(1, 2).reshape(count, length, -1))
        up = linear(f"{n}.up", norm(f"{n}.norm2", x))
        x = x + linear(f"{n}.down", 0.5 * up * (1 + (up / 2**0.5).erf()))
    return linear("head", norm("norm", x))


def _start(job: Job) -> Training:
    from tinygrad import Context, Tensor, TinyJit, nn

    weights = {k: Tensor(a).contiguous().realize() for k, a in job.weights.items()}
    for weight in weights.values():
        weight.requires_grad = True
    optimizer = nn.optim.SGD(list(weights.values()), lr=job.lr, momentum=job.momentum)

    @TinyJit
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        logits = _forward(job.model, weights, x)
        loss = logits.reshape(-1, logits.shape[-1]).sparse_categorical_crossentropy(y.flatten())
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    def in_training(x: Any, y: Any) -> Any:
        with Context(TRAINING=1):
            return step(x, y)

    def tensor(array: Array) -> Any:
        return Tensor(array).realize()

    return step_by_step(in_training, tensor, lambda: [w.numpy() for w in weights.values()])


CONTESTANTS = (Contestant("tinygrad, TinyJit", "tinygrad", _start),)
