"""Not a number: a square root of nothing has an infinite slope, and 0 times that is NaN."""

import torch

x = torch.tensor([4.0, 0.0, 9.0], requires_grad=True)
distance = torch.sqrt(x)
masked = distance * (x > 0).float()
loss = masked.sum()
loss.backward()
print("x.grad", x.grad)
