"""Rung 12: the model moves to the device once, each batch when its turn comes.

Two engines round differently, and this training magnifies the differences: after some 160 steps
they show in the fourth digit. So two are printed.
"""

import torch
import torch.nn.functional as F
from rung09_fit import fit, get_data
from start import read_digits, read_options
from torch import nn, optim
from torch.utils.data import TensorDataset

options = read_options(__doc__, epochs=2, rows=16_000)
device = torch.device(options.device)
x_train, y_train, x_valid, y_valid = read_digits(options)
mean, std = x_train.mean(), x_train.std()
x_train, x_valid = (x_train - mean) / std, (x_valid - mean) / std
torch.manual_seed(options.seed)


class WrappedDataLoader:
    """A loader whose every batch goes through a function first."""

    def __init__(self, dl, func):
        self.dl = dl
        self.func = func

    def __len__(self):
        return len(self.dl)

    def __iter__(self):
        for batch in self.dl:
            yield self.func(*batch)


def preprocess(x, y):
    """Rows of 784 pixels to images of one channel, on the device."""
    return x.view(-1, 1, 28, 28).to(device), y.to(device)


train_ds, valid_ds = TensorDataset(x_train, y_train), TensorDataset(x_valid, y_valid)
train_dl, valid_dl = get_data(train_ds, valid_ds, bs=64)
train_dl = WrappedDataLoader(train_dl, preprocess)
valid_dl = WrappedDataLoader(valid_dl, preprocess)

model = nn.Sequential(
    nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 16, kernel_size=3, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(7),
    nn.Flatten(),
    nn.Linear(784, 10),
)
model.to(device)
opt = optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
fit(options.epochs, model, F.cross_entropy, opt, train_dl, valid_dl, digits=2)
