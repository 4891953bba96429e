"""The same step with nn.Linear and F.cross_entropy."""

import torch
import torch.nn.functional as F
from tinygrad_mnist.datasets import synthetic
from torch import nn

images, labels = synthetic.draw(64)
xb = torch.from_numpy(images).reshape(64, 784).float() / 255
yb = torch.from_numpy(labels).long()
torch.manual_seed(0)
model = nn.Linear(784, 10)
loss = F.cross_entropy(model(xb), yb)
loss.backward()
print("loss", loss.item())
