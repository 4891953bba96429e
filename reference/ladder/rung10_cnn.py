"""Rung 10: a convolutional network, trained by rung 9's functions unchanged.

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
x_train, y_train, x_valid, y_valid = (tensor.to(device) for tensor in read_digits(options))
mean, std = x_train.mean(), x_train.std()
x_train, x_valid = (x_train - mean) / std, (x_valid - mean) / std
torch.manual_seed(options.seed)


class CNN(nn.Module):
    """Two convolutions and a pooling, which quarter the sides, then a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 16, kernel_size=3, padding=1)
        self.lin = nn.Linear(784, 10)

    def forward(self, xb):
        """Rows of 784 pixels to rows of ten logits."""
        xb = xb.view(-1, 1, 28, 28)
        xb = F.relu(self.conv1(xb))
        xb = F.relu(self.conv2(xb))
        xb = F.avg_pool2d(xb, 2)
        return self.lin(xb.view(-1, 784))


train_ds, valid_ds = TensorDataset(x_train, y_train), TensorDataset(x_valid, y_valid)
train_dl, valid_dl = get_data(train_ds, valid_ds, bs=64)
model = CNN().to(device)
opt = optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
fit(options.epochs, model, F.cross_entropy, opt, train_dl, valid_dl, digits=2)
