"""What a first lesson about autograd shows."""

import torch
from torch import nn, optim

torch.manual_seed(6)
x = torch.ones(2, 2, requires_grad=True)
y = x + 2
print(y)
print(y.grad_fn)
z = y * y * 3
out = z.mean()
print(z, out)
out.backward()
print(x.grad)

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
Q.backward(gradient=torch.tensor([1.0, 1.0]))
print(9 * a**2 == a.grad)
print(-2 * b == b.grad)

w = torch.rand(5, 5)
v = torch.rand(5, 5)
u = torch.rand((5, 5), requires_grad=True)
print(f"Does w + v require gradients? {(w + v).requires_grad}")
print(f"Does w + u require gradients? {(w + u).requires_grad}")
with torch.no_grad():
    print((u**2).requires_grad)
print(u.detach().requires_grad, u.eq(u.detach()).all())

model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
for param in model.parameters():
    param.requires_grad = False
model[2] = nn.Linear(8, 3)
optimizer = optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
loss = (model(w) - torch.zeros(5, 3)).sum()
loss.backward()
optimizer.step()
print([p.requires_grad for p in model.parameters()], model[0].weight.grad)

x = torch.randn(3, requires_grad=True)
y = x * 2
while y.data.norm() < 1000:
    y = y * 2
y.backward(torch.tensor([0.1, 1.0, 0.0001]))
print(x.grad)

inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
out.backward(torch.ones_like(out), retain_graph=True)
print(f"First call\n{inp.grad}")
out.backward(torch.ones_like(out), retain_graph=True)
print(f"Second call\n{inp.grad}")
inp.grad.zero_()
out.backward(torch.ones_like(out))
print(f"After zeroing\n{inp.grad}")

x = torch.tensor([1.0, 2.0], requires_grad=True)
(first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
(second,) = torch.autograd.grad(first.sum(), x)
print(first, second)
print(torch.autograd.functional.jacobian(lambda t: t**2, torch.tensor([1.0, 2.0])))
try:
    out.backward(torch.ones_like(out))
except RuntimeError as error:
    print(str(error).split(".")[0])
