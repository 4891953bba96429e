"""A recurrence of 200 steps: h ← tanh(h·W + x), one matrix used in each."""

import torch

torch.manual_seed(0)
W = (torch.randn(4, 4) * 0.5).requires_grad_()
x = torch.randn(1, 4)
h = torch.zeros(1, 4)
for t in range(200):
    h = torch.tanh(h @ W + x)
loss = (h**2).sum()
loss.backward()
print("loss", loss.item())
