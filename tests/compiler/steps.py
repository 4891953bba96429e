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


def trained(model, shape, **options):
    """A step that trains `model` on rows of numbers brought into `shape`, with momentum."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, **options)

    def step(x, y):
        loss = F.cross_entropy(model(x.view(-1, *shape)).flatten(1), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step, dict(model.named_parameters()) | dict(model.named_buffers())


def convolutional():
    """Two convolutions and a pool."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2),
    )  # fmt: skip
    return trained(model, (1, 8, 8))


def normalised_convolutional():
    """A convolution between batch normalisations."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(4),
        nn.Conv2d(4, 5, 2, bias=False), nn.BatchNorm2d(5),
    )  # fmt: skip
    return trained(model, (1, 8, 8))


def normalised_perceptron():
    """Layers that normalise, drop out and activate smoothly."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(12, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.3),
        nn.Linear(8, 6, bias=False), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 5),
    )  # fmt: skip
    return trained(model, (12,), weight_decay=0.01, nesterov=True)
