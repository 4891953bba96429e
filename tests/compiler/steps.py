"""Training steps, each a function that builds what it trains and gives the step itself."""

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.app.logistic import build
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


def pooled_convolutional():
    """The usual network for digits: convolutions, max pooling, two layers, dropout, Adam."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout2d(0.25), nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(8, 5),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.nll_loss(F.log_softmax(model(x.view(-1, 1, 8, 8)), dim=1), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, dict(model.named_parameters())


def pooled_twice():
    """Pools of windows that overlap, groups of channels, and parts of images."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.ZeroPad2d(1), nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.LeakyReLU(0.1),
        nn.MaxPool2d(3, 2, 1), nn.InstanceNorm2d(4), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(),
        nn.Linear(24, 5),
    )  # fmt: skip
    return trained(model, (1, 8, 8))


def sequences():
    """Convolution and pooling in one dimension."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(1, 4, 5), nn.SiLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(40, 5)
    )
    return trained(model, (1, 24))


class Attentive(nn.Module):
    """Attention of two heads over three places, and what it is added to."""

    def __init__(self):
        super().__init__()
        self.parts, self.norm = nn.Linear(4, 12), nn.LayerNorm(4)
        self.last = nn.Linear(12, 5)

    def forward(self, x):
        parts = self.parts(x).view(-1, 3, 3, 2, 2).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        weights = F.softmax(query @ key.transpose(-2, -1) / 2**0.5, dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(-1, 3, 4)
        return self.last(self.norm(x + mixed).flatten(1))


def attentive():
    """Attention and layer normalisation."""
    torch.manual_seed(0)
    return trained(Attentive(), (3, 4))


class Recurrent(nn.Module):
    """A hidden state that goes through three places, one after the other."""

    def __init__(self):
        super().__init__()
        self.given, self.hidden, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, x):
        state = torch.zeros(len(x), 6, dtype=x.dtype)
        for place in range(3):
            state = torch.tanh(self.given(x[:, place]) + self.hidden(state))
        return self.last(state)


def recurrent():
    """A loop over places in Python."""
    torch.manual_seed(0)
    return trained(Recurrent(), (3, 4))


class Residual(nn.Module):
    """Layers whose results are added, and joined to what they were made of."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(24, 5)

    def forward(self, x):
        hidden = F.relu(self.first(x))
        return self.last(torch.cat([hidden + F.relu(self.second(hidden)), x], 1))


def residual():
    """Joins and sums."""
    torch.manual_seed(0)
    return trained(Residual(), (12,))


def looked_up():
    """An embedding of whole numbers, and a loss that smooths labels."""
    torch.manual_seed(0)
    table, last = nn.Embedding(7, 4, padding_idx=0), nn.Linear(4, 5)
    parameters = [*table.parameters(), *last.parameters()]
    optimizer = torch.optim.Adagrad(parameters, lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        words = (x * 7).long()
        loss = F.cross_entropy(last(table(words).mean(1)), y, label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        return loss

    return step, dict(enumerate(parameters))


def clipped():
    """Gradients whose norm is held, and the norm among the results of the step."""
    step, parameters = perceptron(lambda p: torch.optim.SGD(p, lr=0.1))
    optimizer = torch.optim.AdamW(parameters.values(), lr=0.01)

    def clipping(x, y):
        loss = step(x, y)
        norm = nn.utils.clip_grad_norm_(parameters.values(), 0.1)
        nn.utils.clip_grad_value_(parameters.values(), 0.03)
        optimizer.step()
        return loss + norm

    return clipping, parameters


def gathering_gradients():
    """Gradients that are never set back, and a penalty on the slope of the model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step(x, y):
        x = x.clone().requires_grad_()
        loss = F.cross_entropy(model(x), y)
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        loss = loss + slope.pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss

    return step, dict(model.named_parameters())
