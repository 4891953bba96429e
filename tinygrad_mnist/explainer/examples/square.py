"""(a·b + a)², where a is used twice: two contributions meet in its gradient."""

import torch

a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(3.0, requires_grad=True)
y = (a * b + a) ** 2
y.backward()
print("a.grad", a.grad, "b.grad", b.grad)
