"""Changes in place: the tensor gets a newer record, and old numbers are seen to be old."""

import torch

x = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
h = x * 2
h += 1
h[1:3] *= 10
h.relu_()
loss = (h * h).sum()
loss.backward()
print("x.grad", x.grad)
