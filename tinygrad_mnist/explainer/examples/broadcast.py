"""A row added to each row of a matrix: stretched going forward, summed coming back."""

import torch

x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], requires_grad=True)
row = torch.tensor([10.0, 20.0, 30.0], requires_grad=True)
column = torch.tensor([[1.0], [2.0]], requires_grad=True)
y = (x + row) * column
loss = y.mean()
loss.backward()
print("row.grad", row.grad)
