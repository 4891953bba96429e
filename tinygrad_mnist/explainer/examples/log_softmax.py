"""log_softmax by hand: scores less the logarithm of the sum of their exponentials."""

import torch

scores = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 3.0]], requires_grad=True)
target = torch.tensor([0, 2])


def log_softmax(x):
    """x − ln Σ eˣ, along each row."""
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def nll(log_probabilities, target):
    """The mean of what each row lacks at its label."""
    return -log_probabilities[range(target.shape[0]), target].mean()


loss = nll(log_softmax(scores), target)
loss.backward()
print("loss", loss.item())
