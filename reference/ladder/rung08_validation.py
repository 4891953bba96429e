"""Rung 8: data that the model never trains on tell how good it is."""

import torch
import torch.nn.functional as F
from start import read_digits, read_options
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

options = read_options(__doc__)
device = torch.device(options.device)
x_train, y_train, x_valid, y_valid = (tensor.to(device) for tensor in read_digits(options))
torch.manual_seed(options.seed)

bs = 64
lr = 0.5

loss_func = F.cross_entropy
train_ds = TensorDataset(x_train, y_train)
train_dl = DataLoader(train_ds, batch_size=bs, shuffle=True)
valid_ds = TensorDataset(x_valid, y_valid)
valid_dl = DataLoader(valid_ds, batch_size=bs * 2)


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


for epoch in range(options.epochs):
    model.train()
    for xb, yb in train_dl:
        loss = loss_func(model(xb), yb)

        loss.backward()
        opt.step()
        opt.zero_grad()

    model.eval()
    with torch.no_grad():
        outs = [(model(xb), yb) for xb, yb in valid_dl]
    valid_loss = sum(loss_func(out, yb) for out, yb in outs) / len(outs)
    valid_accuracy = sum(accuracy(out, yb) for out, yb in outs) / len(outs)
    print(
        f"epoch {epoch + 1}: validation loss {valid_loss.item():.4f}, "
        f"accuracy {valid_accuracy.item():.4f}"
    )
