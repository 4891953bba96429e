"""Learning rates over time, and gradients clipped."""

import torch
from torch import nn, optim
from torch.nn.utils import clip_grad_norm_
from torch.optim import lr_scheduler

torch.manual_seed(9)
data, target = torch.randn(40, 4), torch.randn(40, 1)


def trace(make, steps=6, needs_loss=False):
    torch.manual_seed(10)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(model(data), target)
        loss.backward()
        total = clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        scheduler.step(loss.detach()) if needs_loss else scheduler.step()
        rates.append(round(optimizer.param_groups[0]["lr"], 6))
    return rates, f"{loss.item():.4f}", f"{total:.4f}"


print(trace(lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.5)))
print(trace(lambda o: lr_scheduler.MultiStepLR(o, milestones=[2, 4], gamma=0.1)))
print(trace(lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9)))
print(trace(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=6)))
print(trace(lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.2, total_steps=7)))
print(trace(lambda o: lr_scheduler.LambdaLR(o, lr_lambda=lambda epoch: 0.95**epoch)))
print(trace(lambda o: lr_scheduler.ReduceLROnPlateau(o, "min", patience=1), needs_loss=True))
warm = lambda o: lr_scheduler.SequentialLR(
    o,
    [lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=3), lr_scheduler.ExponentialLR(o, 0.9)],
    milestones=[3],
)
print(trace(warm))
for make in (optim.Adam, optim.AdamW, optim.RMSprop):
    model = nn.Linear(4, 1)
    optimizer = make([{"params": [model.weight]}, {"params": [model.bias], "lr": 1e-2}], lr=1e-3)
    nn.functional.mse_loss(model(data), target).backward()
    optimizer.step()
    print(make.__name__, [group["lr"] for group in optimizer.param_groups])
print(optimizer)
