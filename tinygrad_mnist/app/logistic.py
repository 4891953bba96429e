"""The tutorial's logistic model on MNIST, in the tutorial's three stages.

The stages compute the same numbers: `raw` writes the model and its loss from tensor operations,
`functional` takes the loss from `nn.functional`, `module` makes the model an `nn.Module`.
Source: https://docs.pytorch.org/tutorials/beginner/nn_tutorial.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

Tensor = (
    Any  # `.grad` may be None by its type, never here; the reference's words, which a test compares
)

STAGES = ("raw", "functional", "module")
PIXELS = 784
CLASSES = 10


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
    """`x @ weights + bias`, with the tutorial's initial values."""

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
    """`update(lr)` moves each parameter against its gradient and sets the gradients to zero."""


@dataclass(frozen=True)
class Epoch:
    """The results after an epoch, each over its whole set; the seconds are of training alone."""

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


def build(stage: str) -> Job:
    """A stage's job, its weights drawn from the generator that `manual_seed` sets.

    Raises:
        ValueError: there is no such stage.

    >>> _ = torch.manual_seed(0)
    >>> job = build("raw")
    >>> job.model(torch.zeros(1, 784)).exp()
    tensor([[0.1000, 0.1000, 0.1000, 0.1000, 0.1000, 0.1000, 0.1000, 0.1000, 0.1000,
             0.1000]], grad_fn=<ExpBackward0>)
    """
    if stage == "module":
        return _module_job(Logistic())
    weights = torch.randn(PIXELS, CLASSES) / math.sqrt(PIXELS)
    weights.requires_grad_()
    bias = torch.zeros(CLASSES, requires_grad=True)
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
                p -= p.grad * lr  # type: ignore[operator, misc]
            model.zero_grad()

    return Job(model, F.cross_entropy, dict(model.named_parameters()), update)
