"""The tutorial's logistic model on MNIST in plain PyTorch.

One job in the tutorial's three stages, which compute the same numbers: ``raw`` writes the model and
its loss from tensor operations, ``functional`` takes the loss from ``torch.nn.functional``,
``module`` makes the model an ``nn.Module``.
Source: https://docs.pytorch.org/tutorials/beginner/nn_tutorial.html
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference.data import CLASSES, PIXELS, Digits

STAGES = ("raw", "functional", "module")
EVALUATED = 2_000  # rows at a time where a model is only asked: what it computes stays small


def log_softmax(x: Tensor) -> Tensor:
    """The logarithm of softmax over the last dimension, as the tutorial writes it from scratch."""
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def nll(input: Tensor, target: Tensor) -> Tensor:
    """The mean negative log-likelihood of the targets, as the tutorial writes it from scratch."""
    return -input[range(target.shape[0]), target].mean()


def accuracy(out: Tensor, target: Tensor) -> Tensor:
    """The share of rows whose largest output is the target's."""
    return (torch.argmax(out, dim=1) == target).float().mean()


class Logistic(nn.Module):
    """``x @ weights + bias``, with the tutorial's initial values."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(PIXELS, CLASSES) / math.sqrt(PIXELS))
        self.bias = nn.Parameter(torch.zeros(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Rows of 784 pixels to rows of 10 logits."""
        return x @ self.weights + self.bias


@dataclass(frozen=True)
class Job:
    """What a stage trains: a model, its loss, its parameters by name, and how a step moves them."""

    model: Callable[[Tensor], Tensor]
    loss_func: Callable[[Tensor, Tensor], Tensor]
    parameters: dict[str, Tensor]
    update: Callable[[float], None]


@dataclass(frozen=True)
class Epoch:
    """The results after an epoch, each over its whole set; the seconds are of training alone."""

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


def build(stage: str, device: torch.device | None = None) -> Job:
    """A stage's job with parameters drawn on the CPU, so that a seed gives one start everywhere."""
    if stage == "module":
        return _module_job(Logistic().to(device))
    weights = (torch.randn(PIXELS, CLASSES) / math.sqrt(PIXELS)).to(device)
    weights.requires_grad_()
    bias = torch.zeros(CLASSES, device=device, requires_grad=True)
    if stage == "raw":
        return _tensor_job(weights, bias, lambda x: log_softmax(x @ weights + bias), nll)
    if stage == "functional":
        return _tensor_job(weights, bias, lambda x: x @ weights + bias, F.cross_entropy)
    raise ValueError(f"stage {stage!r}: expected one of {', '.join(STAGES)}")


def _tensor_job(
    weights: Tensor,
    bias: Tensor,
    model: Callable[[Tensor], Tensor],
    loss_func: Callable[[Tensor, Tensor], Tensor],
) -> Job:
    def update(lr: float) -> None:
        nonlocal weights, bias
        with torch.no_grad():
            weights -= weights.grad * lr
            bias -= bias.grad * lr
            weights.grad.zero_()
            bias.grad.zero_()

    return Job(model, loss_func, {"weights": weights, "bias": bias}, update)


def _module_job(model: Logistic) -> Job:
    def update(lr: float) -> None:
        with torch.no_grad():
            for p in model.parameters():
                p -= p.grad * lr
            model.zero_grad()

    return Job(model, F.cross_entropy, dict(model.named_parameters()), update)


def fit(
    job: Job, digits: Digits, epochs: int, batch_size: int, lr: float, shuffle: bool = False
) -> Iterator[Epoch]:
    """Trains for some epochs, and yields each epoch's results as it ends.

    Batches are taken in order, or in a new random order each epoch.
    """
    for epoch in range(1, epochs + 1):
        rows = len(digits.x_train)
        order = torch.randperm(rows).to(digits.x_train.device) if shuffle else None
        begin = _now(digits.x_train)
        train_epoch(job, digits.x_train, digits.y_train, batch_size, lr, order)
        seconds = _now(digits.x_train) - begin
        train = evaluate(job, digits.x_train, digits.y_train)
        valid = evaluate(job, digits.x_valid, digits.y_valid)
        yield Epoch(epoch, *train, *valid, seconds)


def train_epoch(
    job: Job, x: Tensor, y: Tensor, batch_size: int, lr: float, order: Tensor | None = None
) -> None:
    """One step of gradient descent for each batch; the last batch may be smaller.

    The rows are taken in ``order``, or as they come.
    """
    for i in range((len(x) - 1) // batch_size + 1):
        start_i = i * batch_size
        end_i = start_i + batch_size
        rows = slice(start_i, end_i) if order is None else order[start_i:end_i]
        loss = job.loss_func(job.model(x[rows]), y[rows])
        loss.backward()
        job.update(lr)


@torch.no_grad()
def evaluate(job: Job, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy over all rows."""
    loss = right = 0.0
    for start_i in range(0, len(x), EVALUATED):
        xb, yb = x[start_i : start_i + EVALUATED], y[start_i : start_i + EVALUATED]
        out = job.model(xb)
        loss += job.loss_func(out, yb).item() * len(yb)
        right += accuracy(out, yb).item() * len(yb)
    return loss / len(x), right / len(x)


def _now(work: Tensor) -> float:
    """The time in seconds once the work queued on the tensor's device is done."""
    if work.is_cuda:
        torch.cuda.synchronize(work.device)
    return time.perf_counter()
