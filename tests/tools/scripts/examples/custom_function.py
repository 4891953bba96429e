"""An operation with a backward of its own: P3(x) = (5x³ − 3x) / 2."""

import torch


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


x = torch.linspace(-1, 1, 300, dtype=torch.float64)
y = torch.sin(3 * x)
a, b, c, d = (
    torch.full((), value, dtype=torch.float64, requires_grad=True)
    for value in (0.1, -1.0, 0.2, 0.3)
)
for t in range(300):
    P3 = LegendrePolynomial3.apply
    y_pred = a + b * P3(c + d * x)
    loss = (y_pred - y).pow(2).sum()
    if t % 100 == 99:
        print(t, loss.item().__round__(6))
    loss.backward()
    with torch.no_grad():
        for coefficient in (a, b, c, d):
            coefficient -= 5e-4 * coefficient.grad
            coefficient.grad.zero_()
print(f"Result: y = {a.item():.6f} + {b.item():.6f} * P3({c.item():.6f} + {d.item():.6f} x)")
z = torch.randn(4, dtype=torch.double, requires_grad=True)
print(torch.autograd.gradcheck(LegendrePolynomial3.apply, (z,)))
