"""A gradient of a gradient: the curvature of x³ · sin x."""

# explain: --step 2
import torch

x = torch.tensor(1.5, requires_grad=True)
y = x**3 * torch.sin(x)
(slope,) = torch.autograd.grad(y, x, create_graph=True)
(curvature,) = torch.autograd.grad(slope, x)
print("slope", slope.item(), "curvature", curvature.item())
