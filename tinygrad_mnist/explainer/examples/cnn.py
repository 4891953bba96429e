"""The tutorial's convolutional network: three convolutions, then an average."""

import torch
import torch.nn.functional as F
from tinygrad_mnist.datasets import synthetic
from torch import nn


class Net(nn.Module):
    """Images to scores."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 16, kernel_size=3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(16, 10, kernel_size=3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(4)

    def forward(self, xb):
        """A row of ten scores for each image."""
        xb = F.relu(self.conv1(xb))
        xb = F.relu(self.conv2(xb))
        xb = F.relu(self.conv3(xb))
        return self.pool(xb).view(-1, xb.size(1))


images, labels = synthetic.draw(4)
xb = torch.from_numpy(images).reshape(4, 1, 28, 28).float() / 255
yb = torch.from_numpy(labels).long()
torch.manual_seed(0)
model = Net()
loss = F.cross_entropy(model(xb), yb)
loss.backward()
print("loss", loss.item())
