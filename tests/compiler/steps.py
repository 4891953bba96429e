"""Training steps, each a function that builds what it trains and gives the step itself."""

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.logistic import build
from tinygrad_mnist.nn import functional as F


def logistic(stage):
    """The tutorial's logistic model: the step, and the parameters by name."""
    torch.manual_seed(0)
    job = build(stage)

    def step(x, y, lr):
        loss = job.loss_func(job.model(x), y)
        loss.backward()
        job.update(lr)
        return loss

    return step, job.parameters


def perceptron(make_optimizer):
    """Two layers, and an optimiser that `make_optimizer` gives for their parameters."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5))
    optimizer = make_optimizer(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, dict(model.named_parameters())


def convolutional():
    """Two convolutions and a pool, with momentum."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        loss = F.cross_entropy(model(x.view(-1, 1, 8, 8)).view(-1, 5), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step, dict(model.named_parameters())
