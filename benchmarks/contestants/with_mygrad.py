"""MyGrad: NumPy's interface; its own convolution and cross entropy."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Array, Job

from . import numpylike
from .contestant import Contestant, Training
from .numpy_by_hand import train


def forward(mg: Any, model: str, weights: dict[str, Any], x: Any) -> Any:
    """The logits of a model."""
    from mygrad.nnet.activations import relu
    from mygrad.nnet.layers import conv_nd

    if model == "logistic":
        return mg.matmul(x, weights["weights"]) + weights["bias"]
    layers = numpylike.pairs(weights)
    if model == "mlp":
        for n, (weight, bias) in enumerate(layers):
            x = mg.matmul(x, weight.T) + bias
            x = relu(x) if n + 1 < len(layers) else x
        return x
    x = mg.tensor(x.reshape(-1, 1, 28, 28), constant=True)
    for weight, bias in layers:
        x = relu(_convolution(mg, conv_nd, x, weight) + bias.reshape(1, -1, 1, 1))
    return mg.mean(x, axis=(2, 3))


def _convolution(mg: Any, conv_nd: Any, x: Any, weight: Any) -> Any:
    """With stride 2; an even side is padded at its beginning alone, as no window sees its end."""
    if x.shape[-1] % 2:
        return conv_nd(x, weight, stride=2, padding=1)
    padded = mg.zeros((*x.shape[:2], x.shape[2] + 1, x.shape[3] + 1), dtype=x.dtype)
    padded[:, :, 1:, 1:] = x
    return conv_nd(padded, weight, stride=2)


def _start(job: Job) -> Training:
    import mygrad as mg
    from mygrad.nnet.losses import softmax_crossentropy

    if job.model == "transformer":
        raise NotImplementedError("MyGrad has no error function for its GELU")

    def gradients(weights: dict[str, Array], x: Array, y: Array) -> tuple[float, Any]:
        tensors = {name: mg.tensor(array, copy=False) for name, array in weights.items()}
        loss = softmax_crossentropy(forward(mg, job.model, tensors, x), y)
        loss.backward()
        return float(loss), {name: t.grad for name, t in tensors.items()}

    return train(job, gradients)


CONTESTANTS = (Contestant("MyGrad", "mygrad", _start),)
