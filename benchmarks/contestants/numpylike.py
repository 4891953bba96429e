"""The forward pass as it is written for NumPy's interface: JAX and HIPS autograd run it."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import HEADS, LAYERS, WIDTH

Weights = dict[str, Any]


def pairs(weights: Weights) -> list[tuple[Any, Any]]:
    """Weight and bias of each layer of a network of layers."""
    return [(weights[f"{n}.weight"], weights[f"{n}.bias"]) for n in range(len(weights) // 2)]


def forward(np: Any, erf: Any, model: str, weights: Weights, x: Any) -> Any:
    """The logits of a model; the convolutional network as products of windows."""
    if model == "logistic":
        return x @ weights["weights"] + weights["bias"]
    if model == "transformer":
        return _transformer(np, erf, weights, x)
    *inner, last = pairs(weights)
    if model == "mlp":
        for weight, bias in inner:
            x = np.maximum(x @ weight.T + bias, 0)
        return x @ last[0].T + last[1]
    image = x.reshape(-1, 28, 28, 1)
    for weight, bias in (*inner, last):
        columns = np.concatenate(windows(np, image), axis=3)
        filters = np.reshape(np.transpose(weight, (2, 3, 1, 0)), (-1, len(weight)))
        image = np.maximum(columns @ filters + bias, 0)
    return np.mean(image, axis=(1, 2))


def windows(np: Any, image: Any) -> list[Any]:
    """Every 3×3 window of stride 2, the edge padded with 0, a number at a time."""
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), "constant")
    high, wide = (image.shape[1] + 1) // 2, (image.shape[2] + 1) // 2
    return [padded[:, i : i + 2 * high : 2, j : j + 2 * wide : 2]
            for i in range(3) for j in range(3)]  # fmt: skip


def _transformer(np: Any, erf: Any, w: Weights, tokens: Any) -> Any:
    def norm(name: str, x: Any) -> Any:
        x = x - np.mean(x, axis=-1, keepdims=True)
        x = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(name: str, x: Any) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def heads(x: Any) -> Any:
        return np.transpose(x.reshape(count, length, HEADS, -1), (0, 2, 1, 3))

    count, length = tokens.shape
    hidden = np.triu(np.full((length, length), -np.inf, w["token"].dtype), 1)
    x = w["token"][tokens] + w["place"]
    for n in range(LAYERS):
        q, k, v = np.split(linear(f"{n}.qkv", norm(f"{n}.norm1", x)), 3, axis=-1)
        scores = heads(q) @ np.swapaxes(heads(k), -1, -2) / (WIDTH // HEADS) ** 0.5 + hidden
        mixed = softmax(np, scores) @ heads(v)
        mixed = np.transpose(mixed, (0, 2, 1, 3)).reshape(count, length, WIDTH)
        x = x + linear(f"{n}.out", mixed)
        up = linear(f"{n}.up", norm(f"{n}.norm2", x))
        x = x + linear(f"{n}.down", 0.5 * up * (1 + erf(up / 2**0.5)))
    return linear("head", norm("norm", x))


def softmax(np: Any, x: Any) -> Any:
    """Of the last axis."""
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def loss_of(np: Any, erf: Any, model: str, weights: Weights, x: Any, y: Any) -> Any:
    """The mean cross entropy of a batch; `y` says which logit of each is right."""
    out = forward(np, erf, model, weights, x)
    out = out.reshape(-1, out.shape[-1])
    out = out - np.max(out, axis=1, keepdims=True)
    logs = out - np.log(np.sum(np.exp(out), axis=1, keepdims=True))
    return -np.mean(logs[np.arange(len(logs)), y.reshape(-1)])
