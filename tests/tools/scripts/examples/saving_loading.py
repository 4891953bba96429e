"""State dicts, whole checkpoints, warm starts."""

import tempfile
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class TheModelClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


torch.manual_seed(8)
model = TheModelClass()
optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
model(torch.randn(2, 3, 32, 32)).square().sum().backward()
optimizer.step()

print("Model's state_dict:")
for param_tensor in model.state_dict():
    print(param_tensor, "\t", model.state_dict()[param_tensor].size())
print("Optimizer's state_dict:")
for var_name in optimizer.state_dict():
    print(var_name, "\t", type(optimizer.state_dict()[var_name]))
print(optimizer.state_dict()["param_groups"])

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "checkpoint.tar"
    torch.save(
        {
            "epoch": 5,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "loss": 0.4,
        },
        path,
    )
    checkpoint = torch.load(path, weights_only=True, map_location=torch.device("cpu"))

fresh = TheModelClass()
fresh_optimizer = optim.SGD(fresh.parameters(), lr=0.1)
print(fresh.load_state_dict(checkpoint["model_state_dict"]))
fresh_optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
print(checkpoint["epoch"], checkpoint["loss"], fresh_optimizer.param_groups[0]["momentum"])
x = torch.randn(1, 3, 32, 32)
print(torch.equal(model(x), fresh(x)))
partial = {k: v for k, v in checkpoint["model_state_dict"].items() if not k.startswith("fc")}
print(fresh.load_state_dict(partial, strict=False))
print(len(list(model.parameters())), sum(t.numel() for t in model.state_dict().values()))
