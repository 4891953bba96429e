"""Rung 9: fit() and get_data() hold what every training has in common."""

import torch
import torch.nn.functional as F
from start import read_digits, read_options
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def get_data(train_ds, valid_ds, bs):
    """The loaders: shuffled batches to train on, twice as large ones in order to validate."""
    return (
        DataLoader(train_ds, batch_size=bs, shuffle=True),
        DataLoader(valid_ds, batch_size=bs * 2),
    )


def train_batch(model, loss_func, xb, yb, opt):
    """One step downhill on one batch."""
    loss = loss_func(model(xb), yb)
    loss.backward()
    opt.step()
    opt.zero_grad()


def evaluate(model, loss_func, valid_dl):
    """The mean loss and the accuracy over all rows, each row counted once."""
    loss, right, rows = 0.0, 0, 0
    for xb, yb in valid_dl:
        out = model(xb)
        loss += loss_func(out, yb).item() * len(xb)
        right += (torch.argmax(out, dim=1) == yb).sum().item()
        rows += len(xb)
    return loss / rows, right / rows


def fit(epochs, model, loss_func, opt, train_dl, valid_dl, digits=4):
    """Trains, and prints after each epoch how the model does on the validation set."""
    for epoch in range(epochs):
        model.train()
        for xb, yb in train_dl:
            train_batch(model, loss_func, xb, yb, opt)

        model.eval()
        with torch.no_grad():
            loss, accuracy = evaluate(model, loss_func, valid_dl)
        print(
            f"epoch {epoch + 1}: validation loss {loss:.{digits}f}, accuracy {accuracy:.{digits}f}"
        )


def main():
    """Trains the logistic model: three lines, once the data are there."""
    options = read_options(__doc__)
    device = torch.device(options.device)
    x_train, y_train, x_valid, y_valid = (tensor.to(device) for tensor in read_digits(options))
    torch.manual_seed(options.seed)

    train_ds, valid_ds = TensorDataset(x_train, y_train), TensorDataset(x_valid, y_valid)
    train_dl, valid_dl = get_data(train_ds, valid_ds, bs=64)
    model = nn.Linear(784, 10).to(device)
    opt = optim.SGD(model.parameters(), lr=0.5)
    fit(options.epochs, model, F.cross_entropy, opt, train_dl, valid_dl)


if __name__ == "__main__":
    main()
