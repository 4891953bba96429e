"""The step as it is written for PyTorch, which this package and PyTorch run alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.jobs import HEADS, LAYERS, WIDTH, Array, Job

from .contestant import Training, step_by_step

Step = Callable[[Any, Any], Any]
Weights = dict[str, Any]


def forward(torch: Any, model: str, weights: Weights, x: Any) -> Any:
    """The logits of a model."""
    F = torch.nn.functional
    if model == "transformer":
        return _transformer(torch, weights, x)
    if model == "logistic":
        return x @ weights["weights"] + weights["bias"]
    pairs = [(weights[f"{n}.weight"], weights[f"{n}.bias"]) for n in range(len(weights) // 2)]
    if model == "mlp":
        for weight, bias in pairs[:-1]:
            x = F.relu(F.linear(x, weight, bias))
        return F.linear(x, *pairs[-1])
    x = x.view(-1, 1, 28, 28)
    for weight, bias in pairs:
        x = F.relu(F.conv2d(x, weight, bias, stride=2, padding=1))
    return F.avg_pool2d(x, 4).flatten(1)


def _transformer(torch: Any, w: Weights, tokens: Any) -> Any:
    F = torch.nn.functional

    def norm(name: str, x: Any) -> Any:
        return F.layer_norm(x, (WIDTH,), w[f"{name}.weight"], w[f"{name}.bias"])

    def linear(name: str, x: Any) -> Any:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    count, length = tokens.shape
    x = F.embedding(tokens, w["token"]) + w["place"]
    for n in range(LAYERS):
        parts = linear(f"{n}.qkv", norm(f"{n}.norm1", x)).split(WIDTH, -1)
        q, k, v = (p.view(count, length, HEADS, -1).transpose(1, 2) for p in parts)
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(f"{n}.out", heads.transpose(1, 2).reshape(count, length, WIDTH))
        x = x + linear(f"{n}.down", F.gelu(linear(f"{n}.up", norm(f"{n}.norm2", x))))
    return linear("head", norm("norm", x))


def loss_of(torch: Any, model: str, weights: Weights, x: Any, y: Any) -> Any:
    """The mean cross entropy of a batch."""
    logits = forward(torch, model, weights, x)
    return torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))


def first_weights(torch: Any, job: Job, device: str = "cpu") -> Weights:
    """Tensors of their own, as the job begins."""
    return {k: torch.from_numpy(a.copy()).to(device) for k, a in job.weights.items()}


def update(torch: Any, job: Job, weights: Weights, speeds: Weights, grads: Weights) -> None:
    """What `optim.SGD` does, written out."""
    for name, weight in weights.items():
        if job.momentum:
            speeds[name].mul_(job.momentum).add_(grads[name])
        weight.sub_(speeds[name] if job.momentum else grads[name], alpha=job.lr)


def functional(torch: Any, job: Job, device: str = "cpu") -> tuple[Step, Weights]:
    """Tensors that require gradients, `nn.functional`, an update by hand."""
    weights = {k: w.requires_grad_() for k, w in first_weights(torch, job, device).items()}
    speeds = {name: torch.zeros_like(w) for name, w in weights.items()}

    def step(x: Any, y: Any) -> Any:
        loss = loss_of(torch, job.model, weights, x, y)
        loss.backward()
        with torch.no_grad():
            update(torch, job, weights, speeds, {k: w.grad for k, w in weights.items()})
            for weight in weights.values():
                weight.grad = None
        return loss.detach()

    return step, weights


def module(torch: Any, job: Job) -> Any:
    """The model of layers, as a user of `nn` writes it, with the job's weights."""
    nn = torch.nn
    shapes = [array.shape for array in job.weights.values()]
    if job.model == "mlp":
        linear = [layer for out, ins in shapes[::2] for layer in (nn.Linear(ins, out), nn.ReLU())]
        model = nn.Sequential(*linear[:-1])
    elif job.model == "cnn":
        layers = [layer for out, ins, *_ in shapes[::2]
                  for layer in (nn.Conv2d(ins, out, 3, 2, 1), nn.ReLU())]  # fmt: skip
        model = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *layers, nn.AvgPool2d(4), nn.Flatten())
    else:
        model = _with_parameters(torch, job)
    with torch.no_grad():
        for p, array in zip(model.parameters(), job.weights.values(), strict=True):
            p.copy_(torch.from_numpy(array))
    return model


def _with_parameters(torch: Any, job: Job) -> Any:
    kind, tensors = job.model, first_weights(torch, job)

    class Model(torch.nn.Module):  # type: ignore[misc]  # the engine's own, whichever it is
        def __init__(self) -> None:
            super().__init__()
            self.table = {}
            for name, tensor in tensors.items():
                self.table[name] = torch.nn.Parameter(tensor)
                self.register_parameter(name.replace(".", "_"), self.table[name])

        def forward(self, x: Any) -> Any:
            return forward(torch, kind, self.table, x)

    return Model()


def module_step(torch: Any, job: Job) -> tuple[Step, Any]:
    """`nn.Module` and `optim.SGD`."""
    model = module(torch, job)
    optimizer = torch.optim.SGD(model.parameters(), lr=job.lr, momentum=job.momentum)
    F = torch.nn.functional

    def step(x: Any, y: Any) -> Any:
        logits = model(x)
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step, model


def training(torch: Any, step: Step, tensors: Callable[[], Any], device: str = "cpu") -> Training:
    """The training of a step that takes tensors; they lie on the device beforehand."""

    def weights() -> list[Array]:
        return [w.detach().cpu().numpy() for w in tensors()]

    return step_by_step(step, lambda array: torch.from_numpy(array).to(device), weights)
