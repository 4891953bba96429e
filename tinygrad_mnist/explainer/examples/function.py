"""An operation of one's own: x³, whose backward is written by hand."""

import torch


class Cube(torch.autograd.Function):
    """x³"""

    @staticmethod
    def forward(ctx, x):
        """x times x times x."""
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        """g · 3x²"""
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


x = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
loss = (Cube.apply(x) * x).sum()
loss.backward()
print("x.grad", x.grad)
