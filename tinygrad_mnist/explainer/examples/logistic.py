"""The tutorial's first model, a step of it: weights, bias and loss written out."""

import math

import torch
from tinygrad_mnist.datasets import synthetic

images, labels = synthetic.draw(64)
xb = torch.from_numpy(images).reshape(64, 784).float() / 255
yb = torch.from_numpy(labels).long()
torch.manual_seed(0)
weights = torch.randn(784, 10) / math.sqrt(784)
weights.requires_grad_()
bias = torch.zeros(10, requires_grad=True)


def log_softmax(x):
    """x − ln Σ eˣ, along each row."""
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def model(xb):
    """A row of ten log probabilities for each image."""
    return log_softmax(xb @ weights + bias)


def nll(pred, target):
    """The mean of what each row lacks at its label."""
    return -pred[range(target.shape[0]), target].mean()


loss = nll(model(xb), yb)
loss.backward()
print("loss", loss.item())
