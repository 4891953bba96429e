"""Rung 2: the loss comes from torch.nn.functional."""

import math

import torch
import torch.nn.functional as F
from start import read_digits, read_options

options = read_options(__doc__)
device = torch.device(options.device)
x_train, y_train, x_valid, y_valid = (tensor.to(device) for tensor in read_digits(options))
torch.manual_seed(options.seed)

n = len(x_train)
bs = 64
lr = 0.5

weights = (torch.randn(784, 10) / math.sqrt(784)).to(device)
weights.requires_grad_()
bias = torch.zeros(10, device=device, requires_grad=True)
loss_func = F.cross_entropy


def model(xb):
    """A row of ten logits for each image."""
    return xb @ weights + bias


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
            weights -= weights.grad * lr
            bias -= bias.grad * lr
            weights.grad.zero_()
            bias.grad.zero_()
    report(f"epoch {epoch + 1}")
