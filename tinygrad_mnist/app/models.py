"""The models that classify digits, by name: logistic, mlp, cnn.

`reference/models.py` is this file with its import changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

from .logistic import CLASSES, PIXELS, Logistic

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygrad_mnist import Tensor

SIDE = 28
HIDDEN = 128


class MLP(nn.Module):
    """Two linear layers with a ReLU between them: 784 pixels, 128 hidden units, 10 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(PIXELS, HIDDEN)
        self.output = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Rows of 784 pixels to rows of 10 logits."""
        return self.output(F.relu(self.hidden(x)))


class CNN(nn.Module):
    """The tutorial's: three convolutions of stride 2 with ReLU, then each channel's average.

    Source: https://docs.pytorch.org/tutorials/beginner/nn_tutorial.html
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 16, kernel_size=3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(16, CLASSES, kernel_size=3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Rows of 784 pixels to rows of 10 logits."""
        x = x.view(-1, 1, SIDE, SIDE)
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        x = F.avg_pool2d(x, 4)
        return x.view(-1, x.size(1))


MODELS: dict[str, Callable[[], nn.Module]] = {"logistic": Logistic, "mlp": MLP, "cnn": CNN}
"""What makes each model, its weights drawn from the generator that `manual_seed` sets."""
