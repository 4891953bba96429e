"""Rung 3: a Module holds the Parameters, and knows them all."""

import math

import torch
import torch.nn.functional as F
from start import read_digits, read_options
from torch import nn

options = read_options(__doc__)
device = torch.device(options.device)
x_train, y_train, x_valid, y_valid = (tensor.to(device) for tensor in read_digits(options))
torch.manual_seed(options.seed)

n = len(x_train)
bs = 64
lr = 0.5

loss_func = F.cross_entropy


class Logistic(nn.Module):
    """Images to logits: one matrix and one bias."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(784, 10) / math.sqrt(784))
        self.bias = nn.Parameter(torch.zeros(10))

    def forward(self, xb):
        """A row of ten logits for each image."""
        return xb @ self.weights + self.bias


model = Logistic().to(device)


def accuracy(out, yb):
    """The share of rows whose largest output is that of their label."""
    return (torch.argmax(out, dim=1) == yb).float().mean()


def report(when):
    """Prints loss and accuracy over all training images."""
    with torch.no_grad():
        out = model(x_train)
        loss = loss_func(out, y_train).item()
    print(f"{when}: loss {loss:.4f}, accuracy {accuracy(out, y_train).item():.4f}")


report("before")
for epoch in range(options.epochs):
    for i in range((n - 1) // bs + 1):
        start_i = i * bs
        end_i = start_i + bs
        xb = x_train[start_i:end_i]
        yb = y_train[start_i:end_i]
        loss = loss_func(model(xb), yb)

        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= p.grad * lr
            model.zero_grad()
    report(f"epoch {epoch + 1}")
