"""Rung 6: a Dataset keeps images and labels together."""

import torch
import torch.nn.functional as F
from start import read_digits, read_options
from torch import nn, optim
from torch.utils.data import TensorDataset

options = read_options(__doc__)
device = torch.device(options.device)
x_train, y_train, x_valid, y_valid = (tensor.to(device) for tensor in read_digits(options))
torch.manual_seed(options.seed)

n = len(x_train)
bs = 64
lr = 0.5

loss_func = F.cross_entropy
train_ds = TensorDataset(x_train, y_train)


class Logistic(nn.Module):
    """Images to logits: one layer."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(784, 10)

    def forward(self, xb):
        """A row of ten logits for each image."""
        return self.lin(xb)


def get_model():
    """A new model, and the optimizer of its parameters."""
    model = Logistic().to(device)
    return model, optim.SGD(model.parameters(), lr=lr)


model, opt = get_model()


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
        xb, yb = train_ds[i * bs : i * bs + bs]
        loss = loss_func(model(xb), yb)

        loss.backward()
        opt.step()
        opt.zero_grad()
    report(f"epoch {epoch + 1}")
